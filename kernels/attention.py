"""Attention of a prompt's chunk over the paged cache (arXiv 2309.06180), and inside segments."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .common import power_of_two
from .softmax import LOG2_E, attend

QUERIES = 128  # rows of a tile
SEGMENT_TILE = 64  # queries, and keys, of a tile in a segment


@triton.jit
def _prefill_attention_kernel(
    q_ptr,
    table_ptr,
    k_pages_ptr,
    v_pages_ptr,
    out_ptr,
    rows,
    start,
    scale,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    DIM: tl.constexpr,
    PAGE: tl.constexpr,
    TILE: tl.constexpr,
):
    """One program a tile of queries of one head. The longest tiles start first."""
    tile = tl.num_programs(0) - 1 - tl.program_id(0)
    head = tl.program_id(1)
    row = tile * TILE + tl.arange(0, TILE)
    dim = tl.arange(0, DIM)
    place = (row[:, None] * HEADS + head) * DIM + dim[None, :]
    inside = (row < rows)[:, None]
    q = tl.load(q_ptr + place, inside, 0.0).to(k_pages_ptr.dtype.element_ty)
    top = tl.full((TILE,), float("-inf"), tl.float32)
    total = tl.zeros((TILE,), tl.float32)
    out = tl.zeros((TILE, DIM), tl.float32)
    length = start + tl.minimum(tile * TILE + TILE, rows)
    whole = (start + tile * TILE + 1) // PAGE * PAGE  # every query of the tile sees these keys
    line = tl.arange(0, PAGE)
    kv_head = head // (HEADS // KV_HEADS)
    at = (kv_head * PAGE + line[:, None]) * DIM + dim[None, :]
    turned = (kv_head * PAGE + line[None, :]) * DIM + dim[:, None]
    index = tl.load(table_ptr)  # a page ahead, so that its rows can be copied ahead
    for first in range(0, whole, PAGE):
        page = index.to(tl.int64) * (KV_HEADS * PAGE * DIM)
        index = tl.load(table_ptr + tl.minimum(first + PAGE, length - 1) // PAGE)
        k, v = tl.load(k_pages_ptr + page + turned), tl.load(v_pages_ptr + page + at)
        top, total, out = attend(q, k, v, (line >= 0)[None, :], scale, top, total, out)
    for first in range(whole, length, PAGE):
        page = index.to(tl.int64) * (KV_HEADS * PAGE * DIM)
        index = tl.load(table_ptr + tl.minimum(first + PAGE, length - 1) // PAGE)
        written = first + line < length
        k = tl.load(k_pages_ptr + page + turned, written[None, :], 0.0)
        v = tl.load(v_pages_ptr + page + at, written[:, None], 0.0)
        visible = (first + line)[None, :] <= (start + row)[:, None]
        top, total, out = attend(q, k, v, visible, scale, top, total, out)
    tl.store(out_ptr + place, out / total[:, None], inside)


@triton.jit
def _segment_attention_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    tiles_ptr,
    out_ptr,
    row_stride,
    scale,
    HEADS: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK: tl.constexpr,
    TILE: tl.constexpr,
):
    """One program a tile of queries of one head. tiles: its first row, its segment's two ends."""
    tile, head = tl.program_id(0), tl.program_id(1)
    first = tl.load(tiles_ptr + 3 * tile)
    begin, end = tl.load(tiles_ptr + 3 * tile + 1), tl.load(tiles_ptr + 3 * tile + 2)
    row = first + tl.arange(0, TILE)
    dim = tl.arange(0, BLOCK)
    inside = (row < end)[:, None] & (dim < DIM)[None, :]
    at = row[:, None] * row_stride + head * DIM + dim[None, :]
    q = tl.load(q_ptr + at, inside, 0.0)
    top = tl.full((TILE,), float("-inf"), tl.float32)
    total = tl.zeros((TILE,), tl.float32)
    out = tl.zeros((TILE, BLOCK), tl.float32)
    for key in range(begin, end, TILE):
        line = key + tl.arange(0, TILE)
        at = line[:, None] * row_stride + head * DIM + dim[None, :]
        v = tl.load(v_ptr + at, (line < end)[:, None] & (dim < DIM)[None, :], 0.0)
        turned = line[None, :] * row_stride + head * DIM + dim[:, None]
        k = tl.load(k_ptr + turned, (line < end)[None, :] & (dim < DIM)[:, None], 0.0)
        top, total, out = attend(q, k, v, (line < end)[None, :], scale, top, total, out)
    place = (row[:, None] * HEADS + head) * DIM + dim[None, :]
    tl.store(out_ptr + place, out / total[:, None], inside)


