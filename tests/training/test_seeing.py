"""Naming pictures: what training holds out is not held against what the encoder sees."""

from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("transformers", reason="training needs transformers")

from training import seeing, world
from training.world import COLOURS, SHAPES, Picture

ROWS = 4  # of a picture


def test_a_count_that_is_held_out_is_no_choice(beside_held_out):
    seen, never = beside_held_out
    open_counts = seeing.choices(seen, "count", seeing.COUNTS)
    assert open_counts[seen.count - 1]
    assert not open_counts[never - 1]
    assert all(seeing.choices(Picture(3, world.UNNAMED[0], SHAPES[0]), "count", seeing.COUNTS))


def test_rows_that_lean_to_a_held_out_count_cost_nothing_but_their_distance(words, beside_held_out):
    seen, never = beside_held_out
    other = next(
        n
        for n in seeing.COUNTS
        if n != seen.count and seeing.choices(seen, "count", seeing.COUNTS)[n - 1]
    )
    names = seeing.Names.of(words)
    table = torch.eye(int(names.counts_first.max()) + 1)
    batch = SimpleNamespace(grids=torch.tensor([[1, 4, 4]]), seen=[seen])
    meant = [
        names.counts[seen.count - 1],
        names.colours[COLOURS.index(seen.colour)],
        names.shapes[SHAPES.index(seen.shape)],
    ]
    right = table[torch.stack(meant)].sum(0).repeat(ROWS, 1)

    def see(count: int) -> float:
        return float(
            seeing.named(right + 0.5 * table[names.counts[count - 1]], batch, names, table)["see"]
        )

    alone = float(seeing.named(right, batch, names, table)["see"])
    assert see(never) == pytest.approx(alone)
    assert see(other) > alone


def test_an_unnamed_colour_is_no_question(words):
    names = seeing.Names.of(words)
    table = torch.eye(int(names.counts_first.max()) + 1)
    seen = Picture(2, world.UNNAMED[0], SHAPES[0])
    batch = SimpleNamespace(grids=torch.tensor([[1, 4, 4]]), seen=[seen])
    rows = (table[names.counts[1]] + table[names.shapes[0]]).repeat(ROWS, 1)
    values = seeing.named(rows, batch, names, table)
    assert (values["sees"], values["off"]) == (1, 0)
