"""Convolutions over time, and the vocoder's alias-free activation. All float32, [B, C, T]."""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.errors import EngineError

from .vocoder import TAPS


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


def conv_transpose1d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
) -> Tensor:
    """y[o, t*stride + k - padding] += weight[c, o, k] x[c, t], plus bias[o].

    x: [B, C, T]; weight: float32 or bfloat16 [C, O, K]; bias: [O]. Returns
    [B, O, (T-1)*stride - 2*padding + K].
    """
    bias = None if bias is None else bias.float()
    return F.conv_transpose1d(x.float(), weight.float(), bias, stride, padding)


def check_snake(x: Tensor, alpha: Tensor, beta: Tensor) -> None:
    """Refuse shapes that snake is not defined for."""
    if x.dim() != 3 or alpha.shape != (x.shape[1],) or beta.shape != alpha.shape:
        shapes = [tuple(t.shape) for t in (x, alpha, beta)]
        raise EngineError(f"snake: shapes {shapes}; use x [B, C, T] and alpha, beta [C]")


def snake(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Snake between a 2x upsampling and a 2x downsampling, so that it does not alias.

    y = v + sin(exp(alpha) v)^2 / (exp(beta) + 1e-9) at twice the rate (arXiv 2006.08195,
    2206.04658); both filters are ``TAPS``; both signals continue with their end values.
    x: [B, C, T]; alpha, beta: logarithms [C]. Returns [B, C, T].
    """
    check_snake(x, alpha, beta)
    channels = x.shape[1]
    fir = torch.tensor(TAPS, device=x.device).expand(channels, 1, -1)
    x = F.pad(x.float(), (5, 5), mode="replicate")
    v = 2 * F.conv_transpose1d(x, fir, stride=2, groups=channels)[..., 15:-15]
    a, b = alpha.float().exp()[:, None], beta.float().exp()[:, None]
    v = v + (v * a).sin().square() / (b + 1e-9)
    return F.conv1d(F.pad(v, (5, 6), mode="replicate"), fir, stride=2, groups=channels)
