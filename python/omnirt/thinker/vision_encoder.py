"""Sight: flattened patches of pictures and frame pairs to rows of the Thinker's prompt.

The windowed vision transformer of Qwen2.5-VL (arXiv 2502.13923), as Qwen2.5-Omni has it.
Attention never leaves a frame (one step of a grid's time axis), so frames are encoded in groups.
"""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt import ops
from omnirt.errors import InputError
from omnirt.nn.linear import Linear
from omnirt.nn.weights import Weights

from .config import VisionConfig

GROUP_PATCHES = 4096  # patches encoded together: bounds the memory of long videos, large pictures


@dataclass(frozen=True)
class _Frame:
    """How one frame of h x w patches is laid out while its patches are sorted into windows.

    order: int64 [units], the merge units in window order. windows: patches of each window.
    cos, sin: float32 [h * w, head_dim / 2], rotary angles in window order.
    """

    order: Tensor
    windows: tuple[int, ...]
    cos: Tensor
    sin: Tensor


class VisionEncoder:
    """Patches in, rows of ``out_hidden_size`` out, one for each merge unit (2x2 patches)."""

    def __init__(self, config: VisionConfig, weights: Weights) -> None:
        self.config = config
        self.unit = config.spatial_merge_size**2
        self.embed = weights["patch_embed.proj.weight"].flatten(1)  # [hidden, patch_dim]
        blocks = weights.scope("blocks")
        self.blocks = [_Block(config, blocks.scope(str(i))) for i in range(config.depth)]
        self.merger = _Merger(config, weights.scope("merger"))

    def __call__(self, patches: Tensor, grids: list[tuple[int, int, int]]) -> Tensor:
        """Encode pictures or videos.

        patches: float32 [sum of t * h * w, channels * 2 * 14 * 14], per frame in merge-unit order.
        grids: (t, h, w) of each, in patches. Returns float32 [sum of t * h * w / 4, out].
        Raises InputError when a grid cannot be merged or does not match the patches.
        """
        return torch.cat(
            [torch.empty(0, self.config.out_hidden_size), *self.pieces(patches, grids)]
        )

    def pieces(self, patches: Tensor, grids: list[tuple[int, int, int]]) -> Iterator[Tensor]:
        """The rows of a call, a group of frames at a time."""
        self._check(patches, grids)
        frames = [_frame(self.config, h, w) for t, h, w in grids for _ in range(t)]
        start = 0
        for group in _groups(frames):
            end = start + sum(len(frame.cos) for frame in group)
            yield self._encode(patches[start:end], group)
            start = end

    def _check(self, patches: Tensor, grids: list[tuple[int, int, int]]) -> None:
        merge = self.config.spatial_merge_size
        for grid in grids:
            if min(grid) < 1 or grid[1] % merge or grid[2] % merge:
                raise InputError(f"grid={grid}: height and width must be multiples of {merge}")
        expected = (sum(t * h * w for t, h, w in grids), self.config.patch_dim)
        if tuple(patches.shape) != expected:
            raise InputError(
                f"patches.shape={tuple(patches.shape)}: the grids {grids} need {expected}"
            )

    def _encode(self, patches: Tensor, frames: list[_Frame]) -> Tensor:
        sizes = [len(frame.order) for frame in frames]
        starts = [0, *itertools.accumulate(sizes)]
        order = torch.cat([f.order + start for f, start in zip(frames, starts, strict=False)])
        by_frame = [start * self.unit for start in starts]
        by_window = [0, *itertools.accumulate(n for f in frames for n in f.windows)]
        cos, sin = torch.cat([f.cos for f in frames]), torch.cat([f.sin for f in frames])

        x = ops.linear(patches.unflatten(0, (-1, self.unit))[order].flatten(0, 1), self.embed)
        for i, block in enumerate(self.blocks):
            full = i in self.config.full_attention_blocks
            x = block(x, cos, sin, by_frame if full else by_window)
        return self.merger(x)[order.argsort()]


