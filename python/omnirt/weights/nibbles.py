"""Eight 4-bit numbers in a 32-bit word, the lowest bits first: what GPTQ and AWQ files hold."""

import torch
from torch import Tensor

PER_WORD = 8


def spread(words: Tensor) -> Tensor:
    """int32 [..., W] -> uint8 [..., W, 8]."""
    pairs = words.contiguous().view(torch.uint8).unflatten(-1, (-1, PER_WORD // 2))
    return torch.stack((pairs & 15, pairs >> 4), -1).flatten(-2)


def gather(nibbles: Tensor) -> Tensor:
    """uint8 [..., W, 8] -> int32 [..., W]."""
    pairs = nibbles[..., ::2] | nibbles[..., 1::2] << 4
    return pairs.contiguous().view(torch.int32)[..., 0]
