"""What calibration knows about the inputs of a Linear."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from omnirt.errors import EngineError

SLAB = 4096  # inputs whose correlations are kept: 64 MiB of sums, seconds of factorization
DAMPING = 0.01  # of the mean of a Gram matrix's diagonal, added to it


class Statistics:
    """Sums over the rows x [K] that a Linear was given.

    grams: float32, the diagonal blocks of X^T X, SLAB inputs each (the last may be smaller), so
    that the 18944 inputs of the widest layer take 320 MB and not 1.4 GB: correlations between two
    blocks count as none. magnitude: float32 [K], the sum of |x|; rows: how many.
    """

    def __init__(self, inputs: int, slab: int = SLAB) -> None:
        sizes = [min(slab, inputs - start) for start in range(0, inputs, slab)]
        self.slab = slab
        self.grams = [torch.zeros(size, size) for size in sizes]
        self.magnitude = torch.zeros(inputs)
        self.rows = 0

    def add(self, x: Tensor) -> None:
        """x: float32 [..., K]."""
        x = x.reshape(-1, x.shape[-1])
        for gram, part in zip(self.grams, x.split(self.slab, dim=1), strict=True):
            gram.addmm_(part.T, part)
        self.magnitude += x.abs().sum(0)
        self.rows += len(x)

    @cached_property
    def factors(self) -> list[Tensor]:
        """Of each Gram matrix, once all is added: upper triangular U, float32, with U^T U the
        inverse of the damped matrix."""
        return [_factor(gram) for gram in self.grams]

    def scaled(self, scale: Tensor) -> "Statistics":
        """Of inputs x / scale. scale: [K]."""
        new = Statistics(len(scale), self.slab)
        parts = scale.split(self.slab)
        new.grams = [g / (s[:, None] * s) for g, s in zip(self.grams, parts, strict=True)]
        new.magnitude, new.rows = self.magnitude / scale, self.rows
        return new

    def error(self, difference: Tensor) -> float:
        """Sum of squares of X difference^T: what replacing a weight costs. difference: [N, K]."""
        parts: Sequence[Tensor] = difference.split(self.slab, dim=1)
        sums = [((d @ g) * d).sum() for d, g in zip(parts, self.grams, strict=True)]
        return float(sum(sums))


def _factor(gram: Tensor) -> Tensor:
    if not gram.isfinite().all():
        raise EngineError(
            "calibration: a layer was given infinite or undefined numbers; check the source "
            "checkpoint, or leave the conversation out that causes them"
        )
    gram = gram.double()
    diagonal = gram.diagonal()
    damping = DAMPING * diagonal.mean()
    diagonal += torch.where(diagonal == 0, 1.0, damping)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    return torch.linalg.cholesky(inverse, upper=True).float()
