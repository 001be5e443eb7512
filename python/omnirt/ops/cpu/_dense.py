"""What the kernels ask of their arguments: dense float32 activations."""

import torch
from torch import Tensor

from omnirt import _core
from omnirt.errors import EngineError


def dense(x: Tensor) -> Tensor:
    """``x`` as contiguous float32, any shape; copies only where it is not.

    While a step is recorded a copy raises EngineError, since a replay would miss it.
    """
    if x.dtype == torch.float32 and x.is_contiguous():
        return x
    if _core.Plan.is_recording():
        raise EngineError(
            f"activation of {x.dtype}, shape {tuple(x.shape)}, strides {x.stride()}: a recorded "
            "step takes contiguous float32; reshape before recording"
        )
    return x.float().contiguous()
