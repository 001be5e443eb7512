"""Attention over the paged cache and inside segments."""

import pytest
import torch

from omnirt import ops
from omnirt.kv_rows import decode, encode
from omnirt.ops.state import KV_LEN, SLOT, new_states

DTYPES = [torch.float32, torch.bfloat16, torch.int8]
HEADS = [(1, 1, 8), (6, 2, 20), (7, 1, 128), (10, 1, 64)]  # query heads, key heads, size


def cache(randn, kv_heads: int, dim: int, page: int, pages: int, dtype: torch.dtype) -> list:
    """k_pages and v_pages [pages, kv_heads, page, row]."""
    return [encode(randn(pages, kv_heads, page, dim), dtype) for _ in range(2)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("start", [0, 5])
def test_kv_write(agree, randn, dtype, start):
    k, v = randn(70, 2, 18), randn(70, 2, 18)
    table_row = torch.randperm(12, generator=torch.Generator().manual_seed(1)).int()
    agree("kv_write", k, v, table_row, start, *cache(randn, 2, 18, 8, 12, dtype), atol=0, rtol=0)


@pytest.mark.parametrize("dim", [1, 31, 64, 100])
def test_int8_rows_are_near(randn, dim):
    rows = randn(7, dim) * torch.logspace(-3, 3, 7)[:, None]
    rows[3] = 0
    rows[4, 0] *= 300  # an outlier spoils its block only
    back = decode(encode(rows, torch.int8), dim)
    for block, near in zip(rows.split(32, 1), back.split(32, 1), strict=True):
        bound = block.abs().amax(1, keepdim=True) / 254 * 1.001
        assert ((block - near).abs() <= bound).all()
    assert (decode(encode(torch.full((1, dim), torch.inf), torch.int8), dim).isnan()).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), HEADS)
@pytest.mark.parametrize("page", [8, 64, 100])
def test_paged_attention(agree, randn, dtype, heads, kv_heads, dim, page):
    states = new_states(3)
    states[:, SLOT] = torch.tensor([1, 0, 2])
    states[:, KV_LEN] = torch.tensor([0, 130, 75])
    width = 200 // page + 1
    tables = torch.randperm(3 * width, generator=torch.Generator().manual_seed(1))
    pages = cache(randn, kv_heads, dim, page, 3 * width, dtype)
    agree("paged_attention", randn(3, heads, dim), states, tables.reshape(3, width).int(), *pages)


def test_paged_attention_over_several_stretches(agree, randn):
    states = new_states(2)
    states[:, SLOT] = torch.tensor([0, 1])
    states[:, KV_LEN] = torch.tensor([1300, 511])
    tables = torch.arange(44).reshape(2, 22).int()
    agree(
        "paged_attention",
        3 * randn(2, 4, 16),
        states,
        tables,
        *cache(randn, 2, 16, 64, 44, DTYPES[0]),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), HEADS)
@pytest.mark.parametrize(
    ("rows", "start", "page"), [(1, 0, 8), (37, 0, 64), (50, 101, 64), (3, 90, 100)]
)
def test_prefill_attention(agree, randn, dtype, heads, kv_heads, dim, rows, start, page):
    width = (start + rows) // page + 1
    table_row = torch.randperm(width, generator=torch.Generator().manual_seed(1)).int()
    pages = cache(randn, kv_heads, dim, page, width, dtype)
    agree("prefill_attention", 2 * randn(rows, heads, dim), table_row, start, *pages)


def test_prefill_ends_like_decode(isa, randn):
    q, table = randn(9, 4, 32), torch.tensor([1, 0], dtype=torch.int32)
    pages = cache(randn, 2, 32, 64, 2, DTYPES[0])
    states = new_states(1)
    states[:, KV_LEN] = 78
    last = ops.paged_attention(q[-1:], states, table[None], *pages)
    torch.testing.assert_close(ops.prefill_attention(q, table, 70, *pages)[-1:], last)


def test_an_int8_cache_is_near_a_float_one(isa, randn):
    states, table = new_states(1), torch.arange(4, dtype=torch.int32)[None]
    states[:, KV_LEN] = 200
    q, rows = randn(1, 4, 64), [randn(4, 2, 64, 64) for _ in range(2)]
    exact, near = (
        ops.paged_attention(q, states, table, *(encode(r, dtype) for r in rows))
        for dtype in (torch.float32, torch.int8)
    )
    assert not torch.equal(exact, near)
    assert (exact - near).norm() < 0.01 * exact.norm()


@pytest.mark.parametrize("boundaries", [[0, 10], [0, 3, 6, 9, 10], [0, 1, 2, 6, 10]])
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_segment_attention(agree, randn, boundaries, kv_heads):
    q, k, v = randn(10, 4, 16), randn(10, kv_heads, 16), randn(10, kv_heads, 16)
    agree("segment_attention", q, k, v, boundaries)


def test_a_nan_in_the_cache_is_seen(isa, randn):
    pages = cache(randn, 1, 16, 64, 1, DTYPES[0])
    pages[0][0, 0, 3] = torch.nan
    table = torch.zeros(1, dtype=torch.int32)
    out = ops.prefill_attention(randn(5, 2, 16), table, 0, *pages)
    assert out.isnan().all(2).all(1).tolist() == [False, False, False, True, True]
    states = new_states(1)
    states[:, KV_LEN] = 4
    assert ops.paged_attention(randn(1, 2, 16), states, table[None], *pages).isnan().all()


def test_refusals(randn):
    table = torch.zeros(1, dtype=torch.int32)
    pages = cache(randn, 2, 16, 64, 1, DTYPES[0])
    with pytest.raises(
        ValueError, match="query heads H=3, expected 1 to 64 times the key heads G=2"
    ):
        ops.prefill_attention(randn(5, 3, 16), table, 0, *pages)
    with pytest.raises(ValueError, match="kv_write: sequence of 65 rows, the table holds 64"):
        ops.kv_write(randn(5, 2, 16), randn(5, 2, 16), table, 60, *pages)
    with pytest.raises(ValueError, match="page 1, expected 0 <= page < P=1"):
        ops.kv_write(randn(5, 2, 16), randn(5, 2, 16), table + 1, 0, *pages)
    before = new_states(1)
    before[:, KV_LEN] = -1
    with pytest.raises(ValueError, match=r"states\[0\] has kv_len -1, expected 0 or more"):
        ops.paged_attention(randn(1, 2, 16), before, table[None], *pages)
    with pytest.raises(ValueError, match="v_pages is bfloat16, expected float32"):
        ops.prefill_attention(randn(5, 2, 16), table, 0, pages[0], pages[1].bfloat16())
    with pytest.raises(ValueError, match="table_row is int64, expected int32"):
        ops.prefill_attention(randn(5, 2, 16), table.long(), 0, *pages)
