"""Rotary position embeddings, with the three axes of TMRoPE (arXiv 2503.20215)."""

import torch
from torch import Tensor

from omnirt.kv_rows import encode
from omnirt.ops.state import KV_LEN, POSITION, SLOT


def rope_angles(
    positions: Tensor, inv_freq: Tensor, section: tuple[int, ...] | None = None
) -> tuple[Tensor, Tensor]:
    """cos and sin of every position's angles, float32 [T, D/2] each.

    positions: int64 [axes, T]; inv_freq: float32 [D/2]. ``section`` says how many frequencies
    follow each axis (time, height, width); without it all follow the first.
    """
    angles = positions.float()[:, :, None] * inv_freq  # [axes, T, D/2]
    if section is None:
        chosen = angles[0]
    else:
        chosen = torch.cat([a[axis] for axis, a in enumerate(angles.split(section, -1))], -1)
    return chosen.cos(), chosen.sin()


def state_rope_angles(states: Tensor, inv_freq: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin of each state's position (all axes are equal while decoding), [B, D/2] each."""
    return rope_angles(states[None, :, POSITION], inv_freq)


def rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate halves: (a, b) -> (a cos - b sin, b cos + a sin). x: [T, H, D]; cos, sin: [T, D/2]."""
    a, b = x.float().chunk(2, -1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


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
    """Rotate q and k of one decode step and append k, v to the paged cache.

    q: float32 [B, H, D]; k, v: [B, Hkv, D]; cos, sin: [B, D/2]; tables: int32 [slots, pages];
    k_pages, v_pages: [P, Hkv, page, R] (see ``kv_write``). Returns the rotated q.
    """
    k = rope(k, cos, sin)
    size = k_pages.shape[2]
    for b, state in enumerate(states.tolist()):
        page, offset = tables[state[SLOT], state[KV_LEN] // size], state[KV_LEN] % size
        k_pages[page, :, offset] = encode(k[b], k_pages.dtype)
        v_pages[page, :, offset] = encode(v[b], v_pages.dtype)
    return rope(q, cos, sin)
