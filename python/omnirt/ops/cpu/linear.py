"""Products with a stored weight."""

import torch
from torch import Tensor

from omnirt import _core
from omnirt.formats import Quantized

from ._dense import dense


def linear(x: Tensor, weight: Tensor | Quantized, bias: Tensor | None = None) -> Tensor:
    """x: float32 [..., K]; weight: [N, K]; bias: [N] or None. Returns float32 [..., N]."""
    x = dense(x)
    out = torch.empty(*x.shape[:-1], weight.shape[0])
    if isinstance(weight, Quantized):
        rows = x.numel() // max(1, x.shape[-1])
        scratch = torch.empty(rows, _core.rounded_bytes(x.shape[-1]), dtype=torch.uint8)
        _core.quant_linear(x, weight, bias, scratch, out)
    else:
        _core.linear(x, weight, bias, out)
    return out
