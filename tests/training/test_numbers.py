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


class Words:
    """A tokenizer that knows words, at times with a space, and one digit a token."""

    def __init__(self):
        self.known = {}

    def encode(self, text):
        pieces = list(text) if text.isdigit() else [text]
        return [self.known.setdefault(piece, len(self.known)) for piece in pieces]


@pytest.mark.parametrize("text", ["seven", " seven", "7"])
def test_every_spelling_of_a_number_has_its_place(text):
    tokenizer, read, written = Words(), torch.zeros(80, 32), torch.zeros(80, 32)
    in_order(read, written, tokenizer)
    row = tokenizer.known[text]
    torch.testing.assert_close(read[row], read[tokenizer.known["seven"]])
    assert 0.3 < read[row].norm() < 0.9
    torch.testing.assert_close(read / read[row].norm(), written / written[row].norm())
    assert not torch.allclose(read[row], read[tokenizer.known["eight"]], atol=0.1)
