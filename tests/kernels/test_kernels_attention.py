"""Rotary positions, the cache's append and attention: kernels against the reference."""

import pytest
import torch
from torch import Tensor

from omnirt.kernels import attention, decode_attention, rope
from omnirt.ops import reference
from omnirt.ops.state import KV_LEN, POSITION, SLOT, new_states

PAGE = 16
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 2e-2}


def close(got: Tensor, want: Tensor, dtype: torch.dtype) -> None:
    torch.testing.assert_close(got.float(), want, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def pages(kv_heads: int, dim: int, dtype: torch.dtype, count: int = 12) -> tuple[Tensor, Tensor]:
    """Pages that hold NaN where nothing was written."""
    shape = (count, kv_heads, PAGE, dim)
    return tuple(torch.full(shape, torch.nan, dtype=dtype) for _ in range(2))


def tables(slots: int = 3, count: int = 4) -> Tensor:
    return torch.randperm(slots * count, dtype=torch.int32).view(slots, count)


def filled(lengths: list[int], heads: tuple[int, int], dim: int, dtype: torch.dtype):
    """Pages and tables of sequences whose cache has so many rows."""
    k_pages, v_pages = pages(heads[1], dim, dtype)
    table = tables(len(lengths))
    for slot, length in enumerate(lengths):
        k, v = torch.randn(2, length, heads[1], dim)
        reference.attention.kv_write(k, v, table[slot], 0, k_pages, v_pages)
    return table, k_pages, v_pages


@pytest.mark.parametrize("section", [None, (4, 7, 5), (8, 8, 0)])
def test_rope_angles(section):
    positions = torch.randint(0, 30000, (3, 5))
    inv_freq = 1e6 ** (-torch.arange(0, 1, 1 / 16))
    cos, sin = torch.empty(2, 5, 16)
    rope.rope_angles(positions, inv_freq, section, cos, sin).run()
    for got, want in zip(
        (cos, sin), reference.rope.rope_angles(positions, inv_freq, section), strict=True
    ):
        close(got, want, torch.float32)


def test_rope_angles_of_states():
    states = new_states(3)
    states[:, POSITION] = torch.tensor([5, 0, 777])
    inv_freq = torch.rand(20)
    cos, sin = torch.empty(2, 3, 20)
    rope.rope_angles(states[None, :, POSITION], inv_freq, None, cos, sin).run()
    for got, want in zip(
        (cos, sin), reference.rope.state_rope_angles(states, inv_freq), strict=True
    ):
        close(got, want, torch.float32)


@pytest.mark.parametrize("heads", [2, 5])
def test_rope(heads):
    wide, cos, sin = torch.randn(7, heads * 20 + 3), torch.randn(7, 10), torch.randn(7, 10)
    x, out = wide[:, 3:], torch.empty(7, heads, 20)
    rope.rope(x, cos, sin, out).run()
    close(out, reference.rope.rope(x.unflatten(1, (heads, 20)), cos, sin), torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("biased", [True, False])
def test_rope_append_decode(dtype, biased):
    heads, kv_heads, dim = 6, 2, 32
    states, table = new_states(3), tables()
    states[:, KV_LEN], states[:, SLOT] = torch.tensor([0, 17, 63]), torch.tensor([2, 0, 1])
    qkv = torch.randn(3, (heads + 2 * kv_heads) * dim)
    parts = qkv.split([heads * dim, kv_heads * dim, kv_heads * dim], 1)
    bias = tuple(torch.randn(x.shape[1]) for x in parts) if biased else None
    cos, sin = torch.randn(2, 3, dim // 2)
    got, want = pages(kv_heads, dim, dtype), pages(kv_heads, dim, dtype)
    out = torch.empty(3, heads, dim)
    rope.rope_append(*parts, bias, cos, sin, states, table, 0, *got, out).run()
    added = [x + y for x, y in zip(parts, bias, strict=True)] if biased else parts
    q, k, v = (x.unflatten(1, (-1, dim)) for x in added)
    close(out, reference.rope.rope_append(q, k, v, cos, sin, states, table, *want), torch.float32)
    for x, y in zip(got, want, strict=True):
        torch.testing.assert_close(x, y, equal_nan=True)


def test_rope_append_prefill():
    heads, kv_heads, dim, start, rows = 4, 1, 16, 13, 21
    q, k, v = (torch.randn(rows, n * dim) for n in (heads, kv_heads, kv_heads))
    cos, sin = torch.randn(2, rows, dim // 2)
    table = tables()[1]
    got, want = pages(kv_heads, dim, torch.float32), pages(kv_heads, dim, torch.float32)
    out = torch.empty(rows, heads, dim)
    rope.rope_append(q, k, v, None, cos, sin, None, table, start, *got, out).run()
    q, k, v = (x.unflatten(1, (-1, dim)) for x in (q, k, v))
    close(out, reference.rope.rope(q, cos, sin), torch.float32)
    reference.attention.kv_write(reference.rope.rope(k, cos, sin), v, table, start, *want)
    for x, y in zip(got, want, strict=True):
        torch.testing.assert_close(x, y, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("start", "rows"), [(0, 1), (0, 40), (15, 17), (33, 20)])
def test_prefill_attention(dtype, start, rows):
    heads, dim = (6, 2), 32
    table, k_pages, v_pages = filled([start + rows], heads, dim, dtype)
    q, out = torch.randn(rows, heads[0], dim), torch.empty(rows, heads[0], dim)
    attention.prefill_attention(q, table[0], start, k_pages, v_pages, out).run()
    want = reference.attention.prefill_attention(q, table[0], start, k_pages, v_pages)
    close(out, want, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("heads", [(3, 1), (14, 2)])
def test_paged_attention(dtype, heads, monkeypatch):
    monkeypatch.setattr(decode_attention, "SPLITS", 2)
    lengths, dim = [1, 64, 19], 32
    table, k_pages, v_pages = filled(lengths, heads, dim, dtype)
    states = new_states(3)
    states[:, SLOT] = torch.tensor([1, 2, 0])
    states[:, KV_LEN] = torch.tensor([lengths[slot] - 1 for slot in (1, 2, 0)])
    q, out = torch.randn(3, heads[0], dim), torch.empty(3, heads[0], dim)
    scratch = decode_attention.partial_like(q)
    for call in decode_attention.paged_attention(q, states, table, k_pages, v_pages, scratch, out):
        call.run()
    want = reference.attention.paged_attention(q, states, table, k_pages, v_pages)
    close(out, want, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dim", [16, 20])
def test_segment_attention(dtype, dim):
    boundaries = [0, 5, 70, 71]
    q, k, v = torch.randn(3, 71, 2, dim).to(dtype)
    out = torch.empty(71, 2, dim)
    tiles = torch.tensor(attention.tiles_of(boundaries), dtype=torch.int32)
    attention.segment_attention(q, k, v, tiles, out).run()
    want = reference.attention.segment_attention(q, k, v, boundaries)
    close(out, want, dtype)


def test_refusals():
    q, kv = torch.randn(2, 4, 32), torch.randn(3, 2, PAGE, 32)
    with pytest.raises(ValueError, match="power of two"):
        attention.prefill_attention(q[:, :, :24], tables()[0], 0, kv[..., :24], kv[..., :24], q)
    with pytest.raises(ValueError, match="pages of torch.int8"):
        attention.prefill_attention(q, tables()[0], 0, kv.char(), kv.char(), q)
    many = torch.randn(1, 34, 32)
    scratch = decode_attention.partial_like(many)
    with pytest.raises(ValueError, match="at most 16"):
        decode_attention.paged_attention(many, new_states(), tables(), kv, kv, scratch, many)
    with pytest.raises(ValueError, match="k is"):
        attention.segment_attention(q, q[:1], q, tables(), q)
    with pytest.raises(ValueError, match="section"):
        rope.rope_angles(tables(), torch.rand(6), (2, 2), *torch.empty(2, 4, 6))
    with pytest.raises(ValueError, match="q is"):
        rope.rope_append(
            *(torch.randn(2, 9),) * 3, None, *torch.empty(2, 2, 16), None, tables()[0], 0, kv, kv, q
        )
    with pytest.raises(ValueError, match="x is"):
        rope.rope(torch.randn(2, 9), *torch.empty(2, 2, 16), q)
