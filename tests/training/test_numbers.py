"""Number words that begin in order."""

import math

import pytest
import torch

from training.numbers import in_order, places

_LINE, _WAYS = 1, 2  # columns: the line, then a pair for each circle


def test_adding_is_turning():
    x = places(21)
    assert x[:, 0].diff().unique().numel() == 1 or x[:, 0].diff().std() < 1e-6
    for first, size in zip(range(_LINE, x.shape[1], _WAYS), (4, 8, 16, 42), strict=True):
        pair, angle = x[:, first : first + _WAYS], 2 * math.pi / size
        turn = torch.tensor(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        )
        torch.testing.assert_close(pair[:-1] @ turn, pair[1:])


@pytest.mark.parametrize("text", ["seven", " seven", "7"])
def test_every_spelling_of_a_number_has_its_place(words, text):
    read, written = torch.zeros(80, 32), torch.zeros(80, 32)
    in_order(read, written, words)
    row = words.known[text]
    torch.testing.assert_close(read[row], read[words.known["seven"]])
    assert 0.3 < read[row].norm() < 0.9
    torch.testing.assert_close(read / read[row].norm(), written / written[row].norm())
    assert not torch.allclose(read[row], read[words.known["eight"]], atol=0.1)
