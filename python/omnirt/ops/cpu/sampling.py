"""Picking the next id by the C++ kernel."""

import torch
from torch import Tensor

from omnirt import _core

from ._dense import dense


def sample(states: Tensor, logits: Tensor, seen: Tensor, suppress: Tensor, stream: int) -> None:
    """states: int32 [B, 16], advanced; logits: float32 [B, V]; seen: uint8 [slots, V]."""
    work = torch.empty_like(logits, dtype=torch.float32)
    order = torch.empty_like(logits, dtype=torch.int32)
    _core.sample(states, dense(logits), seen, suppress, stream, work, order)
