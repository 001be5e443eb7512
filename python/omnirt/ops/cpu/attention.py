"""Attention: C++ over the paged cache, torch inside the encoders' segments."""

from collections import defaultdict

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt import _core

from ._dense import dense


def kv_write(
    k: Tensor, v: Tensor, table_row: Tensor, start: int, k_pages: Tensor, v_pages: Tensor
) -> None:
    """k, v: float32 [T, Hkv, D]; table_row: int32 [pages]; rows start..start+T are written."""
    _core.kv_write(dense(k), dense(v), table_row, start, k_pages, v_pages)


def prefill_attention(
    q: Tensor, table_row: Tensor, start: int, k_pages: Tensor, v_pages: Tensor
) -> Tensor:
    """q: float32 [T, H, D]; k_pages, v_pages: [P, Hkv, page, D]. Returns float32 [T, H, D]."""
    q = dense(q)
    out = torch.empty_like(q)
    _core.prefill_attention(q, table_row, start, k_pages, v_pages, out)
    return out


def paged_attention(
    q: Tensor, states: Tensor, tables: Tensor, k_pages: Tensor, v_pages: Tensor
) -> Tensor:
    """q: float32 [B, H, D]; tables: int32 [slots, pages]. Returns float32 [B, H, D]."""
    q = dense(q)
    batch, heads, dim = q.shape
    splits = -(-tables.shape[1] * k_pages.shape[2] // _core.ATTENTION_SPLIT)
    partial = torch.empty(batch, heads, splits, dim + 2)
    out = torch.empty_like(q)
    _core.paged_attention(q, states, tables, k_pages, v_pages, partial, out)
    return out


def segment_attention(q: Tensor, k: Tensor, v: Tensor, boundaries: list[int]) -> Tensor:
    """Segments of one length are one batch. q, k, v: float32 [T, H, D]. Returns [T, H, D]."""
    if _core.Plan.is_recording():
        return NotImplemented
    starts = defaultdict(list)
    for a, b in zip(boundaries[:-1], boundaries[1:], strict=True):
        starts[b - a].append(a)
    out = torch.empty_like(q, dtype=torch.float32)
    for length, begin in starts.items():
        rows = torch.tensor(begin)[:, None] + torch.arange(length)  # [segments, length]
        part = [x[rows].transpose(1, 2).float() for x in (q, k, v)]  # [segments, H, length, D]
        grouped = q.shape[1] != k.shape[1]
        out[rows] = F.scaled_dot_product_attention(*part, enable_gqa=grouped).transpose(1, 2)
    return out
