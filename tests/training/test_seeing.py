"""Naming pictures: what training holds out is not held against what the encoder sees."""

from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("transformers", reason="training needs transformers")

from training import seeing, world
from training.world import COLOURS, SHAPES, Picture

COUNTS = range(1, world.MOST_SHAPES + 1)
ROWS = 4  # of a picture


class Words:
    """A tokenizer of whole words."""

    def __init__(self):
        self.known = {}

    def encode(self, text):
        return [self.known.setdefault(text, len(self.known))]


def a_picture_beside_a_held_out_one() -> tuple[Picture, int]:
    """Of training, and the count of one with its colour and shape that is held out."""
    held = next(
        picture
        for colour in COLOURS
        for shape in SHAPES
        for count in COUNTS
        if (picture := Picture(count, colour, shape)).held_out
    )
    count = next(n for n in COUNTS if not Picture(n, held.colour, held.shape).held_out)
    return Picture(count, held.colour, held.shape), held.count


def test_a_count_that_is_held_out_is_no_choice():
    seen, never = a_picture_beside_a_held_out_one()
    open_counts = seeing.choices(seen, "count", COUNTS)
    assert open_counts[seen.count - 1]
    assert not open_counts[never - 1]
    assert all(seeing.choices(Picture(3, world.UNNAMED[0], SHAPES[0]), "count", COUNTS))


def test_rows_that_lean_to_a_held_out_count_cost_nothing_but_their_distance():
    seen, never = a_picture_beside_a_held_out_one()
    other = next(
        n for n in COUNTS if n != seen.count and seeing.choices(seen, "count", COUNTS)[n - 1]
    )
    names = seeing.Names.of(Words())
    table = torch.eye(int(names.counts_first.max()) + 1)
    batch = SimpleNamespace(grids=torch.tensor([[1, 4, 4]]), seen=[seen])
    words = [
        names.counts[seen.count - 1],
        names.colours[COLOURS.index(seen.colour)],
        names.shapes[SHAPES.index(seen.shape)],
    ]
    right = table[torch.stack(words)].sum(0).repeat(ROWS, 1)

    def see(count: int) -> float:
        return float(
            seeing.named(right + 0.5 * table[names.counts[count - 1]], batch, names, table)["see"]
        )

    alone = float(seeing.named(right, batch, names, table)["see"])
    assert see(never) == pytest.approx(alone)
    assert see(other) > alone


def test_an_unnamed_colour_is_no_question():
    names = seeing.Names.of(Words())
    table = torch.eye(int(names.counts_first.max()) + 1)
    seen = Picture(2, world.UNNAMED[0], SHAPES[0])
    batch = SimpleNamespace(grids=torch.tensor([[1, 4, 4]]), seen=[seen])
    rows = (table[names.counts[1]] + table[names.shapes[0]]).repeat(ROWS, 1)
    values = seeing.named(rows, batch, names, table)
    assert (values["sees"], values["off"]) == (1, 0)
