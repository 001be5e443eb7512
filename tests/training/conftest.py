"""What tests of several stages need."""

import pytest

from training import world
from training.world import Picture


class Words:
    """A tokenizer that knows words, at times with a space, and one digit a token."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def encode(self, text: str) -> list[int]:
        pieces = list(text) if text.isdigit() else [text]
        return [self.known.setdefault(piece, len(self.known)) for piece in pieces]


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def beside_held_out() -> tuple[Picture, int]:
    """A picture of training, and the count of one with its colour and shape that is held out."""
    counts = range(1, world.MOST_SHAPES + 1)
    held = next(
        picture
        for colour in world.COLOURS
        for shape in world.SHAPES
        for count in counts
        if (picture := Picture(count, colour, shape)).held_out
    )
    count = next(n for n in counts if not Picture(n, held.colour, held.shape).held_out)
    return Picture(count, held.colour, held.shape), held.count
