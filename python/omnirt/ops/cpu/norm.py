"""Normalisations by the C++ kernels."""

import torch
from torch import Tensor

from omnirt import _core

from ._dense import dense


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x: float32 [..., D]; weight: [D]. Returns float32 [..., D]."""
    x = dense(x)
    out = torch.empty_like(x)
    _core.rms_norm(x, weight, eps, out)
    return out


def add_rms_norm(x: Tensor, delta: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x, delta: float32 [..., D]; weight: [D]. Returns the sum and its norm."""
    x, delta = dense(x), dense(delta)
    total, out = torch.empty_like(x), torch.empty_like(x)
    _core.add_rms_norm(x, delta, weight, eps, total, out)
    return total, out


def layer_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """x: float32 [..., D]; weight, bias: [D] or None. Returns float32 [..., D]."""
    x = dense(x)
    out = torch.empty_like(x)
    _core.layer_norm(x, weight, bias, eps, out)
    return out
