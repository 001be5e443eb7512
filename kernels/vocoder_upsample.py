"""The vocoder's transposed convolution as products of matrices: serves ops/reference/vocoder.py.

Each phase of the finer signal is a convolution of its own over some of the taps, see
vocoder_conv.py.
"""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call
from .vocoder_conv import GENERIC, STAGES, WARPS, check_conv, lanes, tap_product, tiles_of, work_of


@triton.jit
def _vocoder_upsample_kernel(
    span_ptr, x_ptr, weight_ptr, bias_ptr, out_ptr, channels, outputs, taps, rate, padding,
    LANES: tl.constexpr, PRECISION: tl.constexpr,
    TILE_ROWS: tl.constexpr, TILE_OUTPUTS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Rows q * rate + phase of out are bias + sum_j weight[k0 + j * rate] x[q + ahead - j],

    where phase + padding = ahead * rate + k0 with k0 < rate.
    """
    rows, first = tl.load(span_ptr + 1), tl.program_id(0) * TILE_ROWS
    if first >= rows:
        return
    channels = tl.multiple_of(channels, LANES)
    x_ptr += tl.load(span_ptr) * channels
    row = first + tl.arange(0, TILE_ROWS)
    output = tl.program_id(1) * TILE_OUTPUTS + tl.arange(0, TILE_OUTPUTS)
    phase = tl.program_id(2)
    ahead = (phase + padding) // rate
    k0 = phase + padding - ahead * rate
    total = tl.zeros((TILE_ROWS, TILE_OUTPUTS), tl.float32)
    chunks = tl.cdiv(channels, DEPTH)
    for step in range(tl.cdiv(taps - k0, rate) * chunks):
        j = step // chunks
        c = (step - j * chunks) * DEPTH + tl.arange(0, DEPTH)
        source, tap = row + (ahead - j), k0 + j * rate
        total = tap_product(
            x_ptr, weight_ptr, source, rows, c, channels, tap, output, outputs, total, PRECISION
        )
    if bias_ptr is not None:
        total += tl.load(bias_ptr + output, output < outputs, 0.0)[None, :]
    inside = (row < rows)[:, None] & (output < outputs)[None, :]
    tl.store(out_ptr + (row * rate + phase)[:, None] * outputs + output[None, :], total, inside)


def vocoder_upsample(
    span: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, rate: int, padding: int,
    out: Tensor, precision: str = "tf32x3",
) -> Call:  # fmt: skip
    """weight: [K, O, C] with K = rate + 2 * padding; out: [R', O]; see ``vocoder_conv``."""
    taps, outputs, channels = weight.shape
    check_conv("vocoder_upsample", span, x, weight, bias, out)
    if taps != rate + 2 * padding or rate < 1 or padding < 0:
        raise ValueError(
            f"vocoder_upsample: {taps} taps, rate {rate}, padding {padding}; the taps must be as "
            "many as rate + 2 * padding"
        )
    tiles = tiles_of(weight)
    args = dict(span_ptr=span, x_ptr=x, weight_ptr=weight, bias_ptr=bias, out_ptr=out)
    args |= dict(channels=channels, outputs=outputs, taps=taps, rate=rate, padding=padding)
    args |= dict(LANES=lanes(channels), PRECISION=precision, **tiles)
    rows = triton.cdiv(len(out), rate)
    grid = (triton.cdiv(rows, tiles["TILE_ROWS"]), triton.cdiv(outputs, tiles["TILE_OUTPUTS"]))
    work = work_of(x, weight, tiles, 2 * rows * weight.numel(), precision)
    return Call(_vocoder_upsample_kernel, (*grid, rate), args, WARPS, STAGES, work, GENERIC)
