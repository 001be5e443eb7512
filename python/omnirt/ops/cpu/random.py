"""Philox4x32-10 by the C++ kernels."""

import torch
from torch import Tensor

from omnirt import _core


def philox_uniform(seed: int, stream: int, step: int, count: int) -> Tensor:
    """Returns float32 [count] in (0, 1), one per id."""
    out = torch.empty(count)
    _core.philox_uniform(seed, stream, step, out)
    return out
