"""How the KV cache stores a row: its numbers, or int8 in blocks that have a scale each.

An int8 row is D values, then a float32 for each 32 of them. A scale for a whole row would be spoilt
by the few channels where keys are large (KIVI, arXiv 2402.02750).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 32  # values that share a scale


def row_size(dim: int, dtype: torch.dtype) -> int:
    """Elements that a row of ``dim`` numbers takes."""
    return dim + 4 * -(-dim // BLOCK) if dtype == torch.int8 else dim


def encode(rows: Tensor, dtype: torch.dtype) -> Tensor:  # float32 [..., D] -> dtype [..., R]
    """What is not finite makes its block's scale a NaN."""
    if dtype != torch.int8:
        return rows.to(dtype)
    blocks = F.pad(rows, (0, -rows.shape[-1] % BLOCK)).unflatten(-1, (-1, BLOCK))
    scale = blocks.abs().amax(-1) / 127
    scale = torch.where(scale.isfinite(), scale, torch.nan)
    steps = (blocks / torch.where(scale == 0, 1, scale)[..., None]).round().nan_to_num()
    values = steps.flatten(-2)[..., : rows.shape[-1]].to(torch.int8)
    return torch.cat((values, scale.contiguous().view(torch.int8)), -1)


def decode(stored: Tensor, dim: int) -> Tensor:  # [..., R] -> float32 [..., D]
    """The numbers of rows of ``dim``."""
    if stored.dtype != torch.int8:
        return stored.float()
    scale = stored[..., dim:].clone(memory_format=torch.contiguous_format).view(torch.float32)
    return stored[..., :dim].float() * scale.repeat_interleave(BLOCK, -1)[..., :dim]
