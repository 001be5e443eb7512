"""The Talker learns to speak the Thinker's states: teacher forcing with damaged codes.

python -m training.talker --out runs

The text arrives one token a code, far ahead of the speech, so the Talker must keep its own place.
One head of some layers is therefore shown where to look: at the row of the word being spoken.
Otherwise late words get swapped for other ones of the same text.
"""

import json
import shutil
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import torchvision_ops  # noqa: F401  before transformers' classes
from .config import CODES, VOICES, Budget, model_config
from .loop import train
from .stage import Arguments
from .states import NO_CODE, NOT_SPOKEN, Batch, EndRows, Line, batch, load
from .talker_score import score
from .thinking import write_lines
from .whitening import Whitening

# isort: split
from transformers import Qwen2_5OmniConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
    Qwen2_5OmniTalkerForConditionalGeneration,
    apply_multimodal_rotary_pos_emb,
)

_ALIKE = 4  # batches are drawn from this many times as many answers, of like length
_PROMPT_ROWS = (4, 4, 8, 8, 16, 16, 32, 32, 64, 1000)  # the end of the prompt is enough mostly
BUDGET, SHORT = Budget(1500, 16, 1.5e-3), Budget(20, 4, 1.5e-3)


def new_talker(seed: int = 0) -> Qwen2_5OmniTalkerForConditionalGeneration:
    torch.manual_seed(seed)
    config = Qwen2_5OmniConfig.from_dict(model_config()).talker_config
    config._attn_implementation = "sdpa"
    model = Qwen2_5OmniTalkerForConditionalGeneration(config).float()
    for name, p in model.named_parameters():
        if p.ndim == 2:
            nn.init.normal_(p, std=1.0 if "embed_tokens" in name else p.shape[1] ** -0.5)
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            p.data *= (2 * config.num_hidden_layers) ** -0.5
        if "norm" in name:
            nn.init.ones_(p)
    return model


@torch.no_grad()
def start_from_sounds(model: nn.Module, centroids: Tensor) -> None:
    """Codes that sound alike begin with like embeddings and logits. centroids: [CODES, ...]."""
    sounds = centroids.flatten(1)
    sounds = (sounds - sounds.mean(0)) / sounds.std(0)
    for table in (model.model.embed_tokens.weight, model.codec_head.weight):
        mixed = sounds @ torch.randn(sounds.shape[1], table.shape[1]) / sounds.shape[1] ** 0.5
        rows = table[1 : CODES + 1]
        rows.copy_((rows + mixed * rows.std()) / 2**0.5)


@dataclass(frozen=True)
class Recipe:
    """damage: share of input codes replaced. shown: layers with a guided head."""

    damage: float = 0.2
    shown: tuple[int, ...] = (1, 2)
    guide: float = 0.3
    level: float = 0.02  # of log-sum-exp squared


