"""Rotary positions."""

import pytest
import torch

from omnirt import ops
from omnirt.kv_rows import decode, encode
from omnirt.ops.state import KV_LEN, POSITION, SLOT, new_states


def inv_freq(half: int) -> torch.Tensor:
    return 10000.0 ** (-torch.arange(half) / half)


@pytest.mark.parametrize("section", [None, (2, 3, 3)])
def test_rope_angles(agree, section):
    positions = torch.arange(3 * 21).reshape(3, 21) * 500
    agree("rope_angles", positions, inv_freq(8), section, atol=1e-6)


def test_state_rope_angles(agree):
    states = new_states(3)
    states[:, POSITION] = torch.tensor([0, 7, 31999])
    agree("state_rope_angles", states, inv_freq(9), atol=1e-6)


@pytest.mark.parametrize(("rows", "heads", "dim"), [(1, 1, 2), (5, 3, 20), (33, 2, 128)])
def test_rope(agree, randn, rows, heads, dim):
    agree("rope", randn(rows, heads, dim), *(randn(rows, dim // 2) for _ in range(2)), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dim", [6, 128])
def test_rope_append(agree, randn, dtype, dim):
    states = new_states(2)
    states[:, SLOT] = torch.tensor([2, 0])
    states[:, KV_LEN] = torch.tensor([7, 4])
    tables = torch.tensor([[3, 1], [-1, -1], [0, 4]], dtype=torch.int32)
    k_pages, v_pages = (randn(5, 2, 4, dim, dtype=dtype) for _ in range(2))
    q, k, v = randn(2, 6, dim), randn(2, 2, dim), randn(2, 2, dim)
    angles = [randn(2, dim // 2) for _ in range(2)]
    # one bfloat16 step: the last bit of a rotated float32 may round the other way
    rtol = 1e-2 if dtype == torch.bfloat16 else 1e-5
    agree("rope_append", q, k, v, *angles, states, tables, k_pages, v_pages, rtol=rtol)


def test_rope_append_to_int8(isa, randn):
    states, tables = new_states(1), torch.tensor([[1, 0]], dtype=torch.int32)
    states[:, KV_LEN] = 5
    q, k, v = randn(1, 6, 40), randn(1, 2, 40), randn(1, 2, 40)
    angles = [randn(1, 20) for _ in range(2)]
    pages = [encode(torch.zeros(2, 2, 4, 40), torch.int8) for _ in range(2)]
    ops.rope_append(q, k, v, *angles, states, tables, *pages)
    cached = [decode(p[0, :, 1], 40) for p in pages]  # row 5 is the second of page 0
    # half a step of the block, and a last bit of the rotated value that may round the other way
    torch.testing.assert_close(cached[0], ops.rope(k, *angles)[0], atol=0.03, rtol=0)
    torch.testing.assert_close(cached[1], decode(encode(v[0], torch.int8), 40))


def test_refuses_a_cache_that_is_full(randn):
    states = new_states(1)
    states[:, KV_LEN] = 8
    pages = [randn(2, 1, 4, 6) for _ in range(2)]
    tables = torch.tensor([[0, 1]], dtype=torch.int32)
    args = [randn(1, 1, 6) for _ in range(3)] + [randn(1, 3) for _ in range(2)]
    with pytest.raises(ValueError, match="rope_append: sequence of 9 rows, the table holds 8"):
        ops.rope_append(*args, states, tables, *pages)
    states[:, KV_LEN] = 4
    tables[0, 1] = -1
    with pytest.raises(ValueError, match="page -1, expected 0 <= page < P=2"):
        ops.rope_append(*args, states, tables, *pages)
