"""What a model asks of its weights."""

from typing import Protocol

from torch import Tensor

from omnirt.formats import Quantized


class Weights(Protocol):
    """Named weights of one part of a checkpoint, mapped where they are used as they are stored."""

    def __getitem__(self, name: str) -> Tensor | Quantized:
        """The weight called ``name`` below this view's prefix; only matrices are ever quantized."""

    def scope(self, name: str) -> "Weights":
        """The view below ``name``: ``w.scope("mlp")["up.weight"]`` is ``w["mlp.up.weight"]``."""
