"""Lookups, and the ring that passes rows from the thinker to the talker."""

import pytest
import torch

from omnirt import ops
from omnirt.ops.state import ROW, SLOT, TEXT_ROWS, TOKEN, new_states

DTYPES = [torch.float32, torch.bfloat16]


def states(*rows: dict[int, int]) -> torch.Tensor:
    """One state per dict of word -> value."""
    made = new_states(len(rows))
    for state, words in zip(made, rows, strict=True):
        for word, value in words.items():
            state[word] = value
    return made


@pytest.mark.parametrize("dtype", DTYPES)
def test_embed(agree, randn, dtype):
    ids = torch.tensor([0, 10, 3, 3] * 20)
    agree("embed", ids, randn(11, 37, dtype=dtype), atol=0, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_state_embed(agree, randn, dtype):
    agree("state_embed", states({TOKEN: 4}, {TOKEN: 0}), randn(5, 19, dtype=dtype), atol=0, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_talker_input_takes_ring_then_eos_then_pad(agree, randn, dtype):
    due = [
        {TOKEN: 1, SLOT: 1, ROW: 2, TEXT_ROWS: 2**31 - 1},
        {TOKEN: 2, SLOT: 0, ROW: 9, TEXT_ROWS: 10},
        {TOKEN: 0, SLOT: 1, ROW: 10, TEXT_ROWS: 10},
        {TOKEN: 3, SLOT: 1, ROW: 11, TEXT_ROWS: 10},
    ]
    rows = [randn(19, dtype=dtype) for _ in range(2)]
    agree("talker_input", states(*due), randn(4, 19, dtype=dtype), randn(2, 4, 19), *rows, atol=0)


def test_ring_append_wraps(agree, randn):
    at = states({SLOT: 1, ROW: 5}, {SLOT: 0, ROW: 3})
    agree("ring_append", at, randn(2, 19), randn(2, 19), randn(2, 4, 19), atol=0, rtol=0)


def test_a_state_outside_the_table_is_seen(isa, randn):
    out = ops.state_embed(states({TOKEN: 5}, {TOKEN: -1}, {TOKEN: 4}), randn(5, 9))
    assert out.isnan().all(1).tolist() == [True, True, False]


def test_refuses_ids_and_slots_outside(randn):
    with pytest.raises(ValueError, match=r"embed: ids\[1\] is 5, expected 0 <= id < V=5"):
        ops.embed(torch.tensor([0, 5]), randn(5, 3))
    with pytest.raises(ValueError, match=r"states\[0\] has slot 2, expected 0 <= slot < S=2"):
        ops.ring_append(states({SLOT: 2}), randn(1, 3), randn(1, 3), randn(2, 4, 3))
    with pytest.raises(ValueError, match=r"states\[0\] has row -1, expected 0 or more"):
        ops.ring_append(states({ROW: -1}), randn(1, 3), randn(1, 3), randn(2, 4, 3))
    with pytest.raises(ValueError, match="ring_append: ring has no rows, R=0"):
        ops.ring_append(states({}), randn(1, 3), randn(1, 3), randn(2, 0, 3))
    with pytest.raises(ValueError, match=r"states has shape \[1, 15\]"):
        ops.state_embed(torch.zeros(1, 15, dtype=torch.int32), randn(5, 3))
