"""Attention between blocks of frames: serves flow_attention of ops/reference/flow.py.

A program is some queries of a block, a head and a guidance row. It visits the few blocks of keys
that they see, with a running softmax (arXiv 2205.14135): time and memory grow with the frames, not
with their square.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .checks import check_products, check_shape, type_of_products
from .flow_state import (
    CACHE,
    EVALUATION,
    FRAMES,
    LEFT,
    aligned_floats,
    check_state,
)

MAX_BLOCK, MAX_DIM = 64, 128  # frames and head size of a tile that registers hold
QUERIES = 16
WARPS = {torch.float32: 8, torch.bfloat16: 4}  # products of float32 need twice the registers
_LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def _rows(ptr, stride, first, at, live, dims, DIM: tl.constexpr):
    """Rows first + at of a head, float32 [TILE, DIMS]; rows that are not live are zero."""
    inside = live[:, None] & (dims < DIM)[None, :]
    return tl.load(ptr + (first + at)[:, None] * stride + dims[None, :], inside, 0.0).to(tl.float32)


@triton.jit
def _rotated_rows(ptr, cos_ptr, sin_ptr, head, stride, first, at, live, dims, DIM: tl.constexpr):
    """The same; head 0's neighbouring pairs (x0, x1), (x2, x3), ... are rotated."""
    x = _rows(ptr, stride, first, at, live, dims, DIM)
    if head == 0:
        partner = _rows(ptr, stride, first, at, live, dims ^ 1, DIM)
        c = _rows(cos_ptr, DIM // 2, first, at, live, dims // 2, DIM // 2)
        s = _rows(sin_ptr, DIM // 2, first, at, live, dims // 2, DIM // 2)
        x = x * c + tl.where(dims[None, :] % 2 == 0, -s, s) * partner
    return x


@triton.jit
def _softmax_step(
    q, k, v, seen, scale, top, total, mixed, PRECISION: tl.constexpr, DTYPE: tl.constexpr
):  # fmt: skip
    """Take one block of keys in: the running maximum, sum of exponentials, and mix of values."""
    scores = tl.dot(q, tl.trans(k.to(DTYPE)), input_precision=PRECISION) * scale
    scores = tl.where(seen[None, :], scores, float("-inf"))
    new_top = tl.maximum(top, tl.max(scores, 1))
    weights = tl.exp2(scores - new_top[:, None])
    shrink = tl.exp2(top - new_top)
    total = total * shrink + tl.sum(weights, 1)
    mixed = mixed * shrink[:, None]
    mixed = tl.dot(weights.to(DTYPE), v.to(DTYPE), mixed, input_precision=PRECISION)
    return new_top, total, mixed


@triton.jit
def _flow_attention_kernel(
    state_ptr, qkv_ptr, cos_ptr, sin_ptr, out_ptr, stride_of_cache, layer,
    ROWS: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    BACK: tl.constexpr, AHEAD: tl.constexpr, CACHED: tl.constexpr, PRECISION: tl.constexpr,
    QUERIES: tl.constexpr, TILE: tl.constexpr, DIMS: tl.constexpr,
):  # fmt: skip
    """out = softmax(q k^T / sqrt(DIM)) v over blocks block - BACK .. block + AHEAD."""
    parts: tl.constexpr = (BLOCK + QUERIES - 1) // QUERIES
    block, head, r = tl.program_id(0) // parts, tl.program_id(1), tl.program_id(2)
    within = (tl.program_id(0) % parts) * QUERIES + tl.arange(0, QUERIES)
    frames, first = tl.load(state_ptr + FRAMES), block * BLOCK
    if first >= frames:
        return
    dtype: tl.constexpr = qkv_ptr.dtype.element_ty
    width: tl.constexpr = HEADS * DIM
    stride: tl.constexpr = ROWS * 3 * width
    at, dims = tl.arange(0, TILE), tl.arange(0, DIMS)
    own = at < BLOCK
    qkv_ptr += r * 3 * width + head * DIM
    live = (within < BLOCK) & (first + within < frames)
    q = _rotated_rows(qkv_ptr, cos_ptr, sin_ptr, head, stride, first, within, live, dims, DIM)
    q = q.to(dtype)
    scale = DIM**-0.5 * _LOG2_E
    top = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    mixed = tl.zeros((QUERIES, DIMS), tl.float32)
    if CACHED:
        if (block < BACK) & (tl.load(state_ptr + LEFT) != 0):
            size: tl.constexpr = ROWS * BLOCK * width
            cache_ptr = aligned_floats(state_ptr, CACHE) + layer
            cache_ptr += tl.load(state_ptr + EVALUATION) * stride_of_cache
            cache_ptr += r * BLOCK * width + head * DIM
            k = _rows(cache_ptr, width, 0, at, own, dims, DIM)
            v = _rows(cache_ptr + size, width, 0, at, own, dims, DIM)
            top, total, mixed = _softmax_step(
                q, k, v, own, scale, top, total, mixed, PRECISION, dtype
            )
    for near in range(block - BACK, block + AHEAD + 1):
        start = near * BLOCK
        if (start >= 0) & (start < frames):
            seen = own & (start + at < frames)
            k = _rotated_rows(
                qkv_ptr + width, cos_ptr, sin_ptr, head, stride, start, at, seen, dims, DIM
            )
            v = _rows(qkv_ptr + 2 * width, stride, start, at, seen, dims, DIM)
            top, total, mixed = _softmax_step(
                q, k, v, seen, scale, top, total, mixed, PRECISION, dtype
            )
    inside = live[:, None] & (dims < DIM)[None, :]
    out_ptr += ((first + within) * ROWS + r)[:, None] * width + head * DIM + dims[None, :]
    tl.store(out_ptr, mixed / total[:, None], inside)


def flow_attention(
    state: Tensor, layers: int, rows: int, qkv: Tensor, heads: int, block: int, back: int,
    ahead: int, cos: Tensor, sin: Tensor, layer: int | None, out: Tensor,
    precision: str = "tf32x3",
) -> Call:  # fmt: skip
    """qkv: float32 or bfloat16 [F * rows, 3 * C]; cos, sin: float32 [F, D/2]; out: [F * rows, C].

    layers: of the cache; a ``layer`` of it only reads there: ``flow_keep`` comes after. precision:
    of products of float32, see tl.dot. Raises ValueError.
    """
    name = "flow_attention"
    dim = check_heads(name, state, qkv, rows, heads, block, cos, sin)
    frames, width = len(cos), heads * dim
    check_shape(name, "out", out, frames * rows, width)
    if min(back, ahead) < 0 or (layer is not None and (back != 1 or not 0 <= layer < layers)):
        raise ValueError(
            f"{name}: back={back}, ahead={ahead}, layer={layer} of {layers}; a cached layer looks "
            "back 1 block"
        )
    size = 2 * rows * block * width  # of a layer's cache
    args = dict(state_ptr=state, qkv_ptr=qkv, cos_ptr=cos, sin_ptr=sin, out_ptr=out)
    args |= dict(stride_of_cache=layers * size, layer=(layer or 0) * size)
    args |= dict(ROWS=rows, HEADS=heads, DIM=dim, BLOCK=block, BACK=back, AHEAD=ahead)
    args |= dict(CACHED=layer is not None, PRECISION=precision)
    args |= dict(QUERIES=QUERIES, TILE=_tile(block), DIMS=_tile(dim))
    grid = (triton.cdiv(frames, block) * triton.cdiv(block, QUERIES), heads, rows)
    work = Work(
        flops=4 * out.numel() * block * (back + 1 + ahead),
        in_flight=2 * block * dim * qkv.itemsize,
        type=type_of_products(qkv.dtype, precision),
    )
    return Call(_flow_attention_kernel, grid, args, WARPS[qkv.dtype], work=work)


def check_heads(
    name: str, state: Tensor, qkv: Tensor, rows: int, heads: int, block: int, cos: Tensor,
    sin: Tensor,
) -> int:  # fmt: skip
    """The head size. Raises ValueError unless attention between such blocks is possible."""
    dim = qkv.shape[1] // (3 * heads)
    check_state(name, state)
    check_shape(name, "cos", cos, -1, dim // 2)
    check_shape(name, "sin", sin, len(cos), dim // 2)
    check_shape(name, "qkv", qkv, len(cos) * rows, 3 * heads * dim)
    check_products(name, qkv=qkv)
    if not 0 < block <= MAX_BLOCK or not 0 < dim <= MAX_DIM or dim % 2:
        raise ValueError(
            f"{name}: blocks of {block} frames, heads of {dim}; use at most {MAX_BLOCK} frames, "
            f"and an even head size of at most {MAX_DIM}"
        )
    return dim


def _tile(size: int) -> int:
    """What holds ``size`` rows or columns in a product of tensor cores."""
    return max(triton.next_power_of_2(size), 16)
