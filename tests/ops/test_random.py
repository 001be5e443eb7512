"""Philox4x32-10 against the vectors that its authors publish, and what is built on it."""

import pytest
import torch

from omnirt import _core
from omnirt.ops.reference.random import normal_rows, philox, unit

# kat_vectors of Random123: counter, key, expected words
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(isa, counter, key, expected):
    low, high = words(key)
    counters = torch.tensor([words(counter)], dtype=torch.int64)
    out = torch.empty(1, 4, dtype=torch.int32)
    _core.philox(counters.to(torch.uint32).view(torch.int32), high << 32 | low, out)
    assert out.view(torch.uint32).long()[0].tolist() == words(expected)
    reference = philox(tuple(counters.T), high << 32 | low)
    assert [int(word) for word in reference] == words(expected)


@pytest.mark.parametrize("count", [1, 5000])
def test_uniform(agree, count):
    agree("philox_uniform", 2**63 + 17, 1, 2**31 + 3, count, atol=0, rtol=1e-7)


def test_normal_is_normal_and_any_window_of_more():
    noise = normal_rows(7, 0, 400, 80)
    assert torch.equal(normal_rows(7, 3, 97, 80), noise[3:100])
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert not torch.equal(normal_rows(8, 0, 400, 80), noise)


def test_no_word_is_0_or_1():
    words = torch.tensor([0, 2**32 - 1])
    assert 0 < unit(words).min()
    assert unit(words).max() < 1
