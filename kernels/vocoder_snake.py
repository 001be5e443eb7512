"""The vocoder's alias-free activation in one pass: serves ops/reference/vocoder.py.

Snake (arXiv 2006.08195) between a 2x upsampling and a 2x downsampling (BigVGAN, arXiv 2206.04658),
each a filter of 12 taps. A lane walks along one channel and keeps what the filters look back on in
registers, so the finer signal never exists in memory and each of its values is computed once:
2 sines an output, where a program that starts afresh at every output needs 12.
"""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .checks import check_shape, check_span
from .elementary import sin

# TAPS of ops/reference/vocoder.py are symmetric: these are the first six.
_F0 = tl.constexpr(0.00202896469)
_F1 = tl.constexpr(0.00938946567)
_F2 = tl.constexpr(-0.0255434588)
_F3 = tl.constexpr(-0.0576573834)
_F4 = tl.constexpr(0.128572583)
_F5 = tl.constexpr(0.443209797)
# Twice those: the upsampling's.
_U0 = tl.constexpr(2 * 0.00202896469)
_U1 = tl.constexpr(2 * 0.00938946567)
_U2 = tl.constexpr(2 * -0.0255434588)
_U3 = tl.constexpr(2 * -0.0576573834)
_U4 = tl.constexpr(2 * 0.128572583)
_U5 = tl.constexpr(2 * 0.443209797)
_TINY = tl.constexpr(1e-9)

LENGTH, UNROLL = 12, 4  # rows that a lane writes, and how many of them without moving registers
LANES, WARPS = 8, 4  # neighbouring channels: a sector of memory
FLOPS = 2 * (6 * 2 + 12) + 12 * 2  # of an output
INSTRUCTIONS = 104  # of an output, warming up included: counted in the cubin of sm_90a


@triton.jit
def _snake(y, a, b):
    """y + sin(a y)^2 b."""
    s = sin(y * a)
    return y + s * s * b


@triton.jit
def _pair(x, a, b):
    """Values 2 i and 2 i + 1 of the finer signal, from rows i - 3 .. i + 3 of x."""
    even = x[0] * _U0 + x[1] * _U2 + x[2] * _U4 + x[3] * _U5 + x[4] * _U3 + x[5] * _U1
    odd = x[1] * _U1 + x[2] * _U3 + x[3] * _U5 + x[4] * _U4 + x[5] * _U2 + x[6] * _U0
    return _snake(even, a, b), _snake(odd, a, b)


@triton.jit
def _entered(v, even, odd, i, rows):
    """v moved on by values 2 i and 2 i + 1; after the signal comes its last value again."""
    last = v[13]
    return v[2:] + (tl.where(i < rows, even, last), tl.where(i < rows, odd, last))


@triton.jit
def _begun(v, even, begins):
    """v where the signal begins with value ``even``: before it comes the same."""
    return (
        v[0], v[1], v[2], v[3], v[4], v[5],
        tl.where(begins, even, v[6]), tl.where(begins, even, v[7]),
        tl.where(begins, even, v[8]), tl.where(begins, even, v[9]),
        tl.where(begins, even, v[10]), tl.where(begins, even, v[11]),
        v[12], v[13],
    )  # fmt: skip


@triton.jit
def _filtered(v):
    """Row n from values 2 n - 5 .. 2 n + 6 of the finer signal, which are v[1] .. v[12]."""
    return (
        (v[1] + v[12]) * _F0
        + (v[2] + v[11]) * _F1
        + (v[3] + v[10]) * _F2
        + (v[4] + v[9]) * _F3
        + (v[5] + v[8]) * _F4
        + (v[6] + v[7]) * _F5
    )


@triton.jit
def _row(x_ptr, at, rows, channels, inside):
    """Row ``at`` of each lane; before the first and after the last comes that one again."""
    at = tl.minimum(tl.maximum(at, 0), rows - 1)
    return tl.load(x_ptr + at * channels, inside, 0.0).to(tl.float32)


@triton.jit
def _vocoder_snake_kernel(
    span_ptr, x_ptr, alpha_ptr, beta_ptr, out_ptr, channels,
    LENGTH: tl.constexpr, UNROLL: tl.constexpr, LANES: tl.constexpr, WALKS: tl.constexpr,
):  # fmt: skip
    """Rows of out, LENGTH to a lane; WALKS stretches of LANES channels are a program."""
    rows, start = tl.load(span_ptr + 1), tl.program_id(0) * WALKS * LENGTH
    if start >= rows:
        return
    lane = tl.arange(0, WALKS * LANES)
    channel = tl.program_id(1) * LANES + lane % LANES
    first = start + lane // LANES * LENGTH
    inside = (channel < channels) & (first < rows)
    x_ptr += tl.load(span_ptr) * channels + channel
    out_ptr += channel
    a = tl.exp(tl.load(alpha_ptr + channel, inside, 0.0))
    b = 1 / (tl.exp(tl.load(beta_ptr + channel, inside, 0.0)) + _TINY)
    x = (a,)  # seven rows in the loops, the last of them i + 3
    for ahead in tl.static_range(6):
        x += (_row(x_ptr, first - 6 + ahead, rows, channels, inside),)
    v = (a, a, a, a, a, a, a, a, a, a, a, a, a, a)  # the last is value 2 i + 1; none counts yet
    for i in range(-3, 3):
        x = x[1:] + (_row(x_ptr, first + i + 3, rows, channels, inside),)
        even, odd = _pair(x, a, b)
        v = _entered(v, even, odd, first + i, rows)
        if start == 0:
            v = _begun(v, even, first + i == 0)
    for turn in range(LENGTH // UNROLL):
        for step in tl.static_range(UNROLL):
            row = first + turn * UNROLL + step
            x = x[1:] + (_row(x_ptr, row + 6, rows, channels, inside),)
            even, odd = _pair(x, a, b)
            v = _entered(v, even, odd, row + 3, rows)
            tl.store(out_ptr + row * channels, _filtered(v), inside & (row < rows))


def vocoder_snake(span: Tensor, x: Tensor, alpha: Tensor, beta: Tensor, out: Tensor) -> Call:
    """span: int32 [2]; x: float [R, C]; alpha, beta: float32 [C]; out: float [R', C], not x.

    The filters are the released ones. Raises ValueError.
    """
    name, (rows, channels) = "vocoder_snake", out.shape
    check_span(name, span)
    check_shape(name, "x", x, -1, channels)
    check_shape(name, "alpha", alpha, channels)
    check_shape(name, "beta", beta, channels)
    check_shape(name, "out", out, rows, channels)
    walks = WARPS * 32 // LANES
    args = dict(span_ptr=span, x_ptr=x, alpha_ptr=alpha, beta_ptr=beta, out_ptr=out)
    args |= dict(channels=channels, LENGTH=LENGTH, UNROLL=UNROLL, LANES=LANES, WALKS=walks)
    grid = (triton.cdiv(rows, walks * LENGTH), triton.cdiv(channels, LANES))
    # The next rows do not wait for the sums of those before.
    work = Work(
        flops=FLOPS * out.numel(),
        in_flight=UNROLL * walks * LANES * x.itemsize,
        lanes=INSTRUCTIONS * out.numel(),
    )
    return Call(_vocoder_snake_kernel, grid, args, WARPS, work=work, generic=("span_ptr",))
