"""The Thinker: both encoders and the text model, trained together on all kinds of questions.

python -m training.thinker --out runs

It begins with the audio encoder of ``training.hearing`` and the text model of ``training.reading``
and goes on learning what that learned.
"""

import functools
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .batches import NO_LABEL, Ahead, Batch, collate
from .config import Budget
from .examples import CLIP, FOLLOW_UP, PICTURE, SPOKEN, TYPED, Examples
from .hearing import Ear
from .loop import train
from .recordings import Recordings
from .released import new_thinker
from .stage import Arguments
from .tokenizer import open_processor

BUDGET, SHORT = Budget(2600, 1, 1.2e-3), Budget(60, 1, 1.2e-3)
# Of each group: examples of a step, and its share of the steps.
GROUPS = {TYPED: (32, 3), SPOKEN: (16, 8), FOLLOW_UP: (8, 2), PICTURE: (16, 3), CLIP: (4, 3)}
HEARING = 0.3  # weight of the loss of hearing beside that of answering


class Learner(nn.Module):
    """thinker: transformers' classes, so that the parameters bear the released names."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.thinker = new_thinker(seed)
        self.ear = Ear(self.thinker.audio_tower, self.thinker.config.text_config.vocab_size)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """loss: of both. answer: nats a token. right: share of whole answers. hear: CTC of rows."""
        sounds = self.ear.hear(batch) if batch.windows else []
        rows = self.ear.rows(sounds) if sounds else []
        hear = self.ear.named(rows, batch.spoken, self.thinker.model.embed_tokens.weight.detach())
        hidden = self.states(batch, rows)
        at = batch.labels != NO_LABEL
        logits, labels = self.thinker.lm_head(hidden[at]), batch.labels[at]
        answer = F.cross_entropy(logits, labels)
        wrong = torch.zeros(at.shape).masked_scatter(at, (logits.argmax(-1) != labels).float())
        right = 1 - wrong.amax(1).mean()
        return {"loss": answer + HEARING * hear, "answer": answer, "right": right, "hear": hear}

    def states(self, batch: Batch, heard: list[Tensor] | None = None) -> Tensor:
        """Normed hidden states, float32 [B, T, E]. heard: rows of the sounds, if known."""
        return self.thinker.model(
            inputs_embeds=self.embed(batch, heard), position_ids=batch.positions, use_cache=False
        ).last_hidden_state

    def embed(self, batch: Batch, heard: list[Tensor] | None = None) -> Tensor:
        """Input rows with the media in their places."""
        config, x = self.thinker.config, self.thinker.model.embed_tokens(batch.ids)
        if batch.windows:
            rows = self.ear.rows(self.ear.hear(batch)) if heard is None else heard
            x = _put(x, batch.ids == config.audio_token_id, torch.cat(rows))
        if batch.patches is not None:
            seen = self.thinker.visual(batch.patches, batch.grids)
            places = (batch.ids == config.image_token_id) | (batch.ids == config.video_token_id)
            x = _put(x, places, seen)
        return x


def _put(x: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    return x.masked_scatter(places[..., None], rows)


def batch_of(examples: Examples, groups: dict[str, tuple[int, int]], step: int) -> Batch:
    """What a step trains on: examples of one group."""
    rng = Random(f"thinker {step}")
    group = rng.choices(list(groups), [share for _, share in groups.values()])[0]
    return collate([examples.make(group, rng) for _ in range(groups[group][0])])


def parameters(folder: Path) -> dict[str, Tensor]:
    """transformers' Thinker in what a ``Learner``'s stage has saved."""
    state, prefix = torch.load(folder / "model.pt"), "thinker."
    return {n.removeprefix(prefix): value for n, value in state.items() if n.startswith(prefix)}


def main(arguments: Arguments) -> None:
    budget, out = SHORT if arguments.short else BUDGET, arguments.out
    learner = Learner()
    learner.thinker.load_state_dict(parameters(out / "reading"))
    learner.ear.load_state_dict(torch.load(out / "hearing" / "model.pt"))
    examples = Examples(open_processor(out), Recordings.load(out / "recordings" / "train"))
    batches = Ahead(functools.partial(batch_of, examples, GROUPS), budget.steps)
    train(out / "thinker", learner, budget, lambda step: learner.losses(batches(step)))


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
