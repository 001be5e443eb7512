"""Convolutions over time. All float32, [B, C, T]."""

from torch import Tensor
from torch.nn import functional as F


def conv1d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0,
    dilation: int = 1,
) -> Tensor:  # fmt: skip
    """y[o, t] = bias[o] + sum_{c,k} weight[o, c, k] x[c, t*stride + k*dilation - padding].

    x: [B, C, T], zeros outside; weight: float32 or bfloat16 [O, C, K]; bias: [O]. Returns
    [B, O, (T + 2*padding - dilation*(K-1) - 1) // stride + 1].
    """
    bias = None if bias is None else bias.float()
    return F.conv1d(x.float(), weight.float(), bias, stride, padding, dilation)
