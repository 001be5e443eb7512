"""One row times a weight: the products of a decode step, bound by reading the weight once.

GATED takes SwiGLU in: the weight is [gate; up], 2N outputs, and out = silu(gate x) * (up x), N.
"""

import triton
import triton.language as tl
from torch import Tensor

from omnirt.formats import PANEL, Quantized

from . import packed
from .call import Call, Work
from .packed import LANES, MIDDLE4, group_scale, group_zero, unshifted, weight
from .split import Scratch, share_of, splits_of, sum_splits

CHUNKS = 64  # chunks of a panel that a program reads at once: 4 KiB
OUTPUTS, INPUTS = 4, 512  # tile of a dense weight
PER_WEIGHT = 3  # instructions: mask and exponent, subtract (or widen), multiply-add
PANELS = tl.constexpr(2)  # of a program: each input is loaded once for both


@triton.jit
def _panel_sums(
    words, x_ptr, chunk, inputs, scales_ptr, zeros_ptr, panel, groups, inside,
    BITS: tl.constexpr, GROUP: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Products of a tile of words [CHUNKS, 16] with their inputs, each scaled for its group."""
    dot = tl.zeros(words.shape, tl.float32)
    total = tl.zeros(chunk.shape, tl.float32)
    for j in tl.static_range(DEPTH):
        at = chunk * DEPTH + j
        x = tl.load(x_ptr + at, at < inputs, 0.0).to(tl.float32)
        dot += weight(words, j, BITS) * unshifted(x, j)[:, None]
        if BITS == 4:
            total += x
    if BITS == 4:
        lane = tl.arange(0, LANES)[None, :]
        group = (chunk * DEPTH // GROUP)[:, None]
        if zeros_ptr is None:
            dot -= MIDDLE4 * total[:, None]
        else:
            zero = group_zero(zeros_ptr, panel, lane, group, groups, inside)
            dot -= zero * total[:, None]
        dot *= group_scale(scales_ptr, panel, lane, group, groups, inside)
    return dot


@triton.jit
def _store_both(
    sums, others, bias_ptr, out_ptr, output, other, outputs, second, GATED: tl.constexpr
):
    """Both halves of a program's outputs, with their bias; of a gated weight their SwiGLU."""
    if bias_ptr is not None:
        sums += tl.load(bias_ptr + output, output < outputs, 0.0)
        others += tl.load(bias_ptr + other, other < outputs, 0.0)
    if GATED:
        tl.store(out_ptr + output, sums * tl.sigmoid(sums) * others, output < second)
    else:
        tl.store(out_ptr + output, sums, output < outputs)
        tl.store(out_ptr + other, others, other < outputs)


@triton.jit
def _packed_gemv_kernel(
    x_ptr,
    data_ptr,
    scales_ptr,
    zeros_ptr,
    bias_ptr,
    out_ptr,
    partial_ptr,
    count_ptr,
    inputs,
    outputs,
    second,
    chunks,
    groups,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    CHUNKS: tl.constexpr,
    GATED: tl.constexpr,
):
    """One program a split of two panels: neighbours, or with GATED ``second`` outputs apart."""
    DEPTH: tl.constexpr = 32 // BITS
    block, split, splits = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    panel = block if GATED else block * PANELS
    other = panel + second // LANES
    more_chunks = tl.where(other < tl.cdiv(outputs, LANES), chunks, 0)  # of the last odd panel
    lane = tl.arange(0, LANES)
    data = data_ptr + panel.to(tl.int64) * chunks * LANES
    more_data = data_ptr + other.to(tl.int64) * chunks * LANES
    begin, end = share_of(tl.cdiv(chunks, CHUNKS), split, splits)
    sums = tl.zeros((CHUNKS, LANES), tl.float32)
    others = tl.zeros((CHUNKS, LANES), tl.float32)
    for step in range(begin, end):
        chunk = step * CHUNKS + tl.arange(0, CHUNKS)
        at = chunk[:, None] * LANES + lane[None, :]
        inside = (chunk < chunks)[:, None]
        there = (chunk < more_chunks)[:, None]
        words = tl.load(data + at, inside, 0)
        more = tl.load(more_data + at, there, 0)
        sums += _panel_sums(
            words, x_ptr, chunk, inputs, scales_ptr, zeros_ptr, panel, groups, inside,
            BITS, GROUP, DEPTH,
        )  # fmt: skip
        others += _panel_sums(
            more, x_ptr, chunk, inputs, scales_ptr, zeros_ptr, other, groups, there,
            BITS, GROUP, DEPTH,
        )  # fmt: skip
    both = tl.join(tl.sum(sums, 0), tl.sum(others, 0))
    last, both = sum_splits(both, partial_ptr, count_ptr, block, split, splits, PANELS * LANES)
    if last:
        a, b = tl.split(both)
        if BITS == 8:
            a *= group_scale(scales_ptr, panel, lane, 0, groups, lane >= 0)
            b *= group_scale(scales_ptr, other, lane, 0, groups, lane < more_chunks * LANES)
        output = panel * LANES + lane
        _store_both(a, b, bias_ptr, out_ptr, output, output + second, outputs, second, GATED)


@triton.jit
def _dense_gemv_kernel(
    x_ptr,
    weight_ptr,
    bias_ptr,
    out_ptr,
    partial_ptr,
    count_ptr,
    inputs,
    outputs,
    second,
    OUTPUTS: tl.constexpr,
    INPUTS: tl.constexpr,
    GATED: tl.constexpr,
):
    """One program a split of two tiles of rows: neighbours, or with GATED ``second`` apart."""
    block, split, splits = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    output = (
        block * OUTPUTS + tl.arange(0, OUTPUTS)
        if GATED
        else (block * PANELS * OUTPUTS + tl.arange(0, OUTPUTS))
    )
    other = output + second
    begin, end = share_of(tl.cdiv(inputs, INPUTS), split, splits)
    sums = tl.zeros((OUTPUTS, INPUTS), tl.float32)
    others = tl.zeros((OUTPUTS, INPUTS), tl.float32)
    row = weight_ptr + output.to(tl.int64)[:, None] * inputs
    other_row = weight_ptr + other.to(tl.int64)[:, None] * inputs
    for step in range(begin, end):
        at = step * INPUTS + tl.arange(0, INPUTS)
        x = tl.load(x_ptr + at, at < inputs, 0.0).to(tl.float32)[None, :]
        inside = (at < inputs)[None, :] & (output < outputs)[:, None]
        there = (at < inputs)[None, :] & (other < outputs)[:, None]
        sums += tl.load(row + at[None, :], inside, 0.0).to(tl.float32) * x
        others += tl.load(other_row + at[None, :], there, 0.0).to(tl.float32) * x
    both = tl.join(tl.sum(sums, 1), tl.sum(others, 1))
    last, both = sum_splits(both, partial_ptr, count_ptr, block, split, splits, PANELS * OUTPUTS)
    if last:
        a, b = tl.split(both)
        _store_both(a, b, bias_ptr, out_ptr, output, other, outputs, second, GATED)


def gemv(
    x: Tensor,
    weight: Tensor | Quantized,
    bias: Tensor | None,
    out: Tensor,
    scratch: Scratch,
    gated: bool = False,
) -> Call:
    """out = weight x + bias, or of a gated weight silu(first half) * second half.

    x: float [1, K]; weight: float or quantized [N, K]; bias: float [N]; out: float [1, N], gated
    [1, N / 2]. Raises ValueError.
    """
    outputs, inputs = weight.shape
    wanted = [1, outputs // 2 if gated else outputs]
    if list(x.shape) != [1, inputs] or list(out.shape) != wanted:
        raise ValueError(
            f"gemv: x is {list(x.shape)}, out {list(out.shape)}; must be {[1, inputs]}, {wanted}"
        )
    is_packed = isinstance(weight, Quantized)
    tile = PANEL if is_packed else OUTPUTS
    if gated and outputs % (2 * tile):
        raise ValueError(f"gemv: {outputs} outputs have no two halves of whole tiles of {tile}")
    second = outputs // 2 if gated else tile
    args = dict(bias_ptr=bias, out_ptr=out, inputs=inputs, outputs=outputs, second=second)
    blocks = triton.cdiv(outputs, 2 * tile)
    if is_packed:
        kernel, parts = _packed_gemv_kernel, packed.arguments(weight) | dict(CHUNKS=CHUNKS)
        steps, bytes_read = triton.cdiv(parts["chunks"], CHUNKS), weight.nbytes
        in_flight = 2 * CHUNKS * 4 * PANEL
    else:
        if not weight.is_contiguous():
            raise ValueError("gemv: a dense weight must be contiguous")
        kernel, parts = _dense_gemv_kernel, dict(weight_ptr=weight, OUTPUTS=OUTPUTS, INPUTS=INPUTS)
        steps, bytes_read = triton.cdiv(inputs, INPUTS), weight.nbytes
        in_flight = 2 * OUTPUTS * INPUTS * weight.itemsize
    splits = splits_of(blocks, steps)
    scratch.check("gemv", blocks * splits * 2 * tile, blocks)
    args |= dict(x_ptr=x, GATED=gated, partial_ptr=scratch.partial, count_ptr=scratch.counts)
    passed = 2 * blocks * splits * 2 * tile * scratch.partial.itemsize if splits > 1 else 0
    moved = bytes_read + x.nbytes + out.nbytes + passed
    count = outputs * inputs
    work = Work(moved, 2 * count, in_flight, lanes=PER_WEIGHT * count)
    ordered = {name: (args | parts)[name] for name in kernel.arg_names}
    generic = ("outputs", "second", "chunks", "groups")
    return Call(kernel, (blocks, splits), ordered, work=work, generic=generic)