def prefill_attention(
    q: Tensor, table: Tensor, start: int, k_pages: Tensor, v_pages: Tensor, out: Tensor
) -> Call:
    """Causal attention of prompt rows start..start+T over what is cached up to each row.

    q, out: float [T, H, D], q rotated; table: int32 [pages] of the sequence; k_pages, v_pages:
    float [P, Hkv, page, D], the rows' own included. Raises ValueError.
    """
    rows, heads, dim = q.shape
    kv_heads, page = k_pages.shape[1:3]
    check_pages("prefill_attention", q, k_pages, v_pages)
    tile = min(QUERIES, max(16, triton.next_power_of_2(rows)))
    if k_pages.dtype == torch.float32:
        tile = min(tile, 32)  # products without tensor cores take more registers
    args = dict(q_ptr=q, table_ptr=table, k_pages_ptr=k_pages, v_pages_ptr=v_pages, out_ptr=out)
    args |= dict(rows=rows, start=start, scale=dim**-0.5 * LOG2_E)
    args |= dict(HEADS=heads, KV_HEADS=kv_heads, DIM=dim, PAGE=page, TILE=tile)
    pairs = rows * start + rows * (rows + 1) // 2
    cached = 2 * (start + rows) * kv_heads * dim * k_pages.itemsize
    in_flight = 4 * page * dim * k_pages.itemsize  # two pages of keys and values
    work = Work(q.nbytes + out.nbytes + cached, 4 * heads * dim * pairs, in_flight, "bf16")
    return Call(
        _prefill_attention_kernel,
        (triton.cdiv(rows, tile), heads),
        args,
        warps=8 if tile == QUERIES else 4,
        stages=3,
        work=work,
    )


def tiles_of(boundaries: list[int]) -> list[list[int]]:
    """The tiles that ``segment_attention`` reads, of segments b_i..b_{i+1}: rows of three."""
    return [
        [first, a, b]
        for a, b in zip(boundaries[:-1], boundaries[1:], strict=True)
        for first in range(a, b, SEGMENT_TILE)
    ]


def segment_attention(q: Tensor, k: Tensor, v: Tensor, tiles: Tensor, out: Tensor) -> Call:
    """Full attention inside each segment, none across: an encoder's windows, chunks or frames.

    q, k, v, out: float [T, H, D], dense and of one dtype; tiles: int32 [tiles, 3] of ``tiles_of``.
    Raises ValueError.
    """
    rows, heads, dim = q.shape
    for name, x in (("k", k), ("v", v), ("out", out)):
        if x.shape != q.shape or not x.is_contiguous() or (name != "out" and x.dtype != q.dtype):
            raise ValueError(
                f"segment_attention: {name} is {x.dtype} {list(x.shape)}, must be as q, "
                f"{q.dtype} {list(q.shape)}"
            )
    args = dict(q_ptr=q, k_ptr=k, v_ptr=v, tiles_ptr=tiles, out_ptr=out, row_stride=heads * dim)
    args |= dict(scale=dim**-0.5 * LOG2_E, HEADS=heads, DIM=dim)
    args |= dict(BLOCK=max(16, triton.next_power_of_2(dim)), TILE=SEGMENT_TILE)
    return Call(_segment_attention_kernel, (tiles.shape[0], heads), args, warps=4, stages=3)


def check_pages(name: str, q: Tensor, k_pages: Tensor, v_pages: Tensor) -> None:
    """Raise ValueError unless a kernel can attend from q [.., H, D] to these pages."""
    heads, dim = q.shape[-2:]
    kv_heads, page = k_pages.shape[1:3]
    power_of_two(name, head_dim=dim, page=page)
    if k_pages.shape != v_pages.shape or k_pages.shape[3] != dim or heads % kv_heads or page < 16:
        raise ValueError(f"{name}: pages of {list(k_pages.shape)} for {heads} heads of {dim}")
    if not k_pages.dtype.is_floating_point or not q.is_contiguous():
        raise ValueError(f"{name}: pages of {k_pages.dtype}; use float32, bfloat16 or float16")
