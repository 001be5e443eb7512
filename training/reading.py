"""The text model alone first: typed questions are short, and what they teach is half of the rest.

python -m training.reading --out runs
"""

import functools

from .batches import Ahead
from .config import Budget
from .examples import TYPED, Examples
from .loop import train
from .recordings import Recordings
from .stage import Arguments
from .thinker import Learner, batch_of
from .tokenizer import open_processor

BUDGET, SHORT = Budget(1200, 48, 2e-3), Budget(60, 32, 2e-3)


def main(arguments: Arguments) -> None:
    budget = SHORT if arguments.short else BUDGET
    examples = Examples(open_processor(arguments.out), Recordings({}, []), formal=0.0)
    groups = {TYPED: (budget.batch, 1)}
    batches = Ahead(functools.partial(batch_of, examples, groups), budget.steps)
    learner = Learner()
    train(arguments.out / "reading", learner, budget, lambda step: learner.losses(batches(step)))


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
