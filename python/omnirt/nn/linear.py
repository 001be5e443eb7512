"""A linear layer over the ``linear`` op."""

from torch import Tensor

from omnirt import ops

from .weights import Weights


class Linear:
    """y = x W^T (+ b). W: [out, in] as stored."""

    def __init__(self, weights: Weights, bias: bool = True) -> None:
        self.weight = weights["weight"]
        self.bias = weights["bias"] if bias else None

    def __call__(self, x: Tensor) -> Tensor:  # [..., in] -> [..., out]
        return ops.linear(x, self.weight, self.bias)
