"""SwiGLU's product (arXiv 2002.05202)."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .common import same_shape

BLOCK = 1024


@triton.jit
def _silu_mul_kernel(gate_ptr, up_ptr, out_ptr, count, BLOCK: tl.constexpr):
    """out = gate / (1 + exp(-gate)) * up, element by element."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    gate = tl.load(gate_ptr + at, inside, 0.0).to(tl.float32)
    up = tl.load(up_ptr + at, inside, 0.0).to(tl.float32)
    tl.store(out_ptr + at, gate * tl.sigmoid(gate) * up, inside)


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up. float [..., D] each, dense. Returns float32. Raises ValueError."""
    same_shape("silu_mul", gate=gate, up=up)
    out = torch.empty_like(gate, dtype=torch.float32)
    grid = (triton.cdiv(out.numel(), BLOCK),)
    _silu_mul_kernel[grid](gate, up, out, out.numel(), BLOCK=BLOCK)
    return out
