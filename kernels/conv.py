"""Convolutions over time as products of matrices: serves ops/reference/conv.py.

The channels and taps that an output sums are one axis, in the order of the stored weight; what the
signal has there is gathered while it is loaded, so nothing is unfolded in memory (implicit GEMM;
Chetlur et al., arXiv 1410.0759).
"""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .checks import check_products, check_shape, type_of_products

TILE_OUTPUTS, TILE_TIMES, DEPTH, WARPS, STAGES = 64, 64, 32, 4, 3
GENERIC = ("length", "times")  # of any clip of sound


@triton.jit
def _conv1d_kernel(
    x_ptr, weight_ptr, bias_ptr, out_ptr, channels, length, outputs, times,
    stride, padding, dilation, TAPS: tl.constexpr, PRECISION: tl.constexpr,
    TILE_OUTPUTS: tl.constexpr, TILE_TIMES: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """out[o, t] = bias[o] + sum_ck weight[o, c, k] x[c, t * stride + k * dilation - padding]."""
    time = tl.program_id(0) * TILE_TIMES + tl.arange(0, TILE_TIMES)
    output = tl.program_id(1) * TILE_OUTPUTS + tl.arange(0, TILE_OUTPUTS)
    x_ptr += tl.program_id(2).to(tl.int64) * channels * length
    weight_ptr += output[:, None] * (channels * TAPS)
    total = tl.zeros((TILE_OUTPUTS, TILE_TIMES), tl.float32)
    for start in range(0, channels * TAPS, DEPTH):
        at = start + tl.arange(0, DEPTH)
        live = at < channels * TAPS
        source = time[None, :] * stride + (at % TAPS * dilation - padding)[:, None]
        x = tl.load(
            x_ptr + (at // TAPS * length)[:, None] + source,
            live[:, None] & (source >= 0) & (source < length),
            0.0,
        )
        weight = tl.load(weight_ptr + at[None, :], (output < outputs)[:, None] & live[None, :], 0.0)
        x = x.to(weight_ptr.dtype.element_ty)
        total = tl.dot(weight, x, total, input_precision=PRECISION)
    if bias_ptr is not None:
        total += tl.load(bias_ptr + output, output < outputs, 0.0).to(tl.float32)[:, None]
    out_ptr += tl.program_id(2).to(tl.int64) * outputs * times
    inside = (output < outputs)[:, None] & (time < times)[None, :]
    tl.store(out_ptr + output[:, None] * times + time[None, :], total, inside)


def conv1d(
    x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor, stride: int = 1, padding: int = 0,
    dilation: int = 1, precision: str = "tf32x3",
) -> Call:  # fmt: skip
    """x: [B, C, T], rounded to the weight's dtype; weight: [O, C, K]; bias: float [O]; out:
    [B, O, (T + 2*padding - dilation*(K-1) - 1) // stride + 1]. All float32 or bfloat16.

    precision: of products of float32, see tl.dot. Raises ValueError.
    """
    name, (batch, channels, length), (outputs, _, taps) = "conv1d", x.shape, weight.shape
    if min(stride, dilation) < 1 or padding < 0:
        raise ValueError(f"{name}: stride={stride}, padding={padding}, dilation={dilation}")
    times = (length + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
    check_shape(name, "x", x, batch, channels, length)
    check_shape(name, "weight", weight, outputs, channels, taps)
    check_shape(name, "out", out, batch, outputs, times)
    if bias is not None:
        check_shape(name, "bias", bias, outputs)
    check_products(name, x=x, weight=weight, out=out)
    args = dict(x_ptr=x, weight_ptr=weight, bias_ptr=bias, out_ptr=out, channels=channels)
    args |= dict(length=length, outputs=outputs, times=times, stride=stride, padding=padding)
    args |= dict(dilation=dilation, TAPS=taps, PRECISION=precision)
    args |= dict(TILE_OUTPUTS=TILE_OUTPUTS, TILE_TIMES=TILE_TIMES, DEPTH=DEPTH)
    grid = (triton.cdiv(times, TILE_TIMES), triton.cdiv(outputs, TILE_OUTPUTS), batch)
    work = Work(
        flops=2 * batch * times * weight.numel(),
        in_flight=(STAGES - 1) * DEPTH * (TILE_TIMES * x.itemsize + TILE_OUTPUTS * weight.itemsize),
        type=type_of_products(weight.dtype, precision),
    )
    return Call(_conv1d_kernel, grid, args, WARPS, STAGES, work, GENERIC)
