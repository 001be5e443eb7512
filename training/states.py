"""What the Thinker hands to the Talker for one answer, and the rows that the Talker reads.

Qwen2.5-Omni technical report, arXiv 2503.20215; the rows are those of transformers 4.57.1. E is
the Thinker's width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from .config import CODEC_BOS, CODEC_EOS, CODEC_PAD
from .loop import padded

NOT_SPOKEN = -100  # target of a row that predicts nothing
NO_CODE = 0  # of a row without a code's embedding; no code has this id


@dataclass(frozen=True)
class Line:
    """One answer, the frozen Thinker's states for it, and how it is spoken.

    prompt: float16 [L, E], last hidden state + embedding, the latter 0 at placeholders of media.
    positions: int64 [3, L], TMRoPE. text: float16 [n, E], the same sum for every token of the
    answer but its end. codes: int64 [m]. spoken: int64 [m + 1], the row of text that holds the word
    spoken at each code and at the stop; n, the row behind the text, in the silence at the end.
    """

    answer: str
    prompt: Tensor
    positions: Tensor
    text: Tensor
    codes: Tensor
    spoken: Tensor

    def cropped(self, rows: int) -> "Line":
        """With only the last rows of the prompt."""
        start = max(0, len(self.prompt) - rows)
        return replace(self, prompt=self.prompt[start:], positions=self.positions[:, start:])


@dataclass(frozen=True)
class EndRows:
    """Rows of the Thinker's embedding that speech needs. voices: [V, E]; eos, pad: [E]."""

    voices: Tensor
    eos: Tensor
    pad: Tensor


@dataclass(frozen=True)
class Batch:
    """Sequences padded on the right; T rows are the longest prompt, voice and codes.

    text: float32 [B, T, E]. codes: int64 [B, T], NO_CODE where none is added. positions: int64
    [3, B, T]. targets: int64 [B, T], NOT_SPOKEN or the code that follows. pointed: int64 [B, T],
    NOT_SPOKEN or the row that holds the word being spoken.
    """

    text: Tensor
    codes: Tensor
    positions: Tensor
    targets: Tensor
    pointed: Tensor


def batch(lines: Sequence[Line], voices: Sequence[int], ends: EndRows) -> Batch:
    """Teacher forcing of each line in a voice."""
    columns = [_columns(line, voice, ends) for line, voice in zip(lines, voices, strict=True)]
    text, codes, positions, targets, pointed = zip(*columns, strict=True)
    return Batch(
        padded(text),
        padded(codes, NO_CODE),
        padded(positions).permute(2, 0, 1),
        padded(targets, NOT_SPOKEN),
        padded(pointed, NOT_SPOKEN),
    )


def text_rows(line: Line, voice: int, steps: int, ends: EndRows) -> Tensor:
    """Prompt, voice, then one row for each of ``steps`` codes: float32 [L + 1 + steps, E]."""
    waiting = ends.pad.expand(max(0, steps - len(line.text) - 1), -1)
    rows = (line.prompt, ends.voices[voice][None], line.text, ends.eos[None], waiting)
    return torch.cat([part.float() for part in rows])[: len(line.prompt) + 1 + steps]


def row_positions(line: Line, steps: int) -> Tensor:
    """The prompt's, then one more for each row: int64 [3, L + 1 + steps]."""
    following = int(line.positions.max()) + 1 + torch.arange(1 + steps)
    return torch.cat([line.positions, following.expand(3, -1)], 1)


def _columns(line: Line, voice: int, ends: EndRows) -> tuple[Tensor, ...]:
    steps, silent = len(line.codes) + 1, len(line.prompt) + 1
    before = torch.full((silent + 1,), NO_CODE)
    before[-2:] = torch.tensor([CODEC_PAD, CODEC_BOS])
    nothing = torch.full((silent,), NOT_SPOKEN)
    pointed = silent + torch.minimum(line.spoken, torch.arange(steps))  # not ahead of its arrival
    return (
        text_rows(line, voice, steps, ends),
        torch.cat([before, line.codes]),
        row_positions(line, steps).T,
        torch.cat([nothing, line.codes, torch.tensor([CODEC_EOS])]),
        torch.cat([nothing, pointed]),
    )


def save(path: Path, lines: Sequence[Line], ends: EndRows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"lines": [vars(line) for line in lines], "ends": vars(ends)}, path)


def load(path: Path) -> tuple[list[Line], EndRows]:
    saved = torch.load(path)
    return [Line(**values) for values in saved["lines"]], EndRows(**saved["ends"])
