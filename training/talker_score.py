"""What the Talker says by itself, heard from its codes alone."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from omnirt.evaluation.measures import word_error_rate

from .codec import centroid_mel
from .config import VOICES
from .recogniser import Recogniser
from .speaking import GREEDY, Choice, speak
from .states import EndRows, Line

MOST = 200  # codes; no answer is that long
_TOGETHER = 50
_NEAR = 0.3  # of the right length
_WAYS = {"greedy": GREEDY, "released sampling": Choice()}
_log = logging.getLogger(__name__)


def score(
    model: torch.nn.Module, lines: Sequence[Line], ends: EndRows, out: Path
) -> dict[str, dict[str, float]]:
    """Word error rate, share of stops and of lengths within 30 %, for each voice and way."""
    recogniser, figures = Recogniser.load(out / "recogniser"), {}
    for way, choice in _WAYS.items():
        for voice, name in enumerate(VOICES):
            said: list[list[int]] = []
            for start in range(0, len(lines), _TOGETHER):
                part = lines[start : start + _TOGETHER]
                said += speak(model, part, [voice] * len(part), ends, choice, MOST, seed=start)
            heard = [_hear(recogniser, out / "codec", torch.tensor(c), voice) for c in said]
            figures[f"{name}, {way}"] = _figures(lines, said, heard)
            _log.info("%s, %s: %s", name, way, figures[f"{name}, {way}"])
    return figures


def _hear(recogniser: Recogniser, codec: Path, codes: Tensor, voice: int) -> str:
    if len(codes) < 2:
        return ""
    return recogniser.hear_mel(centroid_mel(codec, codes.clamp(1, 1024), voice))


def _figures(
    lines: Sequence[Line], said: Sequence[list[int]], heard: Sequence[str]
) -> dict[str, float]:
    pairs = [(line.answer, words) for line, words in zip(lines, heard, strict=True)]
    for answer, words in pairs:
        if answer != words:
            _log.debug("%s -> %s", answer, words)
    ratios = [len(codes) / len(line.codes) for line, codes in zip(lines, said, strict=True)]
    return {
        "word error rate": round(word_error_rate(pairs), 4),
        "sentences right": round(float(np.mean([a == b for a, b in pairs])), 4),
        "stops": round(float(np.mean([len(codes) < MOST for codes in said])), 4),
        "length within 30 %": round(float(np.mean([abs(r - 1) < _NEAR for r in ratios])), 4),
    }
