"""What only the flow-matching transformer needs: C++ kernels, and torch for whole utterances."""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt import _core
from omnirt.ops.window import FlowWindow

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


def flow_noise(window: FlowWindow, out: Tensor) -> Tensor:  # [F, mel]
    """See the reference."""
    _core.flow_noise(window.state, out)
    return out


def flow_input(
    window: FlowWindow, base: Tensor, projected: Tensor, repeats: int, out: Tensor
) -> Tensor:
    """base: [F, C]; projected: [num_codes + 1, C]; out: [F * rows, C]."""
    voice, codes = window.voice, window.codes
    _core.flow_input(window.state, voice, codes, window.rows, base, projected, repeats, out)
    return out


def flow_modulate(
    window: FlowWindow, x: Tensor, shift: int, scale: int, eps: float, out: Tensor
) -> Tensor:
    """x, out: [F * rows, C]; shift, scale: rows of the evaluation's table."""
    _core.flow_modulate(window.state, window.table, window.rows, x, shift, scale, eps, out)
    return out


def flow_rope_angles(window: FlowWindow, inv_freq: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """inv_freq: [D/2]; cos, sin: [F, D/2]. Returns cos."""
    _core.flow_rope_angles(window.state, inv_freq, cos, sin)
    return cos


def flow_attention(
    window: FlowWindow,
    qkv: Tensor,
    heads: int,
    block: int,
    back: int,
    ahead: int,
    cos: Tensor,
    sin: Tensor,
    layer: int | None,
    out: Tensor,
) -> Tensor:
    """qkv: [F * rows, 3 * C]; cos, sin: [F, D/2]; out: [F * rows, C]."""
    cache, layer = (None, -1) if layer is None else (window.cache, layer)
    _core.flow_attention(
        window.state, cache, window.rows, qkv, heads, block, back, ahead, cos, sin, layer, out
    )
    return out
