"""Rounding to nearest: what needs no calibration, and what the other methods round with."""

from torch import Tensor

from omnirt import ops
from omnirt.formats import Format, Integers, unpack


def rtn(weight: Tensor, format: Format) -> Integers:
    """weight: float32 or bfloat16 [N, K]. Scales as ``ops.quantize`` chooses them."""
    return unpack(ops.quantize(weight, format))
