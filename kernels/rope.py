"""Rotary positions with the three axes of TMRoPE (arXiv 2503.20215), and the paged cache's append.

Angles are computed once a step or chunk and serve all layers, so the layers' kernels hold no trig.
"""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call
from .common import power_of_two
from .state import KV_LEN, SLOT, WORDS

PREFILL_ROWS = 16  # rows that a program rotates


@triton.jit
def _rope_angles_kernel(
    positions_ptr,
    inv_freq_ptr,
    cos_ptr,
    sin_ptr,
    axis_stride,
    row_stride,
    HALF: tl.constexpr,
    FIRST: tl.constexpr,
    SECOND: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Row t: cos and sin of position[axis(f), t] * inv_freq[f]. One program a row.

    Frequencies below FIRST follow axis 0, those below SECOND axis 1, the others axis 2.
    """
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    axis = (at >= FIRST).to(tl.int32) + (at >= SECOND).to(tl.int32)
    position = tl.load(positions_ptr + axis * axis_stride + row * row_stride, inside, 0)
    angle = position.to(tl.float32) * tl.load(inv_freq_ptr + at, inside, 0.0)
    tl.store(cos_ptr + row * HALF + at, tl.cos(angle), inside)
    tl.store(sin_ptr + row * HALF + at, tl.sin(angle), inside)


@triton.jit
def _halves(x_ptr, bias_ptr, row, row_stride, head, inside, HALF: tl.constexpr):
    """Both halves of a head's rows, with their bias: float32 [ROWS, HALF] each."""
    at = tl.arange(0, HALF)
    first = x_ptr + row[:, None] * row_stride + head * 2 * HALF + at[None, :]
    a = tl.load(first, inside, 0.0).to(tl.float32)
    b = tl.load(first + HALF, inside, 0.0).to(tl.float32)
    if bias_ptr is not None:
        a += tl.load(bias_ptr + head * 2 * HALF + at).to(tl.float32)[None, :]
        b += tl.load(bias_ptr + head * 2 * HALF + HALF + at).to(tl.float32)[None, :]
    return a, b


@triton.jit
def _rotate(a, b, cos_ptr, sin_ptr, row, inside, HALF: tl.constexpr):
    """(a, b) -> (a cos - b sin, b cos + a sin)."""
    at = row[:, None] * HALF + tl.arange(0, HALF)[None, :]
    cos, sin = tl.load(cos_ptr + at, inside, 0.0), tl.load(sin_ptr + at, inside, 0.0)
    return a * cos - b * sin, b * cos + a * sin


@triton.jit
def _store_halves(first, a, b, inside, HALF: tl.constexpr):
    tl.store(first, a, inside)
    tl.store(first + HALF, b, inside)


@triton.jit
def _rope_append_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    q_bias_ptr,
    k_bias_ptr,
    v_bias_ptr,
    cos_ptr,
    sin_ptr,
    states_ptr,
    tables_ptr,
    k_pages_ptr,
    v_pages_ptr,
    out_ptr,
    rows,
    start,
    q_stride,
    k_stride,
    v_stride,
    table_stride,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HALF: tl.constexpr,
    PAGE: tl.constexpr,
    ROWS: tl.constexpr,
):
    """One program a head of ROWS rows: q is rotated, k is rotated and cached, v is cached."""
    head = tl.program_id(1)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = (row < rows)[:, None]
    at = tl.arange(0, HALF)[None, :]
    if head < HEADS:
        a, b = _halves(q_ptr, q_bias_ptr, row, q_stride, head, inside, HALF)
        a, b = _rotate(a, b, cos_ptr, sin_ptr, row, inside, HALF)
        out = out_ptr + (row[:, None] * HEADS + head) * 2 * HALF + at
        _store_halves(out, a, b, inside, HALF)
    else:
        if states_ptr is not None:  # a row is a sequence
            place = tl.load(states_ptr + row * WORDS + KV_LEN, row < rows, 0)
            table = tl.load(states_ptr + row * WORDS + SLOT, row < rows, 0) * table_stride
        else:  # rows of one sequence, whose table this is
            place = start + row
            table = row * 0
        page = tl.load(tables_ptr + table + place // PAGE, row < rows, 0).to(tl.int64)
        kv_head = (head - HEADS) % KV_HEADS
        line = (page * KV_HEADS + kv_head) * PAGE + place % PAGE
        to = line[:, None] * 2 * HALF + at
        if head < HEADS + KV_HEADS:
            a, b = _halves(k_ptr, k_bias_ptr, row, k_stride, kv_head, inside, HALF)
            a, b = _rotate(a, b, cos_ptr, sin_ptr, row, inside, HALF)
            _store_halves(k_pages_ptr + to, a, b, inside, HALF)
        else:
            a, b = _halves(v_ptr, v_bias_ptr, row, v_stride, kv_head, inside, HALF)
            _store_halves(v_pages_ptr + to, a, b, inside, HALF)


@triton.jit
def _rope_kernel(
    x_ptr, cos_ptr, sin_ptr, out_ptr, rows, x_stride, HEADS, HALF: tl.constexpr, BLOCK: tl.constexpr
):
    """One program a head of a row; a half may be any length up to BLOCK."""
    row, head = tl.program_id(0), tl.program_id(1)
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    first = x_ptr + row.to(tl.int64) * x_stride + head * 2 * HALF + at
    a = tl.load(first, inside, 0.0).to(tl.float32)
    b = tl.load(first + HALF, inside, 0.0).to(tl.float32)
    cos = tl.load(cos_ptr + row * HALF + at, inside, 0.0)
    sin = tl.load(sin_ptr + row * HALF + at, inside, 0.0)
    out = out_ptr + (row.to(tl.int64) * HEADS + head) * 2 * HALF + at
    tl.store(out, a * cos - b * sin, inside)
    tl.store(out + HALF, b * cos + a * sin, inside)


def rope_angles(
    positions: Tensor,
    inv_freq: Tensor,
    section: tuple[int, ...] | None,
    cos: Tensor,
    sin: Tensor,
) -> Call:
    """cos, sin of every position's angles, float32 [T, D/2].

    positions: int [axes, T], any strides: ``states[None, :, POSITION]`` while decoding, without a
    section. inv_freq: float32 [D/2]; section: frequencies of each of at most three axes.
    Raises ValueError.
    """
    rows, half = positions.shape[1], inv_freq.shape[0]
    if cos.shape != (rows, half) or sin.shape != cos.shape:
        raise ValueError(f"rope_angles: cos is {list(cos.shape)}, must be [{rows}, {half}]")
    if section is not None and (
        sum(section) != half or not len(section) <= positions.shape[0] <= 3
    ):
        raise ValueError(f"rope_angles: section={section} does not split {half} frequencies")
    first, second, *_ = (*(section or ()), half, half)
    args = dict(positions_ptr=positions, inv_freq_ptr=inv_freq, cos_ptr=cos, sin_ptr=sin)
    args |= dict(axis_stride=positions.stride(0), row_stride=positions.stride(1))
    args |= dict(HALF=half, FIRST=first, SECOND=min(first + second, half))
    args |= dict(BLOCK=triton.next_power_of_2(half))
    return Call(_rope_angles_kernel, (rows,), args, warps=1)


def rope_append(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: tuple[Tensor, Tensor, Tensor] | None,
    cos: Tensor,
    sin: Tensor,
    states: Tensor | None,
    tables: Tensor,
    start: int,
    k_pages: Tensor,
    v_pages: Tensor,
    out: Tensor,
) -> Call:
    """out = q rotated; k rotated and v go to the cache. The bias is added before all that.

    q: float [T, H * D]; k, v: [T, Hkv * D], parts of one matrix perhaps; bias: of q, k and v.
    cos, sin: float32 [T, D/2]; k_pages, v_pages: float [P, Hkv, page, D]; out: float [T, H, D].
    With states (int32 [T, 16]) a row is a sequence's next one and tables is int32 [slots, pages];
    without, the rows follow row ``start`` of the sequence of tables, int32 [pages].
    Raises ValueError.
    """
    rows, heads, dim = out.shape
    kv_heads, page = k_pages.shape[1:3]
    power_of_two("rope_append", head_dim=dim, page=page)
    if k_pages.shape[3] != dim or k_pages.shape != v_pages.shape:
        raise ValueError(f"rope_append: pages are {list(k_pages.shape)}, their rows must be {dim}")
    if not k_pages.dtype.is_floating_point:
        raise ValueError(f"rope_append: pages of {k_pages.dtype}; use float32, bfloat16 or float16")
    for name, x, count in (("q", q, heads), ("k", k, kv_heads), ("v", v, kv_heads)):
        if x.shape != (rows, count * dim) or x.stride(1) != 1:
            raise ValueError(
                f"rope_append: {name} is {list(x.shape)}, must be {[rows, count * dim]}"
            )
    block = 1 if rows <= PREFILL_ROWS else PREFILL_ROWS
    args = dict(q_ptr=q, k_ptr=k, v_ptr=v)
    args |= dict(zip(("q_bias_ptr", "k_bias_ptr", "v_bias_ptr"), bias or (None,) * 3, strict=True))
    args |= dict(cos_ptr=cos, sin_ptr=sin, states_ptr=states, tables_ptr=tables)
    args |= dict(k_pages_ptr=k_pages, v_pages_ptr=v_pages, out_ptr=out, rows=rows, start=start)
    args |= dict(q_stride=q.stride(0), k_stride=k.stride(0), v_stride=v.stride(0))
    args |= dict(table_stride=0 if states is None else tables.stride(0))
    args |= dict(HEADS=heads, KV_HEADS=kv_heads, HALF=dim // 2, PAGE=page, ROWS=block)
    grid = (triton.cdiv(rows, block), heads + 2 * kv_heads)
    return Call(_rope_append_kernel, grid, args, warps=1 if block == 1 else 4)


def rope(x: Tensor, cos: Tensor, sin: Tensor, out: Tensor) -> Call:
    """out = x rotated. x: float [T, H * D], rows of a wider matrix perhaps; cos, sin: float32
    [T, D/2]; out: float [T, H, D]. Raises ValueError."""
    rows, heads, dim = out.shape
    if x.shape != (rows, heads * dim) or x.stride(1) != 1 or not out.is_contiguous():
        raise ValueError(f"rope: x is {list(x.shape)}, must be {[rows, heads * dim]}")
    if cos.shape != (rows, dim // 2) or sin.shape != cos.shape:
        raise ValueError(f"rope: cos is {list(cos.shape)}, must be {[rows, dim // 2]}")
    args = dict(x_ptr=x, cos_ptr=cos, sin_ptr=sin, out_ptr=out, rows=rows, x_stride=x.stride(0))
    args |= dict(HEADS=heads, HALF=dim // 2, BLOCK=triton.next_power_of_2(dim // 2))
    return Call(_rope_kernel, (rows, heads), args, warps=1)
