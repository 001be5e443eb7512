"""How far two models' ids, distributions, words and sounds are from each other."""

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
FFT, HOP, MELS, RATE = 1024, 240, 80, 24_000
FLOOR = 1e-5  # of an amplitude, as in the released log-mel


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Ids before the first that differs."""
    pairs = zip(a, b, strict=False)
    return next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


def matches(a: Sequence[int], b: Sequence[int]) -> int:
    """Places with equal ids."""
    return sum(x == y for x, y in zip(a, b, strict=False))


def divergence(full: Tensor, other: Tensor) -> Tensor:
    """KL(full || other) in nats of the distributions that logits [T, V] stand for. Returns [T]."""
    p, q = full.double().log_softmax(-1), other.double().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).clamp(min=0)


def words(text: str) -> list[str]:
    """Lower case, without punctuation other than apostrophes inside of words."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace(_APOSTROPHE, "'"))


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Fewest words to replace, insert and delete in ``heard`` (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def word_error_rate(pairs: Iterable[tuple[str, str]]) -> float:
    """Edits over words of (transcript, hypothesis) pairs, all together."""
    split = [(words(said), words(heard)) for said, heard in pairs]
    return sum(edits(*pair) for pair in split) / max(sum(len(said) for said, _ in split), 1)


def log_mel(wave: np.ndarray) -> Tensor:
    """float32 [n] at RATE -> dB [frames, MELS]."""
    window = torch.hann_window(FFT)
    spectrum = torch.stft(torch.from_numpy(wave), FFT, HOP, window=window, return_complex=True)
    return 20 * (spectrum.abs().T @ _filters()).clamp(min=FLOOR).log10()


def log_mel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square of the difference of two sounds of one length, dB."""
    return float((log_mel(a) - log_mel(b)).square().mean().sqrt())


def _filters() -> Tensor:
    """Triangles, even on the mel scale 2595 log10(1 + f / 700). [FFT / 2 + 1, MELS]."""
    edges = torch.linspace(0, 2595 * math.log10(1 + RATE / 2 / 700), MELS + 2)
    edges = 700 * (10 ** (edges / 2595) - 1)
    f = torch.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
    rising = (f - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - f) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)
