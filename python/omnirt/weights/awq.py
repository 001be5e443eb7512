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
from torch import Tensor

from omnirt.errors import CheckpointError
from omnirt.formats import Format, Integers, Quantized, pack

from .gptq import part_name
from .nibbles import PER_WORD, spread
from .quantized_files import Tensors
from .tensor_spec import TensorSpec

_PLACES = (0, 4, 1, 5, 2, 6, 3, 7)  # of the outputs 0..7 in a word


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
        return pack(self.integers(name, tensors))

    def integers(self, name: str, tensors: Tensors) -> Integers:
        """The weight in rows."""
        values, zeros = (_rows(tensors[part_name(name, part)]) for part in ("qweight", "qzeros"))
        return Integers(
            self.format, values, tensors[part_name(name, "scales")].T.contiguous(), zeros
        )


def _rows(words: Tensor) -> Tensor:  # int32 [K, N/8] -> uint8 [N, K]
    return spread(words)[..., _PLACES].flatten(1).T.contiguous()
