"""Attention of one decode step, split over the cache (flash decoding): partials, then their sum.

Queries come rotated: k must be rotated and cached before any program reads it, so a launch comes
first anyway (rope_append), and q is rotated there once instead of in every split.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .attention import check_pages
from .call import Call, Work
from .softmax import LOG2_E, attend
from .state import KV_LEN, SLOT, WORDS

SPLITS = 64  # of a sequence; with 4 kv heads two for each multiprocessor of an H100
QUERIES = 16  # heads of a group, filled up to the least that a matrix instruction takes
STATS = 2  # largest score and sum of a split


@triton.jit
def _split_rows(length, splits, PAGE: tl.constexpr):
    """Cached rows that each split looks at, whole pages."""
    return tl.cdiv(tl.cdiv(length, PAGE), splits) * PAGE


@triton.jit
def _decode_partial_kernel(
    q_ptr,
    states_ptr,
    tables_ptr,
    k_pages_ptr,
    v_pages_ptr,
    partial_ptr,
    stats_ptr,
    table_stride,
    scale,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    DIM: tl.constexpr,
    PAGE: tl.constexpr,
    QUERIES: tl.constexpr,
):
    """One program a split of one kv head of one sequence; splits beyond its length do nothing."""
    split, kv_head, b = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    splits = tl.num_programs(0)
    state = states_ptr + b * WORDS
    length = tl.load(state + KV_LEN) + 1
    table = tables_ptr + tl.load(state + SLOT) * table_stride
    rows = _split_rows(length, splits, PAGE)
    begin = split * rows
    end = tl.minimum(begin + rows, length)
    group = tl.arange(0, QUERIES)
    dim = tl.arange(0, DIM)
    line = tl.arange(0, PAGE)
    head = b * HEADS + kv_head * (HEADS // KV_HEADS) + group
    real = group < HEADS // KV_HEADS
    q = tl.load(q_ptr + head[:, None] * DIM + dim[None, :], real[:, None], 0.0)
    q = q.to(k_pages_ptr.dtype.element_ty)
    top = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    out = tl.zeros((QUERIES, DIM), tl.float32)
    at = (kv_head * PAGE + line[:, None]) * DIM + dim[None, :]
    turned = (kv_head * PAGE + line[None, :]) * DIM + dim[:, None]
    # The table is read a page ahead, so that the page's rows can be copied ahead.
    index = tl.load(table + tl.minimum(begin, length - 1) // PAGE)
    for first in range(begin, end, PAGE):
        page = index.to(tl.int64) * (KV_HEADS * PAGE * DIM)
        index = tl.load(table + tl.minimum(first + PAGE, end - 1) // PAGE)
        written = first + line < end
        k = tl.load(k_pages_ptr + page + turned, written[None, :], 0.0)
        v = tl.load(v_pages_ptr + page + at, written[:, None], 0.0)
        top, total, out = attend(q, k, v, written[None, :], scale, top, total, out)
    if begin < end:
        place = head * splits + split
        tl.store(partial_ptr + place[:, None] * DIM + dim[None, :], out, real[:, None])
        tl.store(stats_ptr + 2 * place, top, real)
        tl.store(stats_ptr + 2 * place + 1, total, real)


@triton.jit
def _decode_combine_kernel(
    states_ptr,
    partial_ptr,
    stats_ptr,
    out_ptr,
    HEADS: tl.constexpr,
    DIM: tl.constexpr,
    PAGE: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """One program a head of one sequence: the sum of its splits, each with its share."""
    head, b = tl.program_id(0), tl.program_id(1)
    length = tl.load(states_ptr + b * WORDS + KV_LEN) + 1
    split = tl.arange(0, SPLITS)
    used = split * _split_rows(length, SPLITS, PAGE) < length
    place = (b * HEADS + head) * SPLITS + split
    top = tl.load(stats_ptr + 2 * place, used, float("-inf"))
    total = tl.load(stats_ptr + 2 * place + 1, used, 0.0)
    share = tl.exp2(top - tl.max(top, 0))
    dim = tl.arange(0, DIM)
    part = tl.load(partial_ptr + place[:, None] * DIM + dim[None, :], used[:, None], 0.0)
    out = tl.sum(part * share[:, None], 0) / tl.sum(total * share, 0)
    tl.store(out_ptr + (b * HEADS + head) * DIM + dim, out)


def partial_like(q: Tensor) -> tuple[Tensor, Tensor]:
    """Memory for what passes between the two launches: float32, for q [B, H, D]."""
    batch, heads, dim = q.shape
    partial = torch.empty(batch, heads, SPLITS, dim, device=q.device)
    return partial, torch.empty(batch, heads, SPLITS, STATS, device=q.device)


def paged_attention(
    q: Tensor,
    states: Tensor,
    tables: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    scratch: tuple[Tensor, Tensor],
    out: Tensor,
    expected: int = 1024,
) -> tuple[Call, Call]:
    """Attention over kv_len + 1 cached rows (its own included) of each state's slot.

    q, out: float [B, H, D], q rotated; states: int32 [B, 16]; tables: int32 [slots, pages];
    k_pages, v_pages: float [P, Hkv, page, D]; scratch: of ``partial_like``; expected: cached rows
    that the work is told for. Raises ValueError.
    """
    batch, heads, dim = q.shape
    kv_heads, page = k_pages.shape[1:3]
    check_pages("paged_attention", q, k_pages, v_pages)
    if heads // kv_heads > QUERIES:
        raise ValueError(f"paged_attention: {heads // kv_heads} heads share one; at most {QUERIES}")
    partial, stats = scratch
    args = dict(q_ptr=q, states_ptr=states, tables_ptr=tables)
    args |= dict(k_pages_ptr=k_pages, v_pages_ptr=v_pages, partial_ptr=partial, stats_ptr=stats)
    args |= dict(table_stride=tables.stride(0), scale=dim**-0.5 * LOG2_E)
    args |= dict(HEADS=heads, KV_HEADS=kv_heads, DIM=dim, PAGE=page, QUERIES=QUERIES)
    line = 2 * dim * k_pages.itemsize  # a key and a value
    used = min(SPLITS, triton.cdiv(expected, page))
    passed = batch * heads * used * (dim + STATS) * partial.itemsize
    flops = 4 * batch * heads * dim * expected
    first = Call(
        _decode_partial_kernel,
        (SPLITS, kv_heads, batch),
        args,
        stages=3,
        work=Work(batch * kv_heads * expected * line + passed, flops, 2 * page * line, "bf16"),
    )
    args = dict(states_ptr=states, partial_ptr=partial, stats_ptr=stats, out_ptr=out)
    args |= dict(HEADS=heads, DIM=dim, PAGE=page, SPLITS=SPLITS)
    work = Work(passed + out.nbytes, 2 * batch * heads * used * dim)
    return first, Call(_decode_combine_kernel, (heads, batch), args, work=work)
