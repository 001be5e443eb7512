"""Products with few rows split K over programs, so that small weights keep the whole GPU busy.

Each program stores its partial sums; the last of an output's programs to finish adds them up,
always in the same order, and writes the output. A launch leaves the counters as it found them: 0.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from .state import is_last

PROGRAMS = 1024  # wanted in a launch: about 8 on each multiprocessor of an H100


@dataclass(frozen=True)
class Scratch:
    """Memory of launches that follow each other on one stream; others need one of their own.

    partial: float32 [n]; counts: int32 [m], zeros.
    """

    partial: Tensor
    counts: Tensor

    def check(self, name: str, partial: int, counts: int) -> None:
        """Raise ValueError unless there is room for so many partial sums and counters."""
        if self.partial.numel() < partial or self.counts.numel() < counts:
            raise ValueError(
                f"{name}: needs scratch for {partial} sums and {counts} counters, has "
                f"{self.partial.numel()} and {self.counts.numel()}"
            )


def new_scratch(outputs: int, rows: int = 1, device: str = "cpu") -> Scratch:
    """Enough for all products of at most so many outputs and rows."""
    sums = (PROGRAMS + outputs) * 64 * rows
    counts = torch.zeros(outputs, dtype=torch.int32, device=device)
    return Scratch(torch.empty(sums, device=device), counts)


def splits_of(blocks: int, steps: int) -> int:
    """Programs along K for ``blocks`` along the outputs; each has a step or more."""
    return min(triton.cdiv(PROGRAMS, blocks), steps)


@triton.jit
def share_of(steps, split, splits):
    """The steps begin..end of one split; all get as many, or one less."""
    return steps * split // splits, steps * (split + 1) // splits


@triton.jit
def sum_splits(sums, partial_ptr, count_ptr, block, split, splits, SIZE: tl.constexpr):
    """Returns (is_last, the sums over all splits), which hold for the last program of a block.

    sums: float32, a tile of SIZE elements; partial: float32 [blocks, splits, SIZE].
    """
    last = True
    if splits > 1:
        last, sums = _sum_parts(sums, partial_ptr, count_ptr + block, block, split, splits, SIZE)
    return last, sums


@triton.jit
def _sum_parts(sums, partial_ptr, count_ptr, block, split, splits, SIZE: tl.constexpr):
    at = tl.reshape(tl.arange(0, SIZE), sums.shape)
    partial_ptr += block.to(tl.int64) * splits * SIZE
    tl.store(partial_ptr + split * SIZE + at, sums)
    last = is_last(count_ptr, splits)
    if last:
        sums = tl.zeros_like(sums)
        for part in range(splits):
            sums += tl.load(partial_ptr + part * SIZE + at, cache_modifier=".cg")
    return last, sums
