"""What only the flow-matching transformer needs, in float32."""

import torch
from torch import Tensor
from torch.nn import functional as F


def modulate(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """Adaptive layer norm: LN(x) * (1 + scale) + shift (DiT, arXiv 2212.09748).

    x: float32 [..., D]; shift, scale: float32 [D]. Returns float32 [..., D].
    """
    return F.layer_norm(x.float(), x.shape[-1:], eps=eps) * (1 + scale) + shift


def rope_first_head(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate neighbouring pairs (x0, x1), (x2, x3), ... of head 0 and leave the others alone.

    x: float32 [B, H, T, D]; cos, sin: float32 [T, D/2]. Returns float32 [B, H, T, D].
    """
    even, odd = x[:, 0, :, ::2], x[:, 0, :, 1::2]
    rotated = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
    return torch.cat((rotated[:, None], x[:, 1:]), dim=1)


def block_attention(q: Tensor, k: Tensor, v: Tensor, block: int, back: int, ahead: int) -> Tensor:
    """Softmax attention, scale D^-0.5, between blocks of frames counted from frame 0.

    A query of block i sees the keys of blocks i - back .. i + ahead; the last block may be short.
    q, k, v: float32 [B, H, T, D]. Returns float32 [B, H, T, D].
    """
    blocks = torch.arange(q.shape[2], device=q.device) // block
    distance = blocks[None, :] - blocks[:, None]  # [query, key]
    seen = (distance >= -back) & (distance <= ahead)
    scores = q.float() @ k.float().transpose(-1, -2) * q.shape[-1] ** -0.5
    return scores.masked_fill(~seen, float("-inf")).softmax(-1) @ v.float()
