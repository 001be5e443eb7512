"""What a model asks of its weights."""

from typing import Protocol

from torch import Tensor


class Weights(Protocol):
    """Named tensors of one part of a checkpoint, mapped, never copied."""

    def __getitem__(self, name: str) -> Tensor:
        """The tensor called ``name`` below this view's prefix."""

    def scope(self, name: str) -> "Weights":
        """The view below ``name``: ``w.scope("mlp")["up.weight"]`` is ``w["mlp.up.weight"]``."""
