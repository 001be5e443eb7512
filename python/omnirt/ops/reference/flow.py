"""What only the flow-matching transformer needs, in float32."""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.ops.window import FlowWindow

from .random import normal_rows


def flow_noise(window: FlowWindow, out: Tensor) -> Tensor:  # [F, mel]
    """The noise that the window starts from: seeded normal numbers of its absolute frames."""
    frames = window.frames
    out[:frames] = normal_rows(window.seed, window.start, frames, out.shape[1])
    return out


def flow_input(
    window: FlowWindow, base: Tensor, projected: Tensor, repeats: int, out: Tensor
) -> Tensor:
    """What the first layer reads: the noisy mel's part plus, conditionally, code and voice.

    base: float32 [F, C]; projected: float32 [num_codes + 1, C]; out: [F * rows, C].
    """
    frames = window.frames
    live = out[: frames * window.rows].unflatten(0, (frames, window.rows))
    codes = window.codes.long().repeat_interleave(repeats)[:frames]
    live[:, 0] = base[:frames] + projected[codes] + window.voice[0]
    if window.rows == 2:
        live[:, 1] = base[:frames] + window.voice[1]
    return out


def flow_modulate(
    window: FlowWindow, x: Tensor, shift: int, scale: int, eps: float, out: Tensor
) -> Tensor:
    """Adaptive layer norm: LN(x) * (1 + scale) + shift (DiT, arXiv 2212.09748).

    x, out: float32 [F * rows, C]; shift, scale: rows of the evaluation's table.
    """
    live, table = window.frames * window.rows, window.table[window.evaluation]
    norm = F.layer_norm(x[:live], x.shape[-1:], eps=eps)
    out[:live] = norm * (1 + table[scale]) + table[shift]
    return out


def flow_rope_angles(window: FlowWindow, inv_freq: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Fill cos and sin of the angles position * frequency; positions are absolute frames.

    inv_freq: float32 [D/2]; cos, sin: float32 [F, D/2]. Returns cos.
    """
    frames, start = window.frames, window.start
    angles = torch.arange(start, start + frames)[:, None].float() * inv_freq
    cos[:frames], sin[:frames] = angles.cos(), angles.sin()
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
    """Softmax attention, scale D^-0.5, between blocks of frames; head 0 of q and k is rotated.

    A query of block i sees the keys of blocks i - back .. i + ahead within the window and, with
    ``left``, of the cached block before it. layer: the index in the cache of one that looks back;
    it saves the rotated keys and the values of the block that ends at ``keep``.
    qkv: float32 [F * rows, 3 * C]; cos, sin: float32 [F, D/2]; out: [F * rows, C].
    """
    frames, rows = window.frames, window.rows
    live = slice(0, frames * rows)
    parts = qkv[live].view(frames, rows, 3, heads, -1)
    q, k, v = parts.permute(2, 1, 3, 0, 4).float()  # [rows, heads, frames, D]
    q, k = (_rotate_first_head(x, cos[:frames], sin[:frames]) for x in (q, k))
    saved = k[:, :, window.keep - block : window.keep], v[:, :, window.keep - block : window.keep]
    first = 0
    if layer is not None and window.left:
        kept = window.cache[window.evaluation, layer].unflatten(-1, (heads, -1)).transpose(2, 3)
        k, v = torch.cat((kept[0], k), dim=2), torch.cat((kept[1], v), dim=2)
        first = -block
    distance = torch.arange(first, frames) // block - torch.arange(frames)[:, None] // block
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    scores = scores.masked_fill((distance < -back) | (distance > ahead), float("-inf"))
    out[live] = (scores.softmax(-1) @ v).permute(2, 0, 1, 3).reshape(frames * rows, -1)
    if layer is not None and window.keep:
        saved = torch.stack(saved).transpose(2, 3).flatten(3)  # [2, rows, block, C]
        window.cache[window.evaluation, layer] = saved
    return out


def _rotate_first_head(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate neighbouring pairs (x0, x1), (x2, x3), ... of head 0. [rows, heads, T, D]."""
    even, odd = x[:, 0, :, ::2], x[:, 0, :, 1::2]
    rotated = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
    return torch.cat((rotated[:, None], x[:, 1:]), dim=1)
