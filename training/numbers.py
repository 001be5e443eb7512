"""Number words that begin in order, so that sums are learned as sums and not by heart.

Each gets its place on a line and on circles of several sizes, in a few shared directions: for a
circle, adding is turning (as networks find by themselves in time: Nanda et al. 2023,
arXiv 2301.05217).
"""

import math

import torch
from torch import Tensor

from .world import NUMBERS

_CIRCLES = (4, 8, 16, 42)  # numbers around each
_READ, _WRITTEN = 0.7, 0.6  # length in the embeddings and in the rows of the output layer
_OWN = 0.25  # what is left of each number's own random embedding


def places(count: int) -> Tensor:
    """float32 [count, 1 + 2 circles], about as long as 1."""
    n = torch.arange(count)
    middle = (count - 1) / 2
    turns = [2 * math.pi * n / size for size in _CIRCLES]
    columns = [1.5 * (n - middle) / middle, *(f(t) for t in turns for f in (torch.cos, torch.sin))]
    return torch.stack(columns, 1) / 3


@torch.no_grad()
def in_order(read: Tensor, written: Tensor, tokenizer, seed: int = 0) -> None:
    """read, written: embeddings and output layer of the text model, [V, E]."""
    where = places(len(NUMBERS))
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(read.shape[1], where.shape[1], generator=generator)
    rows = where @ torch.linalg.qr(directions)[0].T
    for number, (word, row) in enumerate(zip(NUMBERS, rows, strict=True)):
        for text in (word, f" {word}", str(number)):
            ids = tokenizer.encode(text)
            if len(ids) == 1:
                read[ids[0]] = _OWN * read[ids[0]] + _READ * row
                written[ids[0]] += _WRITTEN * row
