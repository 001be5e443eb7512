"""Products with a stored weight: C++, or torch where its float32 product is the faster one."""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt import _core
from omnirt.formats import Quantized

from ._dense import dense

_FEW_ROWS = 8  # up to here reading the weight is the cost, and the C++ kernel reads it fastest


def linear(x: Tensor, weight: Tensor | Quantized, bias: Tensor | None = None) -> Tensor:
    """x: float32 [..., K]; weight: [N, K]; bias: [N] or None. Returns float32 [..., N]."""
    x = dense(x)
    rows = x.numel() // max(1, x.shape[-1])
    out = torch.empty(*x.shape[:-1], weight.shape[0])
    if isinstance(weight, Quantized):
        scratch = torch.empty(rows, _core.rounded_bytes(x.shape[-1]), dtype=torch.uint8)
        _core.quant_linear(x, weight, bias, scratch, out)
    elif weight.dtype == torch.float32 and rows > _FEW_ROWS and not _core.Plan.is_recording():
        return F.linear(x, weight, None if bias is None else bias.float())
    else:
        _core.linear(x, weight, bias, out)
    return out
