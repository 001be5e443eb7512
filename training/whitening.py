"""A space in which the Thinker's states are easy to read.

Which word a state belongs to is told by directions in which states vary little, a few hundred times
less than in the largest; gradient descent finds such directions late. So the Talker learns in a
whitened space, and the change of space is then made part of its first layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .states import EndRows, Line

_FLOOR = 0.03  # of the mean variance, added to all: the least directions are mostly noise


@dataclass(frozen=True)
class Whitening:
    """x -> (x - mean) @ matrix. mean: [E]; matrix: [E, E], symmetric."""

    mean: Tensor
    matrix: Tensor

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Whitening":
        """By the rows of all answers; these then have unit variance on the whole."""
        rows = torch.cat([line.text for line in lines]).float()
        mean = rows.mean(0)
        variance, axes = torch.linalg.eigh(torch.cov(rows.T))
        scale = (variance + _FLOOR * variance.mean()).rsqrt()
        scale /= (variance * scale.square()).mean().sqrt()
        return cls(mean, axes * scale @ axes.T)

    def rows(self, rows: Tensor) -> Tensor:
        return (rows.float() - self.mean) @ self.matrix

    def line(self, line: Line) -> Line:
        return replace(line, prompt=self.rows(line.prompt), text=self.rows(line.text))

    def ends(self, ends: EndRows) -> EndRows:
        return EndRows(self.rows(ends.voices), self.rows(ends.eos), self.rows(ends.pad))

    @torch.no_grad()
    def enter(self, talker: nn.Module) -> None:
        """A Talker that reads plain states now reads whitened ones; what it says is the same."""
        project, table = talker.thinker_to_talker_proj, talker.model.embed_tokens.weight
        project.bias += project.weight @ self.mean
        project.weight.copy_(torch.linalg.solve(self.matrix, project.weight, left=False))
        table.copy_(table @ self.matrix)

    @torch.no_grad()
    def leave(self, talker: nn.Module) -> None:
        """The other way round."""
        project, table = talker.thinker_to_talker_proj, talker.model.embed_tokens.weight
        table.copy_(torch.linalg.solve(self.matrix, table, left=False))
        project.weight.copy_(project.weight @ self.matrix)
        project.bias -= project.weight @ self.mean
