"""The layout of AutoAWQ's files, version "gemm".

The weight ``X.weight`` [N, K] of a Linear is stored by inputs, eight outputs in a word, in the
order 0, 2, 4, 6, 1, 3, 5, 7 from the lowest bits:

    X.qweight  int32   [K, N/8]
    X.qzeros   int32   [groups, N/8]
    X.scales   float16 [groups, N]

w = (q - z) * s.
"""

from dataclasses import dataclass

import torch

from omnirt.errors import CheckpointError
from omnirt.formats import Format, Quantized, with_groups

from .gptq import part_name
from .nibbles import PER_WORD, chunks_by_outputs, spread
from .quantized_files import Tensors
from .tensor_spec import TensorSpec

_OUTPUTS = (0, 2, 4, 6, 1, 3, 5, 7)  # of the nibbles of a word
_PLACES = [_OUTPUTS.index(output) for output in range(PER_WORD)]


@dataclass(frozen=True)
class Awq:
    """format: INT4 with zero-points."""

    format: Format

    def specs(self, name: str, shape: tuple[int, int]) -> dict[str, TensorSpec]:
        n, k = shape
        if n % PER_WORD:
            raise CheckpointError(f"{name}={[n, k]}: AWQ files hold multiples of {PER_WORD} only")
        groups = self.format.groups(k)
        found = {
            "qweight": TensorSpec((k, n // PER_WORD), torch.int32),
            "qzeros": TensorSpec((groups, n // PER_WORD), torch.int32),
            "scales": TensorSpec((groups, n), torch.float16),
        }
        return {part_name(name, part): spec for part, spec in found.items()}

    def optional(self, name: str) -> tuple[str, ...]:
        return ()

    def read(self, name: str, shape: tuple[int, int], tensors: Tensors) -> Quantized:
        qweight, qzeros, scales = (
            tensors[part_name(name, part)] for part in ("qweight", "qzeros", "scales")
        )
        zeros = spread(qzeros)[..., _PLACES].flatten(1).T
        data = chunks_by_outputs(qweight, _OUTPUTS)
        return with_groups(self.format, shape, data, scales.T, zeros)
