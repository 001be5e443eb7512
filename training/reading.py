"""The text model alone first: typed questions are short, and what they teach is half of the rest.

python -m training.reading --out runs

Long lists come first: without copying nothing else is learned well. Then sums, also long ones, as
the few short ones would be learned by heart. Then the same questions with pauses between their
words, as a perfect ear would tell them.
"""

import functools

from .batches import Ahead, Batch
from .config import Budget
from .examples import IMAGINED, LISTED, SUMMED, TYPED, Examples
from .loop import train
from .numbers import in_order
from .recordings import Recordings
from .seeing import Names
from .stage import Arguments
from .thinker import Learner, batch_of
from .tokenizer import open_processor

BUDGET, SHORT = Budget(2500, 32, 2e-3), Budget(40, 24, 2e-3)
COPIES, SILENT = 0.1, 0.6  # shares of the steps that end before sums, and before imagined sounds
DECAY = 0.1


def main(arguments: Arguments) -> None:
    budget = SHORT if arguments.short else BUDGET
    processor = open_processor(arguments.out)
    names = Names.of(processor.tokenizer)
    examples = Examples(processor, Recordings({}, []))
    batches = Ahead(functools.partial(_batch_of, examples, budget), budget.steps)
    learner = Learner()
    text = learner.thinker
    in_order(text.model.embed_tokens.weight, text.lm_head.weight, processor.tokenizer)
    train(
        arguments.out / "reading",
        learner,
        budget,
        lambda step: learner.losses(batches(step), names),
        decay=DECAY,
    )


def _batch_of(examples: Examples, budget: Budget, step: int) -> Batch:
    size = budget.batch
    if step < COPIES * budget.steps:
        groups = {LISTED: (size, 2), TYPED: (size, 1)}
    else:
        groups = {LISTED: (size, 1), TYPED: (size, 6), SUMMED: (size, 5)}
    if step >= SILENT * budget.steps:
        groups[IMAGINED] = (size * 2 // 3, 12)
    return batch_of(examples, groups, 0.0, step)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
