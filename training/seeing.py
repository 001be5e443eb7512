"""The vision encoder alone: the rows of a picture become the sum of the words for what it shows.

python -m training.seeing --out runs

As in ``training.hearing``: a text model finds in the rows what it knows as words.

Some counts of a kind of shape are held out, so never right in training. Were they called wrong, the
encoder would learn not which count it sees but which ones occur; so a word that would make a
picture a held-out one is no choice (as if by the logit adjustment of arXiv 2007.07314).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import world
from .batches import Ahead, Batch, collate, drawn
from .config import Budget
from .examples import CLIP, COUNTED, PICTURE, Examples
from .loop import embeddings, train
from .recordings import Recordings
from .released import new_thinker
from .stage import Arguments
from .tokenizer import open_processor

MATCH = 12.0  # the logit of rows whose mean is a word's embedding
OFF = 0.1  # weight of the rows' distance to what they mean
COUNTS = range(1, world.MOST_SHAPES + 1)
GROUPS = {PICTURE: (40, 8), COUNTED: (40, 4), CLIP: (4, 1)}
BUDGET, SHORT = Budget(2500, 1, 1.5e-3), Budget(12, 1, 1.5e-3)


@dataclass(frozen=True)
class Names:
    """ids: of the words of each kind that a picture may be named by.

    counts_first: of counts where an answer begins.
    """

    counts: Tensor
    colours: Tensor
    shapes: Tensor
    directions: Tensor
    counts_first: Tensor

    @classmethod
    def of(cls, tokenizer) -> "Names":
        counts = [world.NUMBERS[count] for count in COUNTS]
        kinds = (counts, world.COLOURS, world.SHAPES, list(world.DIRECTIONS))
        texts = [[f" {word}" for word in words] for words in kinds]
        return cls(*(torch.tensor([_id(tokenizer, x) for x in of]) for of in (*texts, counts)))


def _id(tokenizer, text: str) -> int:
    (number,) = tokenizer.encode(text)
    return number


def last_of(tower: nn.Module) -> list[nn.Parameter]:
    """As ``training.hearing.Ear.last``."""
    return list(tower.merger.mlp[-1].parameters())


def rows(tower: nn.Module, batch: Batch) -> Tensor:
    """Of all pictures and clips, one after another, float32 [n, E]."""
    return tower(batch.patches, batch.grids)


def named(seen: Tensor, batch: Batch, names: Names, table: Tensor) -> dict[str, Tensor]:
    """see: nats a word. sees: share of words known. off: rows' distance to the sum of the words.

    loss: of see and off. seen: rows. table: embeddings, [V, E].
    """
    sizes = batch.grids.prod(1) // 4
    means = torch.stack([part.mean(0) for part in seen.split(sizes.tolist())])
    size = table.square().sum(1).mean()
    meant, losses, rights = torch.zeros_like(means), [], []
    for ids, at, wanted, possible in _questions(batch.seen, names):
        logits = means[at] @ table[ids].T * (MATCH / size)
        logits = logits.masked_fill(~possible, -torch.inf)
        losses.append(F.cross_entropy(logits, wanted, reduction="none"))
        rights.append(logits.argmax(1) == wanted)
        meant[at] += table[ids[wanted]]
    off = (seen - meant.repeat_interleave(sizes, 0)).square().sum(1).mean() / size
    see, sees = torch.cat(losses).mean(), torch.cat(rights).float().mean()
    return {"loss": see + OFF * off, "see": see, "sees": sees, "off": off}


def _questions(
    seen: Sequence[world.Picture | world.Clip], names: Names
) -> list[tuple[Tensor, list[int], Tensor, Tensor]]:
    """For each kind of word: its ids, which pictures have one, which it is, and which it may be."""
    pictures = [i for i, thing in enumerate(seen) if isinstance(thing, world.Picture)]
    clips = [i for i, thing in enumerate(seen) if isinstance(thing, world.Clip)]
    named = [i for i, thing in enumerate(seen) if thing.colour in world.COLOURS]
    questions = []
    for ids, at, field, values in (
        (names.colours, named, "colour", world.COLOURS),
        (names.shapes, pictures + clips, "shape", world.SHAPES),
        (names.counts, pictures, "count", COUNTS),
        (names.directions, clips, "direction", list(world.DIRECTIONS)),
    ):
        wanted = [values.index(getattr(seen[i], field)) for i in at]
        rows = [choices(seen[i], field, values) for i in at]
        open_rows = torch.tensor(rows, dtype=torch.bool).view(len(at), len(values))
        questions.append((ids, at, torch.tensor(wanted, dtype=torch.long), open_rows))
    return questions


def choices(thing: world.Picture | world.Clip, field: str, values: Sequence) -> list[bool]:
    """Which values of a field a picture or clip of its split may have."""
    return [replace(thing, **{field: value}).held_out == thing.held_out for value in values]


def batch_of(examples: Examples, step: int) -> Batch:
    rng = Random(f"seeing {step}")
    group, count = drawn(GROUPS, rng)
    return collate([examples.make(group, rng, only_typed=True) for _ in range(count)])


def main(arguments: Arguments) -> None:
    budget, out = SHORT if arguments.short else BUDGET, arguments.out
    processor = open_processor(out)
    examples = Examples(processor, Recordings.load(out / "recordings" / "train"))
    table = embeddings(out)
    names, tower = Names.of(processor.tokenizer), new_thinker().visual
    batches = Ahead(functools.partial(batch_of, examples), budget.steps)

    def loss(step: int) -> dict[str, Tensor]:
        batch = batches(step)
        return named(rows(tower, batch), batch, names, table)

    train(out / "seeing", tower, budget, loss, slow=last_of(tower))


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
