"""The Thinker: both encoders and the text model, trained together on all kinds of questions.

python -m training.thinker --out runs

It begins with the encoders of ``training.hearing`` and ``training.seeing`` and the text model of
``training.reading``. The encoders wait until the text model can use what they tell: they would
unlearn it for its first errors. So does the table of embeddings, as they tell words by it.
"""

import functools
from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import hearing, seeing, world
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
from .seeing import Names, last_of, rows
from .stage import Arguments
from .tokenizer import open_processor

GROUPS = {
    TYPED: (32, 2),
    SUMMED: (32, 1),
    IMAGINED: (20, 1),
    SPOKEN: (16, 5),
    WRITTEN: (16, 3),
    FOLLOW_UP: (8, 1.5),
    PICTURE: (28, 4),
    CLIP: (6, 2.5),
}
BUDGET, SHORT = Budget(5000, 1, 1e-3), Budget(20, 1, 1e-3)
WAIT = 0.5  # share of the steps that train the text model only
SENSES = 0.3  # weight of the losses of hearing and seeing beside that of answering


class Learner(nn.Module):
    """thinker: transformers' classes, so that the parameters bear the released names."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.thinker = new_thinker(seed)
        self.ear = Ear(self.thinker.audio_tower)

    def losses(self, batch: Batch, names: Names) -> dict[str, Tensor]:
        """loss: of all. answer: nats a token. right: share of whole answers. hear, see: of rows."""
        table = self.thinker.model.embed_tokens.weight.detach()
        heard, seen, hear, see = [], None, table.new_zeros(()), table.new_zeros(())
        if batch.imagined:
            heard = self.ear.imagine(batch, table)
        elif batch.windows:
            heard = self.ear.rows(self.ear.hear(batch)[1])
            told, off = self.ear.named(heard, batch.spoken, table)
            hear = told + hearing.OFF * off
        if batch.patches is not None:
            seen = rows(self.thinker.visual, batch)
            see = seeing.named(seen, batch, names, table)["loss"]
        hidden = self._read(self._embed(batch, heard, seen), batch)
        at = batch.labels != NO_LABEL
        logits, labels = self.thinker.lm_head(hidden[at]), batch.labels[at]
        if batch.seen:
            never = _impossible(batch.seen, names, logits.shape[1])[at.nonzero()[:, 0]]
            logits = logits.masked_fill(never, -torch.inf)
        answer = F.cross_entropy(logits, labels)
        wrong = torch.zeros(at.shape).masked_scatter(at, (logits.argmax(-1) != labels).float())
        right = 1 - wrong.amax(1).mean()
        loss = answer + SENSES * (hear + see)
        return {"loss": loss, "answer": answer, "right": right, "hear": hear, "see": see}

    def states(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Input rows with the media in their places and normed hidden states, float32 [B, T, E]."""
        heard = self.ear.rows(self.ear.hear(batch)[1]) if batch.windows else []
        seen = None if batch.patches is None else rows(self.thinker.visual, batch)
        x = self._embed(batch, heard, seen)
        return x, self._read(x, batch)

    def _embed(self, batch: Batch, heard: list[Tensor], seen: Tensor | None) -> Tensor:
        config, x = self.thinker.config, self.thinker.model.embed_tokens(batch.ids)
        if heard:
            x = _put(x, batch.ids == config.audio_token_id, torch.cat(heard))
        if seen is not None:
            places = (batch.ids == config.image_token_id) | (batch.ids == config.video_token_id)
            x = _put(x, places, seen)
        return x

    def _read(self, x: Tensor, batch: Batch) -> Tensor:
        return self.thinker.model(
            inputs_embeds=x, position_ids=batch.positions, use_cache=False
        ).last_hidden_state


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
    table = learner.thinker.model.embed_tokens
    senses = nn.ModuleList([learner.ear, learner.thinker.visual, table])

    def loss(step: int) -> dict[str, Tensor]:
        senses.requires_grad_(step >= WAIT * budget.steps)
        return learner.losses(batches(step), names)

    slow = [table.weight, *learner.ear.last, *last_of(learner.thinker.visual)]
    train(out / "thinker", learner, budget, loss, slow=slow)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
