"""Philox4x32-10, a counter-based generator (Salmon et al. 2011, doi 10.1145/2063384.2063405).

The same (seed, stream, counter) gives the same number in every backend, whatever runs beside it.
"""

import math

import torch
from torch import Tensor

from omnirt.ops.state import FLOW

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def _mul(a: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of a * m, by 16-bit halves since int64 has no room for 64 unsigned."""
    low = (a & 0xFFFF) * m
    high = (a >> 16) * m + (low >> 16)
    return (high >> 16) & _MASK, ((high & 0xFFFF) << 16 | (low & 0xFFFF)) & _MASK


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], seed: int) -> tuple[Tensor, ...]:
    """Four random 32-bit words per counter. Words are int64 tensors of one shape, 0..2^32-1."""
    c0, c1, c2, c3 = counter
    k0, k1 = seed & _MASK, (seed >> 32) & _MASK
    for _ in range(_ROUNDS):
        high0, low0 = _mul(c0, _MULTIPLIERS[0])
        high1, low1 = _mul(c2, _MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


def unit(word: Tensor) -> Tensor:
    """A 32-bit word as a float32 in (0, 1), exactly: with one more bit it could round up to 1."""
    return ((word >> 9).double() + 0.5).mul(2.0**-23).float()


def philox_uniform(seed: int, stream: int, step: int, count: int) -> Tensor:
    """Uniform numbers of one sampling step, one per id. Returns float32 [count] in (0, 1)."""
    ids = torch.arange(count)
    same = torch.zeros_like(ids)
    return unit(philox((ids, same + step, same + stream, same), seed)[0])


def normal_rows(seed: int, start: int, frames: int, channels: int) -> Tensor:
    """Flow noise keyed by (seed, frame, channel), by Box-Muller: float32 [frames, channels].

    Frame ``start`` and on, so a window sees the same noise as the whole.
    """
    frame = torch.arange(start, start + frames)[:, None].expand(frames, channels)
    channel = torch.arange(channels).expand(frames, channels)
    zero = torch.zeros_like(frame)
    x0, x1, _, _ = philox((channel, frame, zero + FLOW, zero), seed)
    radius = (-2 * unit(x0).double().log()).sqrt()
    return (radius * (2 * math.pi * unit(x1).double()).cos()).float()
