"""Normalisations, in float32."""

import torch
from torch import Tensor
from torch.nn import functional as F


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """y = x / sqrt(mean(x^2) + eps) * weight over the last axis (arXiv 1910.07467).

    x: float32 [..., D]; weight: float32 or bfloat16 [D]. Returns float32 [..., D].
    """
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight.float()


def add_rms_norm(x: Tensor, delta: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Residual add, then norm: returns (x + delta, rms_norm(x + delta)), both float32 [..., D]."""
    total = x.float() + delta.float()
    return total, rms_norm(total, weight, eps)


def layer_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Layer normalisation over the last axis (arXiv 1607.06450); weight and bias may be None.

    x: float32 [..., D]; weight, bias: float32 or bfloat16 [D]. Returns float32 [..., D].
    """
    weight = None if weight is None else weight.float()
    bias = None if bias is None else bias.float()
    return F.layer_norm(x.float(), x.shape[-1:], weight, bias, eps)
