"""Rotary position embeddings by the C++ kernels."""

import torch
from torch import Tensor

from omnirt import _core

from ._dense import dense


def rope_angles(
    positions: Tensor, inv_freq: Tensor, section: tuple[int, ...] | None = None
) -> tuple[Tensor, Tensor]:
    """positions: int64 [axes, T]; inv_freq: float32 [F]. Returns cos, sin: float32 [T, F]."""
    count = inv_freq.shape[0]
    sizes = torch.tensor([count] if section is None else section)
    axis = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    cos, sin = (torch.empty(positions.shape[1], count) for _ in range(2))
    _core.rope_angles(positions.contiguous(), inv_freq, axis, cos, sin)
    return cos, sin


def state_rope_angles(states: Tensor, inv_freq: Tensor) -> tuple[Tensor, Tensor]:
    """states: int32 [B, 16]; inv_freq: float32 [F]. Returns cos, sin: float32 [B, F]."""
    cos, sin = (torch.empty(states.shape[0], inv_freq.shape[0]) for _ in range(2))
    _core.state_rope_angles(states, inv_freq, cos, sin)
    return cos, sin


def rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x: float32 [T, H, D]; cos, sin: float32 [T, D/2]. Returns float32 [T, H, D]."""
    x = dense(x)
    out = torch.empty_like(x)
    _core.rope(x, dense(cos), dense(sin), out)
    return out


def rope_append(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cos: Tensor,
    sin: Tensor,
    states: Tensor,
    tables: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
) -> Tensor:
    """q: float32 [B, H, D]; k, v: [B, Hkv, D]; the cache gains one row. Returns the rotated q."""
    q = dense(q)
    out = torch.empty_like(q)
    _core.rope_append(q, dense(k), dense(v), cos, sin, states, tables, k_pages, v_pages, out)
    return out
