"""SwiGLU's product (arXiv 2002.05202) and GELU (arXiv 1606.08415)."""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call
from .common import same_shape

BLOCK = 1024
SQRT_HALF = tl.constexpr(0.5**0.5)


@triton.jit
def _silu_mul_kernel(
    gate_ptr, up_ptr, out_ptr, columns, gate_stride, up_stride, BLOCK: tl.constexpr
):
    """out = gate / (1 + exp(-gate)) * up. One program a block of a row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < columns
    gate = tl.load(gate_ptr + row * gate_stride + at, inside, 0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + at, inside, 0.0).to(tl.float32)
    tl.store(out_ptr + row * columns + at, gate * tl.sigmoid(gate) * up, inside)


@triton.jit
def _gelu_kernel(x_ptr, out_ptr, count, BLOCK: tl.constexpr):
    """out = x / 2 * (1 + erf(x / sqrt(2)))."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    x = tl.load(x_ptr + at, inside, 0.0).to(tl.float32)
    tl.store(out_ptr + at, 0.5 * x * (1 + tl.erf(x * SQRT_HALF)), inside)


def silu_mul(gate: Tensor, up: Tensor, out: Tensor) -> Call:
    """out = silu(gate) * up. float [T, D] each; rows of gate and up may be those of a wider matrix.

    Raises ValueError.
    """
    for name, x in (("gate", gate), ("up", up)):
        if x.shape != out.shape or x.ndim != 2 or x.stride(1) != 1:
            raise ValueError(
                f"silu_mul: {name} is {list(x.shape)}, must be {list(out.shape)} with dense rows"
            )
    same_shape("silu_mul", out=out)
    rows, columns = out.shape
    args = dict(gate_ptr=gate, up_ptr=up, out_ptr=out, columns=columns)
    args |= dict(gate_stride=gate.stride(0), up_stride=up.stride(0), BLOCK=BLOCK)
    return Call(_silu_mul_kernel, (rows, triton.cdiv(columns, BLOCK)), args)


def gelu(x: Tensor, out: Tensor) -> Call:
    """out = gelu(x), exact with erf. float, one dense shape. Raises ValueError."""
    same_shape("gelu", x=x, out=out)
    args = dict(x_ptr=x, out_ptr=out, count=x.numel(), BLOCK=BLOCK)
    return Call(_gelu_kernel, (triton.cdiv(x.numel(), BLOCK),), args)
