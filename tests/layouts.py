"""GPTQ's and AWQ's files written and read number by number, straight from the layouts."""

import numpy as np
import torch
from torch import Tensor

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # output in each nibble of a word, lowest first


def random_weight(n: int, k: int, group: int, symmetric: bool, seed: int = 0):
    """q uint8 [N, K], z uint8 [N, groups], s float16 [N, groups]."""
    rng, groups = np.random.default_rng(seed), -(-k // group)
    q = rng.integers(0, 16, (n, k), dtype=np.uint8)
    z = rng.integers(0, 16, (n, groups), dtype=np.uint8)
    s = rng.uniform(0.01, 0.1, (n, groups)).astype(np.float16)
    return q, np.full_like(z, 8) if symmetric else z, s


def dequantized(q: np.ndarray, z: np.ndarray, s: np.ndarray, group: int) -> Tensor:
    """(q - z) * s in float64, element by element, as float32 [N, K]."""
    out = np.empty(q.shape)
    for n, k in np.ndindex(q.shape):
        out[n, k] = (int(q[n, k]) - int(z[n, k // group])) * float(s[n, k // group])
    return torch.from_numpy(out).float()


def gptq_file(q, z, s, group: int, v2: bool = False) -> dict[str, Tensor]:
    """What "X.qweight" and the others hold; z - 1 is stored modulo 16 unless v2."""
    n, k = q.shape
    words = [[_word(q[o, i : i + 8]) for o in range(n)] for i in range(0, k, 8)]
    kept = z if v2 else (z.astype(int) - 1) % 16
    zeros = [[_word(kept[o : o + 8, g]) for o in range(0, n, 8)] for g in range(z.shape[1])]
    return {
        "qweight": _tensor(words),
        "qzeros": _tensor(zeros),
        "scales": torch.from_numpy(s.T.copy()),
        "g_idx": torch.tensor([i // group for i in range(k)], dtype=torch.int32),
    }


def awq_file(q, z, s) -> dict[str, Tensor]:
    """What "X.qweight" and the others hold."""
    return {
        "qweight": _tensor(_awq_words(q)),
        "qzeros": _tensor(_awq_words(z)),
        "scales": torch.from_numpy(s.T.copy()),
    }


def _awq_words(rows: np.ndarray) -> list[list[int]]:
    n, k = rows.shape
    return [[_word([rows[o + i, c] for i in AWQ_ORDER]) for o in range(0, n, 8)] for c in range(k)]


def _word(nibbles) -> int:
    return sum(int(nibble) << 4 * i for i, nibble in enumerate(nibbles))


def _tensor(words: list[list[int]]) -> Tensor:
    return torch.from_numpy(np.array(words, np.uint32).view(np.int32))
