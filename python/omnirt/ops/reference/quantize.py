"""Rounding a weight to integers."""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.formats import MIDDLE, Format, Integers, Quantized, pack

TOP8, TOP4 = 127, 15


def quantize(weight: Tensor, format: Format) -> Quantized:
    """To the nearest of the format's values. weight: float32 or bfloat16 [N, K].

    INT8 maps an output's largest magnitude to 127. INT4 without zero-points maps a group's largest
    magnitude to 0, which is 8 steps from the middle where 15 is only 7, by the sign of the scale.
    With zero-points it maps the least and the largest, 0 always among them, to 0 and 15. A scale is
    rounded to its stored dtype first.
    """
    w = weight.float()
    groups = _grouped(w, format)
    if format.bits == 8:
        scales, zeros = groups.abs().amax(2) / TOP8, None
    elif format.zero_point:
        low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
        scales = ((high - low) / TOP4).half()
        zeros = (_divide(-low, scales).round()).clamp(0, TOP4).to(torch.uint8)
    else:
        largest = groups.gather(2, groups.abs().argmax(2, keepdim=True))[:, :, 0]
        scales, zeros = (largest / -MIDDLE).half(), None
    middle = MIDDLE if zeros is None else zeros[:, :, None]
    steps = _divide(groups, scales[:, :, None]).round()
    if format.bits == 8:
        values = steps.clamp(-TOP8, TOP8).to(torch.int8)
    else:
        values = (steps + middle).clamp(0, TOP4).to(torch.uint8)
    values = values.flatten(1)[:, : w.shape[1]].contiguous()
    return pack(Integers(format, values, scales, zeros))


def _grouped(w: Tensor, format: Format) -> Tensor:  # [N, K] -> [N, groups, group], zeros beyond K
    size = format.group or w.shape[1]
    return F.pad(w, (0, -w.shape[1] % size)).unflatten(1, (-1, size))


def _divide(w: Tensor, scales: Tensor) -> Tensor:
    """w / scales, 0 where the scale is 0: such a group is 0, or too small for the scale's dtype."""
    scales = scales.float()
    return torch.where(scales == 0, torch.zeros(()), w / scales)
