"""RMS normalisation (arXiv 1910.07467), alone and after a residual add. One program a row."""

import torch
import triton
import triton.language as tl
from torch import Tensor

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
    HAS_DELTA: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """out = t / sqrt(mean(t^2) + eps) * weight, where t = x (+ delta, then stored to total)."""
    at = tl.arange(0, BLOCK)
    inside = at < columns
    row = tl.program_id(0).to(tl.int64) * columns + at
    x = tl.load(x_ptr + row, inside, 0.0).to(tl.float32)
    if HAS_DELTA:
        x += tl.load(delta_ptr + row, inside, 0.0).to(tl.float32)
        tl.store(total_ptr + row, x, inside)
    weight = tl.load(weight_ptr + at, inside, 0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(x * x, 0) / columns + eps)
    tl.store(out_ptr + row, x * scale * weight, inside)


def _launch(name: str, x: Tensor, delta: Tensor | None, weight: Tensor, eps: float):
    rows, columns = rows_of(name, x)
    if weight.shape != (columns,):
        raise ValueError(f"{name}: weight is {list(weight.shape)}, must be [{columns}]")
    out = torch.empty_like(x, dtype=torch.float32)
    total = x if delta is None else torch.empty_like(out)
    block, warps = block_and_warps(columns)
    _rms_norm_kernel[(rows,)](
        x,
        x if delta is None else delta,
        weight,
        total,
        out,
        columns,
        eps,
        HAS_DELTA=delta is not None,
        BLOCK=block,
        num_warps=warps,
    )
    return total, out


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x: float [..., D]; weight: [D]. Returns float32 [..., D]. Raises ValueError."""
    return _launch("rms_norm", x, None, weight, eps)[1]


def add_rms_norm(x: Tensor, delta: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Returns (x + delta, rms_norm(x + delta)), float32 [..., D]. Raises ValueError."""
    same_shape("add_rms_norm", x=x, delta=delta)
    return _launch("add_rms_norm", x, delta, weight, eps)