def damaged(codes: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Half of the replaced codes become any code, half a code of up to 3 steps before or after."""
    replaced = torch.rand(codes.shape, generator=generator) < share
    replaced &= (codes > NO_CODE) & (codes <= CODES)
    near = torch.arange(codes.shape[1]) + torch.randint(-3, 4, codes.shape, generator=generator)
    moved = codes.gather(1, near.clamp(0, codes.shape[1] - 1))
    other = torch.randint(1, CODES + 1, codes.shape, generator=generator)
    other = torch.where(torch.rand(codes.shape, generator=generator) < 0.5, other, moved)
    return torch.where(replaced & (other > NO_CODE) & (other <= CODES), other, codes)


def losses(model, batch: Batch, recipe: Recipe, generator: torch.Generator) -> dict[str, Tensor]:
    codes = damaged(batch.codes, recipe.damage, generator)
    embedded = model.model.embed_tokens(codes) * (codes != NO_CODE)[..., None]
    h = model.thinker_to_talker_proj(batch.text + embedded)
    angles = model.model.rotary_emb(h, batch.positions)
    guide = h.new_zeros(())
    for i, layer in enumerate(model.model.layers):
        if i in recipe.shown:
            guide = guide + _pointing(layer, h, angles, batch.pointed)
        h = layer(h, position_embeddings=angles)[0]
    spoken = batch.targets != NOT_SPOKEN
    logits = model.codec_head(model.model.norm(h[spoken]))
    targets = batch.targets[spoken]
    ce = F.cross_entropy(logits, targets)
    level = logits.logsumexp(-1).square().mean()
    return {
        "loss": ce + recipe.guide * guide + recipe.level * level,
        "ce": ce.detach(),
        "guide": guide.detach() / max(1, len(recipe.shown)),
        "right": (logits.argmax(-1) == targets).float().mean(),
        "level": level.detach(),
    }


def _pointing(layer: nn.Module, h: Tensor, angles: tuple, pointed: Tensor) -> Tensor:
    """Cross entropy of the first head's attention and the row that it should attend to."""
    attention, dim = layer.self_attn, layer.self_attn.head_dim
    x = layer.input_layernorm(h)
    q = F.linear(x, attention.q_proj.weight[:dim], attention.q_proj.bias[:dim])
    k = F.linear(x, attention.k_proj.weight[:dim], attention.k_proj.bias[:dim])
    sections = attention.rope_scaling["mrope_section"]
    q, k = apply_multimodal_rotary_pos_emb(q[:, None], k[:, None], *angles, sections)
    scores = (q[:, 0] @ k[:, 0].transpose(1, 2)) * attention.scaling  # [B, T, T]
    future = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
    scores = scores.masked_fill(future, -torch.inf)
    return F.cross_entropy(scores.flatten(0, 1), pointed.flatten(), ignore_index=NOT_SPOKEN)


class Lessons:
    """Batches of answers of like length, in random voices, with more or less of the prompt.

    Every other time a length is drawn before the answers: single words are few and as needed.
    """

    def __init__(self, lines: Sequence[Line], ends: EndRows, size: int) -> None:
        self._lines, self._ends, self._size = sorted(lines, key=_length), ends, size

    def __call__(self, step: int) -> Batch:
        rng = Random(f"talker {step}")
        count = min(len(self._lines), _ALIKE * self._size)
        last = len(self._lines) - count
        first = rng.randint(0, last)
        if step % 2:
            length = rng.uniform(_length(self._lines[0]), _length(self._lines[-1]))
            first = min(bisect_left(self._lines, length, key=_length), last)
        picks = rng.sample(self._lines[first : first + count], self._size)
        rows = rng.choice(_PROMPT_ROWS)
        voices = [rng.randrange(len(VOICES)) for _ in picks]
        return batch([line.cropped(rows) for line in picks], voices, self._ends)


def _length(line: Line) -> int:
    return len(line.codes)


def learn(folder: Path, centroids: Tensor, budget: Budget) -> nn.Module:
    """folder: has train.pt, and start.pt if another Talker is to learn on; gets model.pt."""
    lines, ends = load(folder / "train.pt")
    white = Whitening.of(lines)
    lessons = Lessons([white.line(line) for line in lines], white.ends(ends), budget.batch)
    model = new_talker()
    if (folder / "start.pt").exists():
        model.load_state_dict(torch.load(folder / "start.pt"))
        white.enter(model)
    else:
        start_from_sounds(model, centroids)

    def loss(step: int) -> dict[str, Tensor]:
        return losses(model, lessons(step), Recipe(), torch.Generator().manual_seed(step))

    train(folder / "whitened", model, budget, loss)
    shutil.copy(folder / "whitened" / "curve.json", folder)
    white.leave(model)
    torch.save(model.state_dict(), folder / "model.pt")
    return model


def main(arguments: Arguments) -> None:
    folder = arguments.out / "talker"
    if not (folder / "held_out.pt").exists():
        write_lines(arguments.out)
    centroids = torch.from_numpy(np.load(arguments.out / "codec" / "centroids.npy"))
    model = learn(folder, centroids, SHORT if arguments.short else BUDGET).eval()
    figures = score(model, *load(folder / "held_out.pt"), arguments.out)
    (folder / "score.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
