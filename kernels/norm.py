"""RMS normalisation (arXiv 1910.07467), alone and after a residual add; layer normalisation
(arXiv 1607.06450). One program a row."""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call
from .common import block_and_warps, rows_of, same_shape


@triton.jit
def _rms_norm_kernel(
    x_ptr,
    delta_ptr,
    weight_ptr,
    total_ptr,
    out_ptr,
    columns,
    eps,
    BLOCK: tl.constexpr,
):
    """out = t / sqrt(mean(t^2) + eps) * weight, where t = x (+ delta, then stored to total)."""
    at = tl.arange(0, BLOCK)
    inside = at < columns
    row = tl.program_id(0).to(tl.int64) * columns + at
    x = tl.load(x_ptr + row, inside, 0.0).to(tl.float32)
    if delta_ptr is not None:
        x += tl.load(delta_ptr + row, inside, 0.0).to(tl.float32)
        tl.store(total_ptr + row, x, inside)
    weight = tl.load(weight_ptr + at, inside, 0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(x * x, 0) / columns + eps)
    tl.store(out_ptr + row, x * scale * weight, inside)


@triton.jit
def _layer_norm_kernel(x_ptr, weight_ptr, bias_ptr, out_ptr, columns, eps, BLOCK: tl.constexpr):
    """out = (x - mean) / sqrt(variance + eps) * weight + bias."""
    at = tl.arange(0, BLOCK)
    inside = at < columns
    row = tl.program_id(0).to(tl.int64) * columns + at
    x = tl.load(x_ptr + row, inside, 0.0).to(tl.float32)
    x = tl.where(inside, x - tl.sum(x, 0) / columns, 0.0)
    y = x * tl.rsqrt(tl.sum(x * x, 0) / columns + eps)
    if weight_ptr is not None:
        y *= tl.load(weight_ptr + at, inside, 0.0).to(tl.float32)
    if bias_ptr is not None:
        y += tl.load(bias_ptr + at, inside, 0.0).to(tl.float32)
    tl.store(out_ptr + row, y, inside)


def rms_norm(x: Tensor, weight: Tensor, eps: float, out: Tensor) -> Call:
    """out = norm of x. x, out: float [..., D]; weight: float [D]. Raises ValueError."""
    same_shape("rms_norm", x=x, out=out)
    return _rms("rms_norm", x, None, weight, eps, None, out)


def add_rms_norm(
    x: Tensor, delta: Tensor, weight: Tensor, eps: float, total: Tensor, out: Tensor
) -> Call:
    """total = x + delta, out = norm of total. float [..., D]; total may be x. Raises ValueError."""
    same_shape("add_rms_norm", x=x, delta=delta, total=total, out=out)
    return _rms("add_rms_norm", x, delta, weight, eps, total, out)


def layer_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, out: Tensor
) -> Call:
    """out = norm of x. x, out: float [..., D]; weight, bias: float [D]. Raises ValueError."""
    same_shape("layer_norm", x=x, out=out)
    rows, columns = rows_of("layer_norm", x)
    for name, vector in (("weight", weight), ("bias", bias)):
        if vector is not None:
            _check_vector("layer_norm", name, vector, columns)
    block, warps = block_and_warps(columns)
    args = dict(x_ptr=x, weight_ptr=weight, bias_ptr=bias, out_ptr=out)
    args |= dict(columns=columns, eps=eps, BLOCK=block)
    return Call(_layer_norm_kernel, (rows,), args, warps)


def _rms(
    name: str,
    x: Tensor,
    delta: Tensor | None,
    weight: Tensor,
    eps: float,
    total: Tensor | None,
    out: Tensor,
) -> Call:
    rows, columns = rows_of(name, x)
    _check_vector(name, "weight", weight, columns)
    block, warps = block_and_warps(columns)
    args = dict(x_ptr=x, delta_ptr=delta, weight_ptr=weight, total_ptr=total, out_ptr=out)
    args |= dict(columns=columns, eps=eps, BLOCK=block)
    return Call(_rms_norm_kernel, (rows,), args, warps)


def _check_vector(name: str, field: str, vector: Tensor, columns: int) -> None:
    if vector.shape != (columns,):
        raise ValueError(f"{name}: {field} is {list(vector.shape)}, must be [{columns}]")
