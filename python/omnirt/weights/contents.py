"""What the files of a checkpoint must hold, given its configuration and the names they have."""

from collections.abc import Collection, Mapping

import torch

from .model_config import ModelConfig
from .names import expected_tensors
from .precisions import part_of
from .quantized_files import Layout, Packed
from .tensor_files import StoredTensor
from .tensor_spec import CODES, TensorSpec

DENSE = {CODES[dtype] for dtype in (torch.bfloat16, torch.float16, torch.float32)}


class Contents:
    """weights: every weight of the model. layouts: of those that the files hold quantized."""

    def __init__(self, config: ModelConfig, found: Collection[str]) -> None:
        self.weights = expected_tensors(config)
        self.layouts = _layouts(config, self.weights, found)

    def tensors(self, name: str) -> dict[str, TensorSpec]:
        """The tensors of the files that stand for the weight ``name``."""
        layout, spec = self.layouts.get(name), self.weights[name]
        return {name: spec} if layout is None else layout.specs(name, spec.shape)

    def problems(self, needed: Collection[str], found: Mapping[str, StoredTensor]) -> list[str]:
        """Lines about what is missing, unexpected, misshapen or of a wrong dtype.

        needed: weights that must be there; the others may be.
        """
        known = {tensor: name for name in self.weights for tensor in self.tensors(name)}
        ignored = {bias for name in self.layouts for bias in [zero_bias(name)] if bias not in known}
        lines = [f"missing: {t}" for t in self._required(needed) if t not in found]
        lines += [f"unexpected: {t}" for t in sorted(found.keys() - known.keys() - ignored)]
        for tensor, name in known.items():
            if tensor in found:
                lines += self._unfit(tensor, name, found[tensor])
        return lines

    def _required(self, needed: Collection[str]) -> list[str]:
        names = []
        for name in needed:
            layout = self.layouts.get(name)
            left_out = () if layout is None else layout.optional(name)
            names += [tensor for tensor in self.tensors(name) if tensor not in left_out]
        return names

    def _unfit(self, tensor: str, name: str, stored: StoredTensor) -> list[str]:
        spec, lines = self.tensors(name)[tensor], []
        if stored.shape != spec.shape:
            lines.append(f"misshapen: {tensor} is {list(stored.shape)}, must be {list(spec.shape)}")
        codes = {CODES[spec.dtype]} if name in self.layouts else DENSE
        if stored.dtype not in codes:
            lines.append(
                f"wrong dtype: {tensor} is {stored.dtype}, use {' or '.join(sorted(codes))}"
            )
        return lines


def _layouts(
    config: ModelConfig, weights: Mapping[str, TensorSpec], found: Collection[str]
) -> dict[str, Layout]:
    """Weights that the files do not hold as they are, but quantized as config.json says."""
    layouts = {}
    for name, spec in weights.items():
        layout = config.quantization.layout(name)
        if layout is None or name in found or part_of(name, spec.shape) is None:
            continue
        if isinstance(layout, Packed) or any(t in found for t in layout.specs(name, spec.shape)):
            layouts[name] = layout
    return layouts


def zero_bias(name: str) -> str:
    """The bias that some packers give each quantized Linear, of zeros where the model has none."""
    return f"{name.removesuffix('.weight')}.bias"
