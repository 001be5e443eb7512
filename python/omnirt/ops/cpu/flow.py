"""What only the flow-matching transformer needs, through torch."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .eager import eager


@eager
def modulate(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """See the reference."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=eps), 1 + scale)


@eager
def rope_first_head(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """See the reference. A pair times cos + i sin."""
    x = x.clone()
    torch.view_as_complex(x[:, 0].unflatten(-1, (-1, 2))).mul_(torch.complex(cos, sin))
    return x


@eager
def block_attention(q: Tensor, k: Tensor, v: Tensor, block: int, back: int, ahead: int) -> Tensor:
    """See the reference. Blocks that see a whole neighbourhood run as one batch, the rest singly.

    Never forms a [T, T] mask: time and memory grow with T, not with its square.
    """
    length = q.shape[2]
    first, last = back, max(back, length // block - ahead)  # blocks with a whole neighbourhood
    out = torch.empty_like(q)
    if last > first:
        span = (back + 1 + ahead) * block
        inner = slice(first * block, last * block)
        keys, values = (_windows(x, (last + ahead) * block, span, block) for x in (k, v))
        queries = q[:, :, inner].unflatten(2, (-1, block)).flatten(1, 2)
        seen = F.scaled_dot_product_attention(queries, keys, values)
        out[:, :, inner] = seen.unflatten(1, (q.shape[1], -1)).flatten(2, 3)
    blocks = range(-(-length // block))
    for i in (*blocks[:first], *blocks[last:]):
        own = slice(i * block, (i + 1) * block)
        near = slice(max(0, i - back) * block, (i + 1 + ahead) * block)
        out[:, :, own] = F.scaled_dot_product_attention(q[:, :, own], k[:, :, near], v[:, :, near])
    return out


def _windows(x: Tensor, end: int, span: int, step: int) -> Tensor:
    """Neighbourhoods of the first ``end`` frames. [B, H, T, D] -> [B, H * windows, span, D]."""
    return x[:, :, :end].unfold(2, span, step).transpose(-1, -2).flatten(1, 2)
