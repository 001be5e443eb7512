"""The vocoder's convolutions as products of matrices: serves ops/reference/vocoder.py.

A tile of rows of the signal is multiplied with the weight of one tap after the other, each time
moved by the tap's distance: nothing is unfolded in memory (implicit GEMM; Chetlur et al., arXiv
1410.0759).
"""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .checks import check_products, check_shape, check_span, type_of_products

MAX_LANES = 16  # numbers of a row known to be aligned
TILE_ROWS, MAX_TILE_OUTPUTS, DEPTH_BYTES = 64, 64, 128
WARPS, STAGES = 4, 3
GENERIC = ("span_ptr",)  # spans lie behind each other, every other one aligned


@triton.jit
def tap_product(
    x_ptr, weight_ptr, source, rows, c, channels, tap, output, outputs, total,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """total plus rows ``source`` of x, zeros outside, times one tap of the weight; channels c."""
    inside = (source >= 0) & (source < rows)
    x = tl.load(
        x_ptr + source[:, None] * channels + c[None, :],
        inside[:, None] & (c < channels)[None, :],
        0.0,
    )
    weight = tl.load(
        weight_ptr + (tap * outputs + output)[:, None] * channels + c[None, :],
        (output < outputs)[:, None] & (c < channels)[None, :],
        0.0,
    )
    x = x.to(weight_ptr.dtype.element_ty)
    return tl.dot(x, tl.trans(weight), total, input_precision=PRECISION)


@triton.jit
def _vocoder_conv_kernel(
    span_ptr, x_ptr, weight_ptr, bias_ptr, out_ptr, channels, outputs, taps, dilation,
    ADD: tl.constexpr, LANES: tl.constexpr, PRECISION: tl.constexpr,
    TILE_ROWS: tl.constexpr, TILE_OUTPUTS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """out[t] (+)= bias + sum_k weight[k] x[t + (k - taps // 2) * dilation]."""
    rows, first = tl.load(span_ptr + 1), tl.program_id(0) * TILE_ROWS
    if first >= rows:
        return
    channels = tl.multiple_of(channels, LANES)
    x_ptr += tl.load(span_ptr) * channels
    row = first + tl.arange(0, TILE_ROWS)
    output = tl.program_id(1) * TILE_OUTPUTS + tl.arange(0, TILE_OUTPUTS)
    total = tl.zeros((TILE_ROWS, TILE_OUTPUTS), tl.float32)
    chunks = tl.cdiv(channels, DEPTH)
    for step in range(taps * chunks):
        tap = step // chunks
        c = (step - tap * chunks) * DEPTH + tl.arange(0, DEPTH)
        source = row + (tap - taps // 2) * dilation
        total = tap_product(
            x_ptr, weight_ptr, source, rows, c, channels, tap, output, outputs, total, PRECISION
        )
    if bias_ptr is not None:
        total += tl.load(bias_ptr + output, output < outputs, 0.0)[None, :]
    inside = (row < rows)[:, None] & (output < outputs)[None, :]
    out_ptr += row[:, None] * outputs + output[None, :]
    if ADD:
        total += tl.load(out_ptr, inside, 0.0)
    tl.store(out_ptr, total, inside)


def vocoder_conv(
    span: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int, out: Tensor,
    add: bool = False, precision: str = "tf32x3",
) -> Call:  # fmt: skip
    """span: int32 [2]; x: float32 or bfloat16 [R, C], rounded to the weight's dtype; weight:
    float32 or bfloat16 [K, O, C], K odd; bias: float32 [O]; out: [R', O], not x.

    precision: of products of float32, see tl.dot. Raises ValueError.
    """
    taps, outputs, channels = weight.shape
    check_conv("vocoder_conv", span, x, weight, bias, out)
    if taps % 2 == 0 or dilation < 1:
        raise ValueError(f"vocoder_conv: {taps} taps {dilation} apart; their number must be odd")
    tiles = tiles_of(weight)
    args = dict(span_ptr=span, x_ptr=x, weight_ptr=weight, bias_ptr=bias, out_ptr=out)
    args |= dict(channels=channels, outputs=outputs, taps=taps, dilation=dilation, ADD=add)
    args |= dict(LANES=lanes(channels), PRECISION=precision, **tiles)
    grid = (triton.cdiv(len(out), tiles["TILE_ROWS"]), triton.cdiv(outputs, tiles["TILE_OUTPUTS"]))
    work = work_of(x, weight, tiles, 2 * len(out) * weight.numel(), precision)
    return Call(_vocoder_conv_kernel, grid, args, WARPS, STAGES, work, GENERIC)


def by_taps(weight: Tensor, transposed: bool = False) -> Tensor:
    """A weight [O, C, K], or a transposed one [C, O, K], as kernels read it: [K, O, C]."""
    return weight.permute((2, 1, 0) if transposed else (2, 0, 1)).contiguous()


def check_conv(
    name: str, span: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor
) -> None:
    check_span(name, span)
    check_shape(name, "weight", weight, -1, -1, -1)
    check_shape(name, "x", x, -1, weight.shape[2])
    check_shape(name, "out", out, -1, weight.shape[1])
    if bias is not None:
        check_shape(name, "bias", bias, weight.shape[1])
    check_products(name, x=x, weight=weight, out=out)


def tiles_of(weight: Tensor) -> dict[str, int]:
    """Rows, outputs and channels of a tile: few outputs or channels are not padded to many."""
    _, outputs, channels = weight.shape
    return {
        "TILE_ROWS": TILE_ROWS,
        "TILE_OUTPUTS": _power(outputs, MAX_TILE_OUTPUTS),
        "DEPTH": _power(channels, DEPTH_BYTES // weight.itemsize),
    }


def _power(size: int, most: int) -> int:
    """The next power of 2, between the least that tensor cores take and ``most``."""
    return min(max(triton.next_power_of_2(size), 16), most)


def lanes(channels: int) -> int:
    """The largest power of 2 up to MAX_LANES that divides a row."""
    return min(channels & -channels, MAX_LANES)


def work_of(x: Tensor, weight: Tensor, tiles: dict[str, int], flops: int, precision: str) -> Work:
    rows = tiles["TILE_ROWS"] * x.itemsize + tiles["TILE_OUTPUTS"] * weight.itemsize
    in_flight = (STAGES - 1) * tiles["DEPTH"] * rows
    return Work(flops=flops, in_flight=in_flight, type=type_of_products(weight.dtype, precision))
