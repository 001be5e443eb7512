"""Scaled dot-product attention (arXiv 1706.03762), over a paged cache or over segments."""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.kv_rows import decode, encode
from omnirt.ops.state import KV_LEN, SLOT


def kv_write(
    k: Tensor, v: Tensor, table_row: Tensor, start: int, k_pages: Tensor, v_pages: Tensor
) -> None:
    """Write rows start..start+T of a sequence into its pages.

    k, v: float32 [T, Hkv, D]; table_row: int32 [pages]; k_pages, v_pages: [P, Hkv, page, R],
    R elements a row: D, or for int8 those of ``kv_rows``.
    """
    at = torch.arange(start, start + k.shape[0])
    size = k_pages.shape[2]
    pages, offsets = table_row[at // size].long(), at % size
    k_pages[pages, :, offsets] = encode(k, k_pages.dtype)
    v_pages[pages, :, offsets] = encode(v, v_pages.dtype)


def _gather(pages: Tensor, table_row: Tensor, length: int, dim: int) -> Tensor:
    """The first ``length`` cached rows of a sequence, float32 [Hkv, length, D]."""
    count = -(-length // pages.shape[2])
    rows = pages[table_row[:count].long()].transpose(0, 1)  # [Hkv, count, page, D]
    return decode(rows.flatten(1, 2)[:, :length], dim)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """q: [H, T, D]; k, v: [Hkv, S, D]; mask: bool [T, S], True is visible. Returns [H, T, D]."""
    group = q.shape[0] // k.shape[0]
    k, v = k.repeat_interleave(group, 0), v.repeat_interleave(group, 0)
    return F.scaled_dot_product_attention(q.float(), k, v, mask)


def prefill_attention(
    q: Tensor, table_row: Tensor, start: int, k_pages: Tensor, v_pages: Tensor
) -> Tensor:
    """Causal attention of prompt rows start..start+T over everything cached up to each row.

    q: float32 [T, H, D], already rotated; the rows' own k, v are in the cache. Returns [T, H, D].
    """
    length = start + q.shape[0]
    k, v = (_gather(pages, table_row, length, q.shape[2]) for pages in (k_pages, v_pages))
    visible = torch.arange(length) <= torch.arange(start, length)[:, None]
    return _attend(q.transpose(0, 1), k, v, visible).transpose(0, 1)


def paged_attention(
    q: Tensor, states: Tensor, tables: Tensor, k_pages: Tensor, v_pages: Tensor
) -> Tensor:
    """Attention of one decode step over kv_len + 1 cached rows (its own included).

    q: float32 [B, H, D], rotated. Returns float32 [B, H, D].
    """
    out = []
    for row, state in zip(q, states.tolist(), strict=True):
        table, length = tables[state[SLOT]], state[KV_LEN] + 1
        k, v = (_gather(pages, table, length, q.shape[2]) for pages in (k_pages, v_pages))
        out.append(_attend(row[:, None], k, v)[:, 0])
    return torch.stack(out)


def segment_attention(q: Tensor, k: Tensor, v: Tensor, boundaries: list[int]) -> Tensor:
    """Full attention inside each segment, none across. q, k, v: float32 [T, H, D].

    boundaries: 0 = b0 < b1 < ... < bn = T; segment i is rows b_i..b_{i+1}. Returns [T, H, D].
    """
    out = torch.empty_like(q, dtype=torch.float32)
    for a, b in zip(boundaries[:-1], boundaries[1:], strict=True):
        part = [x[a:b].transpose(0, 1).float() for x in (q, k, v)]
        out[a:b] = _attend(*part).transpose(0, 1)
    return out
