"""One weight by any of the methods, packed."""

import torch
from torch import Tensor

from omnirt import ops
from omnirt.formats import Format, Quantized, pack

from .awq import awq
from .gptq import gptq
from .statistics import Statistics

METHODS = ("rtn", "gptq", "awq")
ROWS = 8192  # outputs at a time, whole panels: bounds the memory of a head of 152064 outputs
_ALGORITHMS = {"gptq": gptq, "awq": awq}


def round_weight(
    weight: Tensor, statistics: Statistics | None, format: Format, method: str
) -> Quantized:
    """weight: float32 or bfloat16 [N, K]. What has no statistics is rounded to nearest."""
    if statistics is None or method == "rtn":
        return ops.quantize(weight, format)
    algorithm = _ALGORITHMS[method]
    return _join([pack(algorithm(rows, statistics, format)) for rows in weight.split(ROWS)])


def _join(parts: list[Quantized]) -> Quantized:
    first = parts[0]
    shape = (sum(p.shape[0] for p in parts), first.shape[1])
    return Quantized(
        first.format,
        shape,
        torch.cat([p.data for p in parts]),
        torch.cat([p.scales for p in parts]),
        None if first.zeros is None else torch.cat([p.zeros for p in parts]),
    )
