"""Weights laid out ahead for products with many rows: the layout that the CPU kernels read.

A weight [N, K] is cut into panels of 16 outputs, so that a kernel reads it from the first byte to
the last, the same on every instruction set. d is 1, 2 in bfloat16, 4 in int8; zeros fill what N
lacks, and what K lacks of whole lines of 64 bytes (not in float32):

    panel 0: outputs 0..15                                        panel 1: outputs 16..31
    | k 0..d-1                 | k d..2d-1                | ... | | k 0..d-1 ...
    | n0: d numbers n1 ... n15 | n0: d numbers n1 ... n15 | ... | | n16: d numbers n17 ...

int8 is symmetric per output channel. Kernels multiply it with activations of 8 bits without sign
and sum four products, those of inputs k, k + 1, k + 4 and k + 5 of every eight, in 16 bits. The
scale of a channel is the smallest at which no such sum can overflow: weights of one sign in a group
of four add up to at most 128, and 128 * 255 < 2^15. So products are exact, and a fifth faster than
with sums of two; on normal numbers with K = 1024 a product's relative error is 1.6 %, where full
8-bit weights would give 1.1 %.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.errors import InputError

PANEL = 16  # outputs of a panel
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}
_DEPTHS = {"float32": 1, "bfloat16": 2, "int8": 4}  # neighbouring inputs of an output: d
_LINES = {"float32": 1, "bfloat16": 32, "int8": 64}  # inputs that K is filled up to a multiple of
_LIMIT = 126  # sum of a group's weights of one sign before each is rounded, by up to 1/2


@dataclass(frozen=True)
class Packed:
    """A weight [n, k] in panels, see the module.

    data: [panels, K / d, 16, d] of the precision's dtype; scale: float32 [n] and sums: int32 [n],
    what an int8 channel's numbers are multiplied with and add up to, else None.
    """

    data: Tensor
    n: int
    k: int
    precision: str
    scale: Tensor | None = None
    sums: Tensor | None = None

    def stored(self) -> Tensor:
        """The numbers as they are stored, [n, k]."""
        return self.data.transpose(1, 2).flatten(2).flatten(0, 1)[: self.n, : self.k]

    def dense(self) -> Tensor:
        """The weight that products are taken with, float32 [n, k]."""
        numbers = self.stored().float()
        return numbers if self.scale is None else numbers * self.scale[:, None]


def pack(weight: Tensor, precision: str) -> Packed:
    """Lay out a weight, float32 or bfloat16 [N, K], as "float32", "bfloat16" or "int8".

    Raises InputError for another precision.
    """
    if precision not in _DTYPES:
        raise InputError(f"precision={precision!r}: use one of {', '.join(_DTYPES)}")
    n, k = weight.shape
    weight = F.pad(weight, (0, -k % _LINES[precision]))
    if precision != "int8":
        return Packed(_panels(weight.to(_DTYPES[precision]), _DEPTHS[precision]), n, k, precision)
    weight = weight.float()
    scale = _scale(weight)
    numbers = (weight / scale[:, None]).round_().to(torch.int8)
    sums = numbers.sum(-1, dtype=torch.int32)
    return Packed(_panels(numbers, _DEPTHS[precision]), n, k, precision, scale, sums)


def _scale(weight: Tensor) -> Tensor:
    """The smallest step of each channel at which its sums fit, [N, K] -> [N]; see the module."""
    groups = weight.unflatten(-1, (-1, 2, 2, 2))  # k = 8 a + 4 b + 2 c + d: (a, c) is a group
    sums = (groups.clamp(min=0).sum((2, 4)), groups.clamp(max=0).sum((2, 4)).neg())
    largest = torch.stack([x.flatten(1).amax(-1) for x in (*sums, weight.abs() * (_LIMIT / 127))])
    scale = largest.amax(0) / _LIMIT
    return torch.where(scale > 0, scale, 1)


def _panels(weight: Tensor, depth: int) -> Tensor:
    """[N, K] -> [panels, K / depth, 16, depth]; K is a multiple of depth already."""
    weight = F.pad(weight, (0, 0, 0, -weight.shape[0] % PANEL))
    return weight.view(-1, PANEL, weight.shape[1] // depth, depth).transpose(1, 2).contiguous()
