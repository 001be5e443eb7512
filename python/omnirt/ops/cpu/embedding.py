"""Table lookups by the C++ kernels."""

import torch
from torch import Tensor

from omnirt import _core
from omnirt.formats import Quantized

from ._dense import dense


def embed(ids: Tensor, table: Tensor | Quantized) -> Tensor:
    """ids: int64 [T]; table: [V, E]. Returns float32 [T, E]."""
    out = torch.empty(ids.shape[0], table.shape[1])
    _core.embed(ids, table, out)
    return out


def state_embed(states: Tensor, table: Tensor | Quantized) -> Tensor:
    """states: int32 [B, 16]; table: [V, E]. Returns float32 [B, E]."""
    out = torch.empty(states.shape[0], table.shape[1])
    _core.state_embed(states, table, out)
    return out


def talker_input(
    states: Tensor,
    codec_table: Tensor | Quantized,
    ring: Tensor,
    eos_row: Tensor,
    pad_row: Tensor,
) -> Tensor:
    """codec_table: [V, E]; ring: float32 [slots, R, E]; rows: [E]. Returns float32 [B, E]."""
    out = torch.empty(states.shape[0], codec_table.shape[1])
    _core.talker_input(states, codec_table, ring, eos_row, pad_row, out)
    return out


def ring_append(states: Tensor, h: Tensor, e: Tensor, ring: Tensor) -> None:
    """h, e: float32 [B, E]; ring: float32 [slots, R, E], one row per sequence written."""
    _core.ring_append(states, dense(h), dense(e), ring)
