"""The layout of GPTQ files (AutoGPTQ, GPTQModel, AutoRound's export).

The weight ``X.weight`` [N, K] of a Linear is stored by inputs:

    X.qweight  int32   [K/8, N]     eight consecutive inputs of an output in a word
    X.qzeros   int32   [groups, N/8]  eight consecutive outputs in a word: z - 1 in the first
                                    version ("gptq"), modulo 16, z in the second ("gptq_v2")
    X.scales   float16 [groups, N]
    X.g_idx    int32   [K]          the group of each input; i // group where it is left out

w = (q - z) * s. Packing with desc_act may leave the groups out of order (``g_idx``), which would
cost a gather of every input of every product; such files are refused.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt.errors import CheckpointError
from omnirt.formats import MIDDLE, Format, Integers, Quantized, with_groups

from .nibbles import PER_WORD, chunks_by_inputs, gather, spread
from .quantized_files import Tensors
from .tensor_spec import TensorSpec


@dataclass(frozen=True)
class Gptq:
    """format: INT4, with zero-points unless the files are symmetric. v2: z is stored, not z - 1.

    desc_act: the groups may be out of order, so there must be a g_idx that tells.
    """

    format: Format
    v2: bool = False
    desc_act: bool = False

    def specs(self, name: str, shape: tuple[int, int]) -> dict[str, TensorSpec]:
        n, k = shape
        if n % PER_WORD or k % PER_WORD:
            raise CheckpointError(f"{name}={[n, k]}: GPTQ files hold multiples of {PER_WORD} only")
        groups = self.format.groups(k)
        found = {
            "qweight": TensorSpec((k // PER_WORD, n), torch.int32),
            "qzeros": TensorSpec((groups, n // PER_WORD), torch.int32),
            "scales": TensorSpec((groups, n), torch.float16),
            "g_idx": TensorSpec((k,), torch.int32),
        }
        return {part_name(name, part): spec for part, spec in found.items()}

    def optional(self, name: str) -> tuple[str, ...]:
        return () if self.desc_act else (part_name(name, "g_idx"),)

    def read(self, name: str, shape: tuple[int, int], tensors: Tensors) -> Quantized:
        """Raises CheckpointError for groups out of order, and for zero-points other than 8 in
        symmetric files."""
        self._check_order(name, shape[1], tensors)
        qweight, qzeros, scales = (
            tensors[part_name(name, part)] for part in ("qweight", "qzeros", "scales")
        )
        zeros = spread(qzeros).flatten(1).T
        zeros = zeros if self.v2 else (zeros + 1) & 15
        if not self.format.zero_point and (zeros != MIDDLE).any():
            raise CheckpointError(
                f"{part_name(name, 'qzeros')}: holds other zero-points than {MIDDLE}, though "
                "quantization_config.sym is true; set it to false"
            )
        kept = zeros if self.format.zero_point else None
        return with_groups(self.format, shape, chunks_by_inputs(qweight), scales.T, kept)

    def _check_order(self, name: str, inputs: int, tensors: Tensors) -> None:
        order = part_name(name, "g_idx")
        if order in tensors and not torch.equal(tensors[order], _groups(self.format, inputs)):
            raise CheckpointError(
                f"{order}: groups are out of order (quantized with "
                "desc_act=true); quantize with desc_act=false, or with static_groups=true"
            )


def gptq_tensors(name: str, weight: Integers, v2: bool | None = None) -> dict[str, Tensor]:
    """The tensors of GPTQ's layout for the weight ``name``, "X.weight", of INT4.

    v2: store z itself; by default only where there are zero-points, since some readers of the first
    version take 0 for 16. Raises CheckpointError for a shape that the layout cannot hold.
    """
    layout = Gptq(weight.format, weight.format.zero_point if v2 is None else v2)
    n, k = weight.values.shape
    specs = layout.specs(name, (n, k))
    zeros = weight.zeros
    if zeros is None:
        zeros = torch.full((n, weight.format.groups(k)), MIDDLE, dtype=torch.uint8)
    stored = zeros if layout.v2 else (zeros - 1) & 15
    tensors = (
        gather(weight.values.unflatten(1, (-1, PER_WORD)).transpose(0, 1)),
        gather(stored.T.unflatten(1, (-1, PER_WORD))),
        weight.scales.T.contiguous(),
        _groups(weight.format, k),
    )
    return dict(zip(specs, tensors, strict=True))


def part_name(name: str, part: str) -> str:
    """ "X.weight" -> "X.part"."""
    return f"{name.removesuffix('.weight')}.{part}"


def _groups(format: Format, inputs: int) -> Tensor:
    return torch.arange(inputs, dtype=torch.int32) // (format.group or inputs)
