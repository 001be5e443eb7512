"""The flow-matching transformer: the velocity that turns noise into mel frames.

Qwen2.5-Omni technical report, arXiv 2503.20215; the blocks are DiT's (arXiv 2212.09748). What does
not depend on the noisy mel is computed ahead: the voice once, the codes' part of the input once for
all codes, and the adaptive norms (141 of 333 million weights) once for all times of a grid.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt import ops
from omnirt.nn.linear import Linear
from omnirt.nn.weights import Weights
from omnirt.ops.window import FlowWindow

from .config import DitConfig
from .speaker import SpeakerEncoder


@dataclass(frozen=True)
class Workspace:
    """Memory of one evaluation, for windows of up to F frames; whoever evaluates may share it.

    R = F * rows of guidance, C the hidden size. base: [F, C]; h, mixed: [R, C]; qkv: [R, 3 * C] and
    hidden: [R, ff_dim], never used at once, in the same memory; cos, sin: [F, head_dim / 2];
    velocity: [R, mel_dim].
    """

    base: Tensor
    h: Tensor
    mixed: Tensor
    qkv: Tensor
    hidden: Tensor
    cos: Tensor
    sin: Tensor
    velocity: Tensor


class DiT:
    """Velocity field over mel frames.

    stored_rope: take the rotary frequencies from the checkpoint, where released ones are rounded to
    bfloat16 as in training; otherwise from the formula. precision: of the layers' weights,
    "float32", "bfloat16" or "int8"; what enters and leaves them is float32.
    """

    def __init__(
        self,
        config: DitConfig,
        weights: Weights,
        stored_rope: bool = True,
        precision: str = "float32",
    ) -> None:
        self.config = config
        self.speaker = SpeakerEncoder(config.speaker, weights.scope("input_embed.spk_encoder"))
        widths = (config.mel_dim, config.speaker.dim, config.codec_dim, config.speaker_dim)
        parts = weights["input_embed.proj.weight"].split(widths, dim=1)
        mel_in, self.speaker_in, code_in, self.voice_in = (p.contiguous() for p in parts)
        self.bias_in = weights["input_embed.proj.bias"].clone()
        self.mel_in = ops.pack(mel_in, "float32")
        self.projected = ops.linear(weights["text_embed.codec_embed.weight"], code_in)
        self.time = [Linear(weights.scope(f"time_embed.time_mlp.{i}")) for i in (0, 2)]
        self.blocks = [
            _Block(config, i, weights.scope(f"transformer_blocks.{i}"), precision)
            for i in range(config.num_layers)
        ]
        self.norm_out = Linear(weights.scope("norm_out.linear"))
        self.proj_out = _Packed("float32", weights.scope("proj_out"))
        stored = weights["rotary_embed.inv_freq"].float().clone()
        self.inv_freq = stored if stored_rope else _inv_freq(config)

    def voice(self, reference: Tensor, vector: Tensor) -> Tensor:
        """What a voice adds to the input of every frame: [2, C], the second with neither voice nor
        code, for the null row of guidance.

        reference: mel [F, mel_dim] of a recording; vector: [speaker_dim], the same speaker.
        """

        def part(mel: Tensor) -> Tensor:
            return ops.linear(self.speaker(mel), self.speaker_in, self.bias_in)

        given = part(reference) + ops.linear(vector, self.voice_in)
        return torch.stack((given, part(torch.zeros_like(reference)) + self.projected[0]))

    def table(self, times: Sequence[float]) -> Tensor:
        """The adaptive norms at every time, reading their weights once: [times, 6 * layers + 2, C].

        A layer has shift, scale and gate of attention, then of the MLP; scale and shift of the
        output come last.
        """
        distinct = sorted(set(times))
        half = self.config.time_dim // 2
        rates = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
        angles = 1000 * torch.tensor(distinct)[:, None] * rates
        first, second = self.time
        hidden = second(F.silu(first(torch.cat((angles.sin(), angles.cos()), dim=1))))
        hidden = F.silu(hidden)  # [distinct, C]
        norms = [*(block.norms for block in self.blocks), self.norm_out]
        rows = torch.cat([norm(hidden) for norm in norms], dim=1)
        found = [distinct.index(time) for time in times]
        return rows.unflatten(1, (-1, self.config.hidden_size))[found]

    def cache(self, evaluations: int, rows: int) -> Tensor:
        """Room for what a window leaves to the next one: see ``FlowWindow``."""
        config = self.config
        layers = len(config.cached_layers)
        return torch.empty(evaluations, layers, 2, rows, config.block_size, config.hidden_size)

    def workspace(self, frames: int, rows: int) -> Workspace:
        """Memory for windows of up to ``frames`` frames in ``rows`` guidance rows, unset."""
        config, live = self.config, frames * rows
        c, ff, half = config.hidden_size, config.ff_dim, config.head_dim // 2
        wide = torch.empty(live * max(3 * c, ff))
        return Workspace(
            base=torch.empty(frames, c),
            h=torch.empty(live, c),
            mixed=torch.empty(live, c),
            qkv=wide[: live * 3 * c].view(live, 3 * c),
            hidden=wide[: live * ff].view(live, ff),
            cos=torch.empty(frames, half),
            sin=torch.empty(frames, half),
            velocity=torch.empty(live, config.mel_dim),
        )

    def evaluate(self, window: FlowWindow, y: Tensor, space: Workspace) -> Tensor:
        """The velocity at noisy mel y: float32 [F, mel_dim], F that of space; may be recorded.

        Returns float32 [F * rows, mel_dim], row = frame * rows + r, of which the window's live.
        """
        config = self.config
        ops.flow_linear(window, y, self.mel_in, None, space.base, 1)
        ops.flow_input(window, space.base, self.projected, config.repeats, space.h)
        ops.flow_rope_angles(window, self.inv_freq, space.cos, space.sin)
        for block in self.blocks:
            block(window, space)
        scale = 6 * config.num_layers
        ops.flow_modulate(window, space.h, scale + 1, scale, config.norm_eps, space.mixed)
        return self.proj_out(window, space.mixed, space.velocity)


class _Packed:
    """A linear layer on packed weights, over the live rows of a window; several of one input join.

    What it is built from is copied, so a mapped file need not stay in memory.
    """

    def __init__(self, precision: str, *parts: Weights) -> None:
        self.weight = ops.pack(torch.cat([part["weight"] for part in parts]), precision)
        self.bias = torch.cat([part["bias"] for part in parts])

    def __call__(self, window: FlowWindow, x: Tensor, out: Tensor, gelu: bool = False) -> Tensor:
        """x: [F * rows, in] -> out: [F * rows, out]."""
        return ops.flow_linear(window, x, self.weight, self.bias, out, window.rows, gelu)

    def add(self, window: FlowWindow, x: Tensor, gate: int, out: Tensor) -> Tensor:
        """The same, times a gate of the evaluation's table, added to what is there."""
        return ops.flow_gated_linear(window, x, self.weight, self.bias, gate, out)