class _Block:
    """Pre-norm transformer block, every projection biased."""

    def __init__(self, config: VisionConfig, weights: Weights) -> None:
        self.head_dim, self.eps = config.head_dim, config.rms_norm_eps
        attn, mlp = weights.scope("attn"), weights.scope("mlp")
        self.q, self.k, self.v, self.proj = (Linear(attn.scope(n)) for n in ("q", "k", "v", "proj"))
        names = ("gate_proj", "up_proj", "down_proj")
        self.gate, self.up, self.down = (Linear(mlp.scope(n)) for n in names)
        self.norm_attn, self.norm_mlp = weights["norm1.weight"], weights["norm2.weight"]

    def __call__(self, x: Tensor, cos: Tensor, sin: Tensor, boundaries: list[int]) -> Tensor:
        """x: [T, hidden]; cos, sin: [T, head_dim / 2]."""
        h = ops.rms_norm(x, self.norm_attn, self.eps)
        q, k, v = (f(h).unflatten(-1, (-1, self.head_dim)) for f in (self.q, self.k, self.v))
        q, k = ops.rope(q, cos, sin), ops.rope(k, cos, sin)
        a = self.proj(ops.segment_attention(q, k, v, boundaries).flatten(1))
        x, h = ops.add_rms_norm(x, a, self.norm_mlp, self.eps)
        return x + torch.cat([self._mlp(part) for part in h.split(GROUP_PATCHES)])

    def _mlp(self, h: Tensor) -> Tensor:  # [T, hidden] -> [T, hidden], wide in between
        return self.down(ops.silu_mul(self.gate(h), self.up(h)))


class _Merger:
    """Norm, then a unit's patches side by side through two layers: [T, hidden] -> [T / 4, out]."""

    def __init__(self, config: VisionConfig, weights: Weights) -> None:
        self.width, self.eps = config.merged_size, config.rms_norm_eps
        self.norm = weights["ln_q.weight"]
        mlp = weights.scope("mlp")
        self.up, self.down = Linear(mlp.scope("0")), Linear(mlp.scope("2"))

    def __call__(self, x: Tensor) -> Tensor:
        merged = ops.rms_norm(x, self.norm, self.eps).reshape(-1, self.width)
        return self.down(ops.gelu(self.up(merged)))


def _groups(frames: list[_Frame]) -> Iterator[list[_Frame]]:
    """Neighbours of at most GROUP_PATCHES together; a larger frame is a group of its own."""
    group, size = [], 0
    for frame in frames:
        if group and size + len(frame.cos) > GROUP_PATCHES:
            yield group
            group, size = [], 0
        group.append(frame)
        size += len(frame.cos)
    if group:
        yield group


@functools.lru_cache(maxsize=4)
def _frame(config: VisionConfig, h: int, w: int) -> _Frame:
    """Lay out a frame of h x w patches (see _Frame): windows and the units in them row by row."""
    merge = config.spatial_merge_size
    side = config.window_size // (config.patch_size * merge)  # units along a window's edge
    row, col = torch.meshgrid(torch.arange(h // merge), torch.arange(w // merge), indexing="ij")
    window = (row // side * -(-w // (merge * side)) + col // side).flatten()
    order = window.argsort(stable=True)
    row, col = row.flatten()[order], col.flatten()[order]
    angles = _angles(config, row, col)
    windows = (window.bincount() * merge**2).tolist()
    return _Frame(order, tuple(windows), angles.cos(), angles.sin())


def _angles(config: VisionConfig, row: Tensor, col: Tensor) -> Tensor:
    """2-D rotary angles: the first half of the frequencies turns with y, the second with x.

    row, col: int64 [units]. Returns float32 [units * merge^2, head_dim / 2].
    """
    merge, width = config.spatial_merge_size, config.head_dim // 2
    frequency = 1.0 / config.rope_theta ** (torch.arange(0, width, 2) / width)
    dy, dx = torch.meshgrid(torch.arange(merge), torch.arange(merge), indexing="ij")
    y = (row[:, None] * merge + dy.flatten()).flatten()
    x = (col[:, None] * merge + dx.flatten()).flatten()
    return torch.cat([y[:, None] * frequency, x[:, None] * frequency], 1)
