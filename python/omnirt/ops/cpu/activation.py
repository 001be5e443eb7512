"""Activations by the C++ kernels."""

import torch
from torch import Tensor

from omnirt import _core

from ._dense import dense


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """gate, up: float32 [..., D]. Returns float32 [..., D]."""
    gate, up = dense(gate), dense(up)
    out = torch.empty_like(gate)
    _core.silu_mul(gate, up, out)
    return out


def gelu(x: Tensor, tanh: bool = False) -> Tensor:
    """x: float32 [..., D]. Returns float32 [..., D]."""
    x = dense(x)
    out = torch.empty_like(x)
    _core.gelu(x, tanh, out)
    return out
