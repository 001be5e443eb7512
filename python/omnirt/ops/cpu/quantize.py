"""Rounding a weight to integers by the C++ kernel."""

from torch import Tensor

from omnirt import _core
from omnirt.formats import Format, Quantized, empty


def quantize(weight: Tensor, format: Format) -> Quantized:
    """weight: float32 or bfloat16 [N, K]."""
    out = empty(format, tuple(weight.shape))
    _core.use_huge_pages(out.data)
    _core.quantize(weight.contiguous(), out)
    return out
