"""The vocoder's layers in C++. Signals are float32 and contiguous, [rows, channels]."""

from torch import Tensor

from omnirt import _core
from omnirt.ops.packed_conv import PackedConv, PackedConvTranspose


def vocoder_conv(
    span: Tensor, x: Tensor, packed: PackedConv, bias: Tensor | None, dilation: int, out: Tensor,
    add: bool = False,
) -> Tensor:  # fmt: skip
    """x: [R, C]; bias: [O]; out: [R', O], neither x nor a part of it."""
    _core.vocoder_conv(span, x, packed.panels, bias, packed.kernel, dilation, add, out)
    return out


def vocoder_upsample(
    span: Tensor, x: Tensor, packed: PackedConvTranspose, bias: Tensor | None, rate: int,
    padding: int, out: Tensor,
) -> Tensor:  # fmt: skip
    """x: [R, C]; bias: [O]; out: [R', O]."""
    _core.vocoder_upsample(span, x, packed.panels, bias, rate, padding, out)
    return out


def vocoder_snake(span: Tensor, x: Tensor, alpha: Tensor, beta: Tensor, out: Tensor) -> Tensor:
    """x: [R, C]; alpha, beta: [C]; out: [R', C], neither x nor a part of it."""
    _core.vocoder_snake(span, x, alpha, beta, out)
    return out


def vocoder_mean(span: Tensor, parts: list[Tensor], out: Tensor) -> Tensor:
    """parts: one to four [R, C]; out: [R', C]."""
    _core.vocoder_mean(span, parts, out)
    return out


def vocoder_clamp(span: Tensor, x: Tensor, scale: float, shift: float, out: Tensor) -> Tensor:
    """x: [R, C]; out: [R', C]."""
    _core.vocoder_clamp(span, x, scale, shift, out)
    return out
