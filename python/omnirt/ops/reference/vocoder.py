"""The vocoder's layers on stretches of a signal. All float32, time first: [rows, channels].

A span, int32 [2], holds the first row that a call reads and how many, so that a recorded plan can
work on windows of any length. Results go to the first rows of ``out``, which is returned; the rows
beyond keep what they hold.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.ops.packed_conv import PackedConv, PackedConvTranspose

# Kaiser-windowed sinc: cut-off 0.25, half width 0.3, 12 taps, sum 1 (BigVGAN, arXiv 2206.04658).
_RISING = (0.00202896469, 0.00938946567, -0.0255434588, -0.0576573834, 0.128572583, 0.443209797)
TAPS = _RISING + _RISING[::-1]


def vocoder_conv(
    span: Tensor, x: Tensor, packed: PackedConv, bias: Tensor | None, dilation: int, out: Tensor,
    add: bool = False,
) -> Tensor:  # fmt: skip
    """out[t] = bias + sum_k weight[:, :, k] x[t + (k - K//2) * dilation], zeros beyond the span.

    x: [R, C]; packed: of a weight [O, C, K]; bias: [O]; out: [R', O]. With ``add`` the sum is added
    to what ``out`` holds.
    """
    padding = dilation * (packed.kernel // 2)
    weight, bias = _as(x, packed.dense(), bias)
    y = F.conv1d(_channels_first(span, x), weight, bias, 1, padding, dilation)[0].T
    head = out[: len(y)]
    head.copy_(head + y if add else y)
    return out


def vocoder_upsample(
    span: Tensor, x: Tensor, packed: PackedConvTranspose, bias: Tensor | None, rate: int,
    padding: int, out: Tensor,
) -> Tensor:  # fmt: skip
    """out[t*rate + k - padding] += weight[:, :, k]^T x[t] over the span's rows t, plus bias.

    x: [R, C]; packed: of a weight [C, O, K] with K = rate + 2*padding; bias: [O]; out: [R', O].
    """
    weight, bias = _as(x, packed.dense(), bias)
    y = F.conv_transpose1d(_channels_first(span, x), weight, bias, rate, padding)[0].T
    out[: len(y)] = y
    return out


def vocoder_snake(span: Tensor, x: Tensor, alpha: Tensor, beta: Tensor, out: Tensor) -> Tensor:
    """Snake between a 2x upsampling and a 2x downsampling, so that it does not alias.

    y = v + sin(exp(alpha) v)^2 / (exp(beta) + 1e-9) at twice the rate (arXiv 2006.08195,
    2206.04658); both filters are ``TAPS``; both signals continue with their end values.
    x: [R, C]; alpha, beta: logarithms [C]; out: [R', C].
    """
    channels = x.shape[1]
    fir = torch.tensor(TAPS, dtype=x.dtype, device=x.device).expand(channels, 1, -1)
    v = F.pad(_channels_first(span, x), (5, 5), mode="replicate")
    v = 2 * F.conv_transpose1d(v, fir, stride=2, groups=channels)[..., 15:-15]
    a, b = alpha.to(x.dtype).exp()[:, None], beta.to(x.dtype).exp()[:, None]
    v = v + (v * a).sin().square() / (b + 1e-9)
    y = F.conv1d(F.pad(v, (5, 6), mode="replicate"), fir, stride=2, groups=channels)[0].T
    out[: len(y)] = y
    return out


def vocoder_mean(span: Tensor, parts: list[Tensor], out: Tensor) -> Tensor:
    """The mean of several signals over one span. parts: each [R, C]; out: [R', C]."""
    first, rows = span.tolist()
    out[:rows] = sum(part[first : first + rows] for part in parts) / len(parts)
    return out


def vocoder_clamp(span: Tensor, x: Tensor, scale: float, shift: float, out: Tensor) -> Tensor:
    """clamp(x * scale + shift, -1, 1). x: [R, C]; out: [R', C]."""
    first, rows = span.tolist()
    out[:rows] = (x[first : first + rows] * scale + shift).clamp(-1, 1)
    return out


def _channels_first(span: Tensor, x: Tensor) -> Tensor:  # [R, C] -> [1, C, rows]
    first, rows = span.tolist()
    return x[first : first + rows].T[None]


def _as(x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Both in the dtype of x, which is float64 where a test wants no rounding."""
    return weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
