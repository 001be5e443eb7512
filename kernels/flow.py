"""What only the flow-matching transformer needs, row by row: serves ops/reference/flow.py."""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .checks import check_shape
from .common import block_and_warps
from .elementary import cos as cos_of
from .elementary import sin as sin_of
from .flow_state import (
    CODES,
    FRAMES,
    SEED,
    START,
    VOICE,
    aligned_floats,
    check_state,
    check_table,
    table_row,
    word64,
)

_STREAM = tl.constexpr(2)  # of random numbers: ops.state.FLOW
_TURN = tl.constexpr(6.283185307179586)


@triton.jit
def _unit(word):
    """A random 32-bit word as a float32 in (0, 1)."""
    return ((word >> 9).to(tl.float32) + 0.5) * 2.0**-23


@triton.jit
def _flow_noise_kernel(state_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    """One frame: sqrt(-2 log u0) cos(2 pi u1), u from Philox at (channel, frame, stream)."""
    frame = tl.program_id(0)
    if frame >= tl.load(state_ptr + FRAMES):
        return
    channel = tl.arange(0, BLOCK)
    zero = tl.zeros((BLOCK,), tl.int32)
    absolute = zero + (tl.load(state_ptr + START) + frame)
    seed = word64(state_ptr, SEED).to(tl.uint64)
    word0, word1, _, _ = tl.philox(seed, channel, absolute, zero + _STREAM, zero)
    radius = tl.sqrt(-2 * tl.log(_unit(word0)))
    at = frame * columns + channel
    tl.store(out_ptr + at, radius * cos_of(_unit(word1) * _TURN), channel < columns)


@triton.jit
def _flow_input_kernel(
    state_ptr, base_ptr, projected_ptr, out_ptr, columns, repeats,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One frame: its base plus code and voice, then plus what stands for neither."""
    frame = tl.program_id(0)
    if frame >= tl.load(state_ptr + FRAMES):
        return
    at = tl.arange(0, BLOCK)
    inside = at < columns
    codes_ptr = word64(state_ptr, CODES).to(tl.pointer_type(tl.int32))
    code = tl.load(codes_ptr + frame // repeats)
    voice_ptr = aligned_floats(state_ptr, VOICE)
    base = tl.load(base_ptr + frame * columns + at, inside, 0.0).to(tl.float32)
    out_ptr += frame * ROWS * columns
    projected = tl.load(projected_ptr + code.to(tl.int64) * columns + at, inside, 0.0)
    tl.store(out_ptr + at, base + projected + tl.load(voice_ptr + at, inside, 0.0), inside)
    if ROWS == 2:
        null = tl.load(voice_ptr + columns + at, inside, 0.0)
        tl.store(out_ptr + columns + at, base + null, inside)


@triton.jit
def _flow_modulate_kernel(
    state_ptr, x_ptr, out_ptr, columns, stride, shift, scale, eps,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One row: (x - mean) / sqrt(variance + eps) * (1 + scale) + shift."""
    row = tl.program_id(0)
    if row >= tl.load(state_ptr + FRAMES) * ROWS:
        return
    at = tl.arange(0, BLOCK)
    inside = at < columns
    x = tl.load(x_ptr + row * columns + at, inside, 0.0).to(tl.float32)
    x = tl.where(inside, x - tl.sum(x, 0) / columns, 0.0)
    x *= tl.rsqrt(tl.sum(x * x, 0) / columns + eps)
    scales = tl.load(table_row(state_ptr, stride, scale) + at, inside, 0.0)
    shifts = tl.load(table_row(state_ptr, stride, shift) + at, inside, 0.0)
    tl.store(out_ptr + row * columns + at, x * (1 + scales) + shifts, inside)


@triton.jit
def _flow_rope_angles_kernel(
    state_ptr, inv_freq_ptr, cos_ptr, sin_ptr, half, BLOCK: tl.constexpr
):  # fmt: skip
    """One frame: cos and sin of its absolute position times each frequency."""
    frame = tl.program_id(0)
    if frame >= tl.load(state_ptr + FRAMES):
        return
    at = tl.arange(0, BLOCK)
    inside = at < half
    position = (tl.load(state_ptr + START) + frame).to(tl.float32)
    angle = position * tl.load(inv_freq_ptr + at, inside, 0.0)
    tl.store(cos_ptr + frame * half + at, cos_of(angle), inside)
    tl.store(sin_ptr + frame * half + at, sin_of(angle), inside)


def flow_noise(state: Tensor, out: Tensor) -> Call:
    """out: float32 [F, mel]. Raises ValueError."""
    check_state("flow_noise", state)
    check_shape("flow_noise", "out", out, -1, -1)
    frames, columns = out.shape
    block, warps = block_and_warps(columns)
    args = dict(state_ptr=state, out_ptr=out, columns=columns, BLOCK=block)
    return Call(_flow_noise_kernel, (frames,), args, warps)


def flow_input(
    state: Tensor, base: Tensor, projected: Tensor, repeats: int, out: Tensor, rows: int
) -> Call:
    """base: float [F, C]; projected: float32 [num_codes + 1, C]; out: float32 [F * rows, C].

    Raises ValueError.
    """
    name, (frames, columns) = "flow_input", base.shape
    check_state(name, state)
    check_shape(name, "base", base, frames, columns)
    check_shape(name, "projected", projected, -1, columns)
    check_shape(name, "out", out, frames * rows, columns)
    block, warps = block_and_warps(columns)
    args = dict(state_ptr=state, base_ptr=base, projected_ptr=projected, out_ptr=out)
    args |= dict(columns=columns, repeats=repeats, ROWS=rows, BLOCK=block)
    work = Work(2 * base.nbytes + out.nbytes, in_flight=2 * columns * base.itemsize)
    return Call(_flow_input_kernel, (frames,), args, warps, work=work)


def flow_modulate(
    state: Tensor, table_rows: int, x: Tensor, shift: int, scale: int, eps: float, out: Tensor,
    rows: int,
) -> Call:  # fmt: skip
    """x, out: float [F * rows, C]; shift, scale: of the ``table_rows`` rows of an evaluation.

    Raises ValueError.
    """
    name, (live, columns) = "flow_modulate", x.shape
    check_state(name, state)
    check_shape(name, "x", x, live, columns)
    check_shape(name, "out", out, live, columns)
    check_table(name, table_rows, shift, scale)
    block, warps = block_and_warps(columns)
    args = dict(state_ptr=state, x_ptr=x, out_ptr=out, columns=columns)
    args |= dict(stride=table_rows * columns, shift=shift * columns, scale=scale * columns)
    args |= dict(eps=eps, ROWS=rows, BLOCK=block)
    work = Work(x.nbytes + out.nbytes, in_flight=columns * x.itemsize)
    return Call(_flow_modulate_kernel, (live,), args, warps, work=work)


def flow_rope_angles(state: Tensor, inv_freq: Tensor, cos: Tensor, sin: Tensor) -> Call:
    """inv_freq: float32 [D/2]; cos, sin: float32 [F, D/2]. Raises ValueError."""
    name, half = "flow_rope_angles", len(inv_freq)
    check_state(name, state)
    check_shape(name, "cos", cos, -1, half)
    check_shape(name, "sin", sin, len(cos), half)
    block, warps = block_and_warps(half)
    args = dict(state_ptr=state, inv_freq_ptr=inv_freq, cos_ptr=cos, sin_ptr=sin)
    args |= dict(half=half, BLOCK=block)
    return Call(_flow_rope_angles_kernel, (len(cos),), args, warps)
