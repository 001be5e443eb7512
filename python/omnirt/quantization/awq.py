"""AWQ (Lin et al. 2023, arXiv 2306.00978): inputs that are large are scaled up in the weight before
it is rounded, and down in what computes them; then outliers of a group are clipped where it pays.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.formats import Format, Integers

from .rtn import rtn
from .statistics import Statistics

STRENGTHS = [i / 20 for i in range(20)]  # exponents of the inputs' magnitudes
SEARCHED = 512  # outputs of a weight, evenly spaced, that the search looks at
CLIPS = [1 - i / 20 for i in range(1, 11)]  # of a group's largest magnitude


def find_scale(weights: Sequence[Tensor], statistics: Statistics, format: Format) -> Tensor:
    """The scale [K] of the inputs that weights [N_i, K] share: w * scale is to be rounded.

    Of magnitude^strength, the strength with the least error of the outputs; 1 if none is better.
    """
    sample = [w[:: -(-len(w) // SEARCHED)].float() for w in weights]

    def error(scale: Tensor) -> float:
        rounded = (rtn(w * scale, format).dequantize() / scale for w in sample)
        return sum(statistics.error(r - w) for r, w in zip(rounded, sample, strict=True))

    mean = statistics.magnitude / max(statistics.rows, 1)
    mean = mean.clamp(min=1e-4 * float(mean.max()) or 1.0)
    return min((_normal(mean**strength) for strength in STRENGTHS), key=error)


def _normal(scale: Tensor) -> Tensor:
    """Around 1, so that neither the weight nor what computes its inputs leaves its range."""
    return scale / (scale.max() * scale.min()).sqrt()


def awq(weight: Tensor, statistics: Statistics, format: Format) -> Integers:
    """Round a weight [N, K], scaled already if it can be; ``statistics`` of inputs scaled alike.

    Each group of an output is clipped at the share of its largest magnitude that costs the output
    least, correlations inside the group counted.
    """
    size = format.group or weight.shape[1]
    if format.group is None:
        return rtn(weight, format)
    blocks = _blocks(statistics, size)
    groups = F.pad(weight.float(), (0, -weight.shape[1] % size)).unflatten(1, (-1, size))
    best, least = groups, _cost(groups, groups, blocks, format)
    limit = groups.abs().amax(2, keepdim=True)
    for share in CLIPS:
        clipped = groups.clamp(-share * limit, share * limit)
        cost = _cost(clipped, groups, blocks, format)
        best = torch.where((cost < least)[:, :, None], clipped, best)
        least = torch.minimum(cost, least)
    return rtn(best.flatten(1)[:, : weight.shape[1]].contiguous(), format)


def _blocks(statistics: Statistics, size: int) -> Tensor:
    """Gram matrices of the groups, [groups, size, size]; a group never straddles two slabs."""
    blocks = []
    for gram in statistics.grams:
        padded = F.pad(gram, (0, -len(gram) % size) * 2)
        blocks += [padded[i : i + size, i : i + size] for i in range(0, len(padded), size)]
    return torch.stack(blocks)


def _cost(clipped: Tensor, groups: Tensor, blocks: Tensor, format: Format) -> Tensor:
    """Error of each group's part of each output, [N, groups]."""
    rounded = rtn(clipped.flatten(1), format).dequantize().view_as(groups)
    difference = (rounded - groups).transpose(0, 1)  # [groups, N, size]
    return ((difference @ blocks) * difference).sum(2).T