class _Block:
    """Attention between blocks of frames and an MLP, both behind adaptive norms and gates."""

    def __init__(self, config: DitConfig, index: int, weights: Weights, precision: str) -> None:
        self.config = config
        self.table = 6 * index  # its first row there
        back = config.cached_layers
        self.back, self.ahead = int(index in back), int(index in config.look_ahead_layers)
        self.cached = back.index(index) if self.back else None
        self.norms = Linear(weights.scope("attn_norm.linear"))
        self.qkv = _Packed(precision, *(weights.scope(f"attn.to_{n}") for n in "qkv"))
        self.out = _Packed(precision, weights.scope("attn.to_out.0"))
        self.up, self.down = (_Packed(precision, weights.scope(f"ff.ff.{i}")) for i in (0, 3))

    def __call__(self, window: FlowWindow, space: Workspace) -> None:
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = range(self.table, self.table + 6)
        eps, h, mixed = self.config.norm_eps, space.h, space.mixed
        ops.flow_modulate(window, h, shift, scale, eps, mixed)
        self.qkv(window, mixed, space.qkv)
        self._attend(window, space)
        self.out.add(window, mixed, gate, h)
        ops.flow_modulate(window, h, mlp_shift, mlp_scale, eps, mixed)
        self.up(window, mixed, space.hidden, gelu=True)
        self.down.add(window, space.hidden, mlp_gate, h)

    def _attend(self, window: FlowWindow, space: Workspace) -> None:
        config = self.config
        ops.flow_attention(
            window,
            space.qkv,
            config.num_heads,
            config.block_size,
            self.back,
            self.ahead,
            space.cos,
            space.sin,
            self.cached,
            space.mixed,
        )


def _inv_freq(config: DitConfig) -> Tensor:
    """Rotary frequencies theta^(-2i / head_dim) (arXiv 2104.09864)."""
    exponents = torch.arange(0, config.head_dim, 2) / config.head_dim
    return config.rope_theta**-exponents
