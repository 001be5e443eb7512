"""GPTQ (Frantar et al. 2022, arXiv 2210.17323): the inputs not rounded yet make up for those that
are, by the inverse of the inputs' second moments."""

import torch
from torch import Tensor

from omnirt.formats import MIDDLE, Format, Integers

from .rtn import rtn
from .statistics import Statistics

BLOCK = 128  # inputs rounded before the rest of the weight is updated; every group divides it


def gptq(weight: Tensor, statistics: Statistics, format: Format) -> Integers:
    """weight: float32 or bfloat16 [N, K]. The inputs are rounded in their order (no "act-order").

    A group's scale is found from the updated weight as the group is entered. An input that was
    always zero in calibration is rounded to nearest. Outputs do not depend on each other.
    """
    columns = weight.float().T.contiguous()  # [K, N]: a column is what is rounded at once
    grid, start = _Grid(format, weight), 0
    for factor in statistics.factors:
        _slab(columns[start : start + len(factor)], factor, grid)
        start += len(factor)
    return grid.integers()


def _slab(columns: Tensor, factor: Tensor, grid: "_Grid") -> None:
    for start in range(0, len(columns), BLOCK):
        block, rest = columns[start : start + BLOCK], columns[start + BLOCK :]
        steps = factor[start : start + BLOCK]
        errors = _block(block, steps[:, start : start + BLOCK], grid)
        rest -= steps[:, start + BLOCK :].T @ errors


def _block(block: Tensor, factor: Tensor, grid: "_Grid") -> Tensor:
    """Round a block's columns one after the other; their errors over the factor's diagonal."""
    errors = torch.empty_like(block)
    group = grid.format.group or len(block)
    for i, column in enumerate(block):
        if grid.format.group is not None and i % group == 0:
            grid.enter(block[i : i + group].T)
        errors[i] = (column - grid.round(column)) / factor[i, i]
        block[i + 1 :].addr_(factor[i, i + 1 :], errors[i], alpha=-1)
    return errors


class _Grid:
    """The values that a column may take, and those that columns took."""

    def __init__(self, format: Format, weight: Tensor) -> None:
        self.format = format
        self._low, self._high = (-127, 127) if format.bits == 8 else (0, 15)
        self._values: list[Tensor] = []
        self._scales: list[Tensor] = []
        self._zeros: list[Tensor] = []
        if format.group is None:
            self.enter(weight)

    def enter(self, group: Tensor) -> None:
        """Take the scales of a group. group: [N, inputs]."""
        found = rtn(group, self.format)
        self._scales.append(found.scales)
        self._scale = found.scales[:, 0].float()
        self._inverse = torch.where(self._scale == 0, 0.0, 1 / self._scale)
        self._middle = torch.tensor(float(MIDDLE if self.format.bits == 4 else 0))
        if found.zeros is not None:
            self._zeros.append(found.zeros)
            self._middle = found.zeros[:, 0].float()

    def round(self, column: Tensor) -> Tensor:
        """The nearest value of each output, [N]."""
        steps = (column * self._inverse).round_().add_(self._middle).clamp_(self._low, self._high)
        self._values.append(steps.to(torch.int8))
        return (steps - self._middle) * self._scale

    def integers(self) -> Integers:
        values = torch.stack(self._values, 1)
        values = values if self.format.bits == 8 else values.view(torch.uint8)
        zeros = torch.cat(self._zeros, 1) if self._zeros else None
        return Integers(self.format, values, torch.cat(self._scales, 1), zeros)
