"""Several rows times a weight, on tensor cores: a batch's decode step, or a chunk of a prompt.

The weight is the left operand, so that its tile comes from registers, where it is unpacked, and a
few rows fill a matrix instruction. A packed weight's words hold neighbouring inputs; rows are
therefore laid out first (``arrange``) so that what input j of 16 neighbouring words is multiplied
with lies together.
"""

import triton
import triton.language as tl
from torch import Tensor

from omnirt.formats import Quantized

from . import packed
from .call import Call, Work
from .packed import LANES, MIDDLE4, group_scale, group_zero, unshifted, weight
from .split import Scratch, share_of, splits_of, sum_splits

CHUNKS = 16  # chunks of a tile of a packed weight: the depth of a matrix product
INPUTS = 64  # of a tile of a dense weight
PER_WEIGHT = 5  # instructions: mask and exponent, subtract, zero-point, scale, round
ARRANGED = 1024  # inputs that a program arranges
FEW = 16  # rows of a decode step's largest batch
SPLIT_STEPS = 4  # of a split at least: partial sums are then a quarter of what is read, and in L2
SIZES = {True: (64, 16, 4, 4), False: (128, 128, 8, 2)}  # few rows? outputs, rows, warps, stages


@triton.jit
def _arrange_kernel(
    x_ptr,
    out_ptr,
    inputs,
    width,
    x_stride,
    DEPTH: tl.constexpr,
    CHUNKS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """out[block, j, c] = x[block, c, j] for every block of CHUNKS * DEPTH inputs of a row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * x_stride + at, at < inputs, 0.0)
    c, j = at // DEPTH % CHUNKS, at % DEPTH
    to = at // (CHUNKS * DEPTH) * (CHUNKS * DEPTH) + j * CHUNKS + c
    tl.store(out_ptr + row * width + to, x, at < width)


@triton.jit
def _packed_gemm_kernel(
    x_ptr,
    data_ptr,
    scales_ptr,
    zeros_ptr,
    bias_ptr,
    out_ptr,
    partial_ptr,
    count_ptr,
    rows,
    outputs,
    x_stride,
    chunks,
    groups,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    OUTPUTS: tl.constexpr,
    ROWS: tl.constexpr,
    CHUNKS: tl.constexpr,
):
    """One program a split of a tile of outputs and rows. x: arranged, of the products' dtype."""
    DEPTH: tl.constexpr = 32 // BITS
    tile, block = tl.program_id(0), tl.program_id(1)
    split, splits = tl.program_id(2), tl.num_programs(2)
    output = tile * OUTPUTS + tl.arange(0, OUTPUTS)
    row = block * ROWS + tl.arange(0, ROWS)
    panel, lane = (output // LANES)[:, None], (output % LANES)[:, None]
    there = panel < tl.cdiv(outputs, LANES)
    data = data_ptr + panel.to(tl.int64) * chunks * LANES + lane
    x_row = x_ptr + row.to(tl.int64)[None, :] * x_stride
    begin, end = share_of(tl.cdiv(chunks, CHUNKS), split, splits)
    sums = tl.zeros((OUTPUTS, ROWS), tl.float32)
    c = tl.arange(0, CHUNKS)
    for step in range(begin, end):
        chunk = (step * CHUNKS + c)[None, :]
        inside = there & (chunk < chunks)
        words = tl.load(data + chunk * LANES, inside, 0)
        if BITS == 4:
            group = chunk * DEPTH // GROUP
            scale = group_scale(scales_ptr, panel, lane, group, groups, inside)
            if zeros_ptr is None:
                zero = MIDDLE4
            else:
                zero = group_zero(zeros_ptr, panel, lane, group, groups, inside)
        for j in tl.static_range(DEPTH):
            steps = unshifted(weight(words, j, BITS), j)
            if BITS == 4:
                steps = (steps - zero) * scale
            at = (step * DEPTH + j) * CHUNKS + c
            x = tl.load(x_row + at[:, None], (row < rows)[None, :], 0.0)
            sums = tl.dot(steps.to(x.dtype), x, sums, input_precision="ieee")
    last, sums = sum_splits(
        sums, partial_ptr, count_ptr, tile * tl.num_programs(1) + block, split, splits,
        OUTPUTS * ROWS,
    )  # fmt: skip
    if last:
        if BITS == 8:
            sums = sums * group_scale(scales_ptr, panel, lane, 0, groups, there)
        _store(sums, bias_ptr, out_ptr, output, row, outputs, rows)


@triton.jit
def _dense_gemm_kernel(
    x_ptr,
    weight_ptr,
    bias_ptr,
    out_ptr,
    partial_ptr,
    count_ptr,
    rows,
    outputs,
    inputs,
    x_stride,
    OUTPUTS: tl.constexpr,
    ROWS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """One program a split of a tile of outputs and rows; x is rounded to the weight's dtype."""
    tile, block = tl.program_id(0), tl.program_id(1)
    split, splits = tl.program_id(2), tl.num_programs(2)
    output = tile * OUTPUTS + tl.arange(0, OUTPUTS)
    row = block * ROWS + tl.arange(0, ROWS)
    w_row = weight_ptr + output.to(tl.int64)[:, None] * inputs
    x_row = x_ptr + row.to(tl.int64)[None, :] * x_stride
    begin, end = share_of(tl.cdiv(inputs, INPUTS), split, splits)
    sums = tl.zeros((OUTPUTS, ROWS), tl.float32)
    for step in range(begin, end):
        at = step * INPUTS + tl.arange(0, INPUTS)
        here = at < inputs
        w = tl.load(w_row + at[None, :], (output < outputs)[:, None] & here[None, :], 0.0)
        x = tl.load(x_row + at[:, None], (row < rows)[None, :] & here[:, None], 0.0)
        sums = tl.dot(w, x.to(w.dtype), sums, input_precision="ieee")
    last, sums = sum_splits(
        sums, partial_ptr, count_ptr, tile * tl.num_programs(1) + block, split, splits,
        OUTPUTS * ROWS,
    )  # fmt: skip
    if last:
        _store(sums, bias_ptr, out_ptr, output, row, outputs, rows)


@triton.jit
def _store(sums, bias_ptr, out_ptr, output, row, outputs, rows):
    """A tile of outputs and rows into [rows, outputs], with the bias."""
    if bias_ptr is not None:
        sums += tl.load(bias_ptr + output, output < outputs, 0.0).to(tl.float32)[:, None]
    place = row.to(tl.int64)[None, :] * outputs + output[:, None]
    tl.store(out_ptr + place, sums, (row < rows)[None, :] & (output < outputs)[:, None])


def arranged_width(weight: Quantized) -> int:
    """Columns of what ``arrange`` writes for a weight."""
    block = CHUNKS * 32 // weight.bits
    return triton.cdiv(weight.shape[1], block) * block


def arrange(x: Tensor, weight: Quantized, out: Tensor) -> Call:
    """out = rows as ``gemm`` reads them, zeros beyond K.

    x: float [T, K] with dense rows; out: float [T, ``arranged_width``]. Raises ValueError.
    """
    rows, inputs = x.shape
    if inputs != weight.shape[1] or x.stride(1) != 1 or not out.is_contiguous():
        raise ValueError(f"arrange: x is {list(x.shape)}, the weight {list(weight.shape)}")
    if out.shape != (rows, arranged_width(weight)):
        raise ValueError(
            f"arrange: out is {list(out.shape)}, must be {[rows, arranged_width(weight)]}"
        )
    width = out.shape[1]
    args = dict(x_ptr=x, out_ptr=out, inputs=inputs, width=width, x_stride=x.stride(0))
    args |= dict(DEPTH=32 // weight.bits, CHUNKS=CHUNKS, BLOCK=ARRANGED)
    return Call(_arrange_kernel, (rows, triton.cdiv(width, ARRANGED)), args)


def gemm(
    x: Tensor, weight: Tensor | Quantized, bias: Tensor | None, out: Tensor, scratch: Scratch
) -> Call:
    """out = x weight^T + bias. x: float [T, K] with dense rows, for a quantized weight what
    ``arrange`` made; weight: float or quantized [N, K]; bias: float [N]; out: float [T, N].

    INT4 weights are rounded to x's dtype; INT8 ones are exact in it. Raises ValueError.
    """
    outputs, inputs = weight.shape
    rows, width = x.shape
    is_packed = isinstance(weight, Quantized)
    wanted = arranged_width(weight) if is_packed else inputs
    if width != wanted or x.stride(1) != 1:
        raise ValueError(f"gemm: x is {list(x.shape)}, must have {wanted} columns")
    if out.shape != (rows, outputs) or not out.is_contiguous():
        raise ValueError(f"gemm: out is {list(out.shape)}, must be {[rows, outputs]}")
    is_few = rows <= FEW
    tile, block, warps, stages = SIZES[is_few]
    if is_packed:
        kernel, parts = _packed_gemm_kernel, packed.arguments(weight) | dict(CHUNKS=CHUNKS)
        steps = triton.cdiv(parts["chunks"], CHUNKS)
        in_flight = stages * tile * CHUNKS * 4
    else:
        kernel, parts = _dense_gemm_kernel, dict(weight_ptr=weight, inputs=inputs, INPUTS=INPUTS)
        steps = triton.cdiv(inputs, INPUTS)
        in_flight = stages * tile * INPUTS * weight.itemsize
    tiles, blocks = triton.cdiv(outputs, tile), triton.cdiv(rows, block)
    splits = splits_of(tiles * blocks, max(1, steps // SPLIT_STEPS)) if is_few else 1
    if splits > 1:
        scratch.check("gemm", tiles * blocks * splits * tile * block, tiles * blocks)
    args = dict(x_ptr=x, bias_ptr=bias, out_ptr=out, rows=rows, outputs=outputs)
    args |= dict(partial_ptr=scratch.partial, count_ptr=scratch.counts, x_stride=x.stride(0))
    args |= parts | dict(OUTPUTS=tile, ROWS=block)
    passed = 2 * tiles * blocks * splits * tile * block * scratch.partial.itemsize
    moved = weight.nbytes + x.nbytes + out.nbytes + (passed if splits > 1 else 0)
    lanes = PER_WEIGHT * outputs * inputs * blocks if is_packed else 0
    ordered = {name: args[name] for name in kernel.arg_names}
    return Call(
        kernel,
        (tiles, blocks, splits),
        ordered,
        warps,
        stages,
        Work(moved, 2 * rows * outputs * inputs, in_flight, "bf16", lanes),
        generic=("rows", "outputs", "chunks", "groups"),
    )
