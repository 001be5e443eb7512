"""What the vocoder does to each number of a signal: serves ops/reference/vocoder.py."""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call
from .checks import check_shape, check_span

BLOCK, MAX_PARTS = 1024, 3


@triton.jit
def _vocoder_mean_kernel(
    span_ptr, a_ptr, b_ptr, c_ptr, out_ptr, channels, factor, BLOCK: tl.constexpr
):
    """out = (a + b + c) * factor, of the parts that are there."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < tl.load(span_ptr + 1) * channels
    source = tl.load(span_ptr) * channels + at
    total = tl.load(a_ptr + source, inside, 0.0).to(tl.float32)
    if b_ptr is not None:
        total += tl.load(b_ptr + source, inside, 0.0).to(tl.float32)
    if c_ptr is not None:
        total += tl.load(c_ptr + source, inside, 0.0).to(tl.float32)
    tl.store(out_ptr + at, total * factor, inside)


@triton.jit
def _vocoder_clamp_kernel(
    span_ptr, x_ptr, out_ptr, channels, scale, shift, BLOCK: tl.constexpr
):  # fmt: skip
    """out = x * scale + shift, at least -1 and at most 1."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < tl.load(span_ptr + 1) * channels
    x = tl.load(x_ptr + tl.load(span_ptr) * channels + at, inside, 0.0).to(tl.float32)
    tl.store(out_ptr + at, tl.minimum(tl.maximum(x * scale + shift, -1.0), 1.0), inside)


def vocoder_mean(span: Tensor, parts: list[Tensor], out: Tensor) -> Call:
    """span: int32 [2]; parts: one to three, float [R, C]; out: float [R', C]. Raises ValueError."""
    name, channels = "vocoder_mean", out.shape[1]
    if not 0 < len(parts) <= MAX_PARTS:
        raise ValueError(f"{name}: {len(parts)} parts; use 1 to {MAX_PARTS}")
    for part in parts:
        check_shape(name, "part", part, -1, channels)
    a, b, c = [*parts, None, None][:MAX_PARTS]
    args = dict(a_ptr=a, b_ptr=b, c_ptr=c, out_ptr=out, channels=channels, factor=1 / len(parts))
    return _call(_vocoder_mean_kernel, name, span, args, out)


def vocoder_clamp(span: Tensor, x: Tensor, scale: float, shift: float, out: Tensor) -> Call:
    """span: int32 [2]; x: float [R, C]; out: float [R', C]. Raises ValueError."""
    name, channels = "vocoder_clamp", out.shape[1]
    check_shape(name, "x", x, -1, channels)
    args = dict(x_ptr=x, out_ptr=out, channels=channels, scale=float(scale), shift=float(shift))
    return _call(_vocoder_clamp_kernel, name, span, args, out)


def _call(
    kernel: triton.runtime.KernelInterface, name: str, span: Tensor, args: dict, out: Tensor
) -> Call:
    check_span(name, span)
    check_shape(name, "out", out, -1, -1)
    return Call(
        kernel, (triton.cdiv(out.numel(), BLOCK),), {"span_ptr": span, **args, "BLOCK": BLOCK}
    )
