"""Quantized weights: the integers, and the packed layout that every kernel reads.

A weight [N, K] has N outputs and K inputs; y = x weight^T. INT8 is symmetric, one float32 scale an
output: w = q * s, q in -127..127. INT4 has a float16 scale for each ``group`` of inputs, and
perhaps a zero-point: w = (q - z) * s, q and z in 0..15, z = 8 where there are none.

Packed, 16 outputs make a panel; N is padded to a multiple of 16 outputs, K to one of 32 inputs,
with zeros. The panels follow each other; each is a run of chunks of 64 bytes, in the order of K:

    INT8 chunk: 16 outputs x 4 inputs                 data: uint8 [ceil(N/16), K/4, 64]
        byte   0    1    2    3    4    5    6    7   ...  60 .. 63
        holds  n0k0 n0k1 n0k2 n0k3 n1k0 n1k1 n1k2 n1k3 ... n15k0 .. n15k3

    INT4 chunk: 16 outputs x 8 inputs                 data: uint8 [ceil(N/16), K/8, 64]
        byte   0    1    2    3    4    5    6    7   ...  60 .. 63
        low    n0k0 n0k1 n0k2 n0k3 n1k0 n1k1 n1k2 n1k3 ... n15k0 .. n15k3
        high   n0k4 n0k5 n0k6 n0k7 n1k4 n1k5 n1k6 n1k7 ... n15k4 .. n15k7

    scales: INT8 float32 [ceil(N/16), 1, 16], INT4 float16 [ceil(N/16), ceil(K/group), 16]
    zeros:  uint8 [ceil(N/16), ceil(K/group), 8], byte i: low nibble output i, high output i + 8

A CPU thread reads whole panels, so one stream, in order, at any vector width up to 64 bytes, and
needs no sum across lanes: a 32-bit lane is one output, and four activations are repeated in all
lanes. A GPU's tile of outputs and inputs is as well a set of runs of 64 bytes, and the four
neighbouring inputs in a 32-bit word are what its integer dot products and the operands of its 8-bit
matrix instructions hold in one register.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

PANEL = 16  # outputs
STEP = 32  # inputs; K is padded to a multiple
QUAD = 4  # inputs in one 32-bit word of a chunk
MIDDLE = 8  # what stands for 0 in an INT4 weight without zero-points


@dataclass(frozen=True)
class Format:
    """bits: 8 or 4. group: inputs that share a scale, None for all. zero_point: of each group."""

    bits: int
    group: int | None = None
    zero_point: bool = False

    def groups(self, inputs: int) -> int:
        return 1 if self.group is None else -(-inputs // self.group)


FORMATS = {
    "int8": Format(8),
    "int4": Format(4, 128),
    "int4-zero": Format(4, 128, zero_point=True),
    "int4-32": Format(4, 32),
    "int4-32-zero": Format(4, 32, zero_point=True),
}


@dataclass(frozen=True)
class Integers:
    """A quantized weight [N, K] in rows.

    values: int8 (INT8) or uint8 (INT4) [N, K]; scales: float32 (INT8) or float16 [N, groups];
    zeros: uint8 [N, groups] where the format has zero-points.
    """

    format: Format
    values: Tensor
    scales: Tensor
    zeros: Tensor | None = None

    def dequantize(self) -> Tensor:  # float32 [N, K]
        zeros = MIDDLE if self.zeros is None else self._spread(self.zeros.float())
        steps = self.values.float() - (zeros if self.format.bits == 4 else 0)
        return steps * self._spread(self.scales.float())

    def _spread(self, groups: Tensor) -> Tensor:  # [N, groups] -> [N, K]
        inputs = self.values.shape[1]
        return groups.repeat_interleave(self.format.group or inputs, 1)[:, :inputs]


@dataclass(frozen=True)
class Quantized:
    """A quantized weight of ``shape`` [N, K] as kernels read it; the module draws the layout."""

    format: Format
    shape: tuple[int, int]
    data: Tensor
    scales: Tensor
    zeros: Tensor | None = None

    @property
    def group(self) -> int:
        """Inputs that share a scale, as a number."""
        return self.format.group or -(-self.shape[1] // STEP) * STEP

    @property
    def bits(self) -> int:
        return self.format.bits

    def dequantize(self) -> Tensor:  # float32 [N, K]
        return unpack(self).dequantize()

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in (self.data, self.scales, self.zeros) if t is not None)


def parts(format: Format, shape: tuple[int, int]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and dtype of each tensor of a packed weight: data, scales, perhaps zeros."""
    panels, steps = -(-shape[0] // PANEL), -(-shape[1] // STEP)
    groups = format.groups(shape[1])
    found = {
        "data": ((panels, steps * STEP * format.bits // 32, 4 * PANEL), torch.uint8),
        "scales": ((panels, groups, PANEL), torch.float32 if format.bits == 8 else torch.float16),
    }
    if format.zero_point:
        found["zeros"] = ((panels, groups, PANEL // 2), torch.uint8)
    return found


def empty(format: Format, shape: tuple[int, int]) -> Quantized:
    """Room for a packed weight, not yet filled."""
    tensors = {n: torch.empty(size, dtype=d) for n, (size, d) in parts(format, shape).items()}
    return Quantized(format, shape, **tensors)


def pack(weight: Integers) -> Quantized:
    """Into panels."""
    n, k = weight.values.shape
    values = F.pad(weight.values.view(torch.uint8), (0, -k % STEP, 0, -n % PANEL))
    words = values.unflatten(0, (-1, PANEL)).unflatten(2, (-1, QUAD)).transpose(1, 2)
    if weight.format.bits == 4:  # [panels, K/4, 16, 4]
        words = words[:, ::2] | words[:, 1::2] << 4
    data = words.flatten(2).contiguous()
    return with_groups(weight.format, (n, k), data, weight.scales, weight.zeros)


def with_groups(
    format: Format, shape: tuple[int, int], data: Tensor, scales: Tensor, zeros: Tensor | None
) -> Quantized:
    """A weight whose data is in panels already. scales, zeros: in rows, as of ``Integers``."""
    if zeros is not None:
        half = _panels(zeros).unflatten(2, (2, PANEL // 2))
        zeros = (half[:, :, 0] | half[:, :, 1] << 4).contiguous()
    return Quantized(format, shape, data, _panels(scales), zeros)


def unpack(weight: Quantized) -> Integers:
    """Back into rows."""
    n, k = weight.shape
    words = weight.data.unflatten(2, (PANEL, QUAD))  # [panels, chunks, 16, 4]
    if weight.bits == 4:
        words = torch.stack((words & 15, words >> 4), 2).flatten(1, 2)
    values = words.transpose(1, 2).flatten(2).flatten(0, 1)[:n, :k].contiguous()
    zeros = None
    if weight.zeros is not None:
        zeros = _rows(torch.cat((weight.zeros & 15, weight.zeros >> 4), 2), n)
    values = values.view(torch.int8) if weight.bits == 8 else values
    return Integers(weight.format, values, _rows(weight.scales, n), zeros)


def _panels(rows: Tensor) -> Tensor:  # [N, groups] -> [panels, groups, 16]
    padded = F.pad(rows, (0, 0, 0, -rows.shape[0] % PANEL))
    return padded.unflatten(0, (-1, PANEL)).transpose(1, 2).contiguous()


def _rows(panels: Tensor, n: int) -> Tensor:  # [panels, groups, 16] -> [N, groups]
    return panels.transpose(1, 2).flatten(0, 1)[:n].contiguous()
