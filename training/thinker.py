"""The Thinker: the text model on all kinds of questions, with what it hears and sees.

python -m training.thinker --out runs

It begins with the encoders of ``training.hearing`` and ``training.seeing``, which stay as they are:
its first errors would make them unlearn, and at the end they gain nothing from it. The table of
embeddings stays too, as they tell words by it.
"""

import functools
from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import seeing, world
from .batches import NO_LABEL, Ahead, Batch, Groups, collate, drawn
from .config import Budget
from .examples import (
    CLIP,
    FOLLOW_UP,
    FORMAL,
    IMAGINED,
    PICTURE,
    SPOKEN,
    SUMMED,
    TYPED,
    WRITTEN,
    Examples,
)
from .hearing import Ear
from .loop import parameters, train
from .recordings import Recordings
from .released import new_thinker
from .seeing import Names, rows
from .stage import Arguments
from .tokenizer import open_processor

GROUPS = {
    TYPED: (32, 2),
    SUMMED: (32, 1),
    IMAGINED: (20, 1),
    SPOKEN: (18, 5),
    WRITTEN: (16, 4),
    FOLLOW_UP: (8, 1.5),
    PICTURE: (24, 2),
    CLIP: (12, 4),
}
BUDGET, SHORT = Budget(1200, 1, 1e-3), Budget(20, 1, 1e-3)


class Learner(nn.Module):
    """thinker: transformers' classes, so that the parameters bear the released names."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.thinker = new_thinker(seed)
        self.ear = Ear(self.thinker.audio_tower)

    def losses(self, batch: Batch, names: Names) -> dict[str, Tensor]:
        """loss: nats a token of the answers. right: share of whole answers."""
        imagined = None
        if batch.imagined:
            table = self.thinker.model.embed_tokens.weight.detach()
            imagined = self.ear.imagine(batch, table)
        hidden = self.states(batch, imagined)[1]
        at = batch.labels != NO_LABEL
        logits, labels = self.thinker.lm_head(hidden[at]), batch.labels[at]
        if batch.seen:
            never = _impossible(batch.seen, names, logits.shape[1])[at.nonzero()[:, 0]]
            logits = logits.masked_fill(never, -torch.inf)
        wrong = torch.zeros(at.shape).masked_scatter(at, (logits.argmax(-1) != labels).float())
        return {"loss": F.cross_entropy(logits, labels), "right": 1 - wrong.amax(1).mean()}

    def states(self, batch: Batch, heard: Sequence[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Input rows with the media in their places and normed hidden states, float32 [B, T, E].

        heard: rows of the sounds, if not as the ear makes them.
        """
        x = self.thinker.model.embed_tokens(batch.ids)
        config, tower = self.thinker.config, self.thinker.visual
        if batch.windows:
            heard = heard or self.ear.rows(self.ear.hear(batch)[1])
            x = _put(x, batch.ids == config.audio_token_id, torch.cat(list(heard)))
        if batch.patches is not None:
            places = (batch.ids == config.image_token_id) | (batch.ids == config.video_token_id)
            x = _put(x, places, rows(tower, batch))
        hidden = self.thinker.model(
            inputs_embeds=x, position_ids=batch.positions, use_cache=False
        ).last_hidden_state
        return x, hidden


def _impossible(seen: Sequence[world.Picture | world.Clip], names: Names, size: int) -> Tensor:
    """Tokens of counts that only held-out pictures have (``training.seeing``), bool [B, V]."""
    rows = torch.zeros(len(seen), size, dtype=torch.bool)
    for row, thing in zip(rows, seen, strict=True):
        if isinstance(thing, world.Picture):
            never = ~torch.tensor(seeing.choices(thing, "count", seeing.COUNTS))
            row[names.counts[never]] = row[names.counts_first[never]] = True
    return rows


def _put(x: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    return x.masked_scatter(places[..., None], rows)


def batch_of(examples: Examples, groups: Groups, formal: float, step: int) -> Batch:
    """What a step trains on: examples of one group, all of them formal or none, as that is long."""
    rng = Random(f"thinker {step}")
    group, count = drawn(groups, rng)
    formal = float(rng.random() < formal)
    return collate([examples.make(group, rng, formal=formal) for _ in range(count)])


def main(arguments: Arguments) -> None:
    out, budget = arguments.out, SHORT if arguments.short else BUDGET
    learner = Learner()
    learner.thinker.load_state_dict(parameters(out / "reading", "thinker."))
    learner.ear.load_state_dict(parameters(out / "hearing", "ear."))
    learner.thinker.visual.load_state_dict(torch.load(out / "seeing" / "model.pt"))
    processor = open_processor(out)
    names = Names.of(processor.tokenizer)
    examples = Examples(processor, Recordings.load(out / "recordings" / "train"))
    batches = Ahead(functools.partial(batch_of, examples, GROUPS, FORMAL), budget.steps)
    for still in (learner.ear, learner.thinker.visual, learner.thinker.model.embed_tokens):
        still.requires_grad_(False)
    train(out / "thinker", learner, budget, lambda step: learner.losses(batches(step), names))


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
