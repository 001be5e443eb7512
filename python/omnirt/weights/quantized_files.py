"""Quantized weights as tensors of a checkpoint's files.

A file may hold a weight ``X.weight`` in one of three layouts, each a ``Layout``: packed as the
kernels read it (here), GPTQ's (``gptq``), AutoAWQ's (``awq``). The first is mapped as it is, the
other two are repacked once when they are loaded: 10 s of one core (Zen 3) for the layers
of a 7B, of which a good part is the system's for fresh memory.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from omnirt.errors import CheckpointError
from omnirt.formats import Format, Quantized, parts

from .tensor_spec import TensorSpec


class Tensors(Protocol):
    """The tensors of the files by name."""

    def __contains__(self, name: object) -> bool: ...

    def __getitem__(self, name: str) -> Tensor: ...


class Layout(Protocol):
    """How the files hold one quantized weight."""

    def specs(self, name: str, shape: tuple[int, int]) -> dict[str, TensorSpec]:
        """The tensors that stand for the weight ``name`` of ``shape``. Raises CheckpointError if
        the layout cannot hold such a shape."""

    def optional(self, name: str) -> tuple[str, ...]:
        """Those of ``specs`` that a file may leave out."""

    def read(self, name: str, shape: tuple[int, int], tensors: Tensors) -> Quantized:
        """The weight, out of ``tensors``. Raises CheckpointError if they do not make one."""


@dataclass(frozen=True)
class Packed:
    """``X.weight`` as X.weight.data, X.weight.scales and, with zero-points, X.weight.zeros."""

    format: Format

    def specs(self, name: str, shape: tuple[int, int]) -> dict[str, TensorSpec]:
        found = parts(self.format, shape)
        return {f"{name}.{part}": TensorSpec(size, dtype) for part, (size, dtype) in found.items()}

    def optional(self, name: str) -> tuple[str, ...]:
        return ()

    def read(self, name: str, shape: tuple[int, int], tensors: Tensors) -> Quantized:
        return restore(name, self.format, shape, tensors)


def store(name: str, weight: Quantized) -> dict[str, Tensor]:
    """The tensors of the packed layout for the weight ``name``, "X.weight"; nothing is copied."""
    return {f"{name}.{part}": vars(weight)[part] for part in parts(weight.format, weight.shape)}


def restore(name: str, format: Format, shape: tuple[int, int], tensors: Tensors) -> Quantized:
    """What ``store`` stored, without a copy. Raises CheckpointError if a part does not fit."""
    found = {}
    for part, (size, dtype) in parts(format, shape).items():
        tensor = found[part] = tensors[f"{name}.{part}"]
        if tuple(tensor.shape) != size or tensor.dtype != dtype:
            held = f"{list(tensor.shape)} of {tensor.dtype}"
            raise CheckpointError(f"{name}.{part}: is {held}, must be {list(size)} of {dtype}")
    return Quantized(format, shape, **found)
