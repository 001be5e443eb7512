"""The flow-matching transformer: the velocity that turns noise into mel frames.

Qwen2.5-Omni technical report, arXiv 2503.20215; the blocks are DiT's (arXiv 2212.09748). What does
not depend on the noisy mel is computed ahead: the voice once, the codes once a reply, and the
adaptive norms (141 of 333 million weights) once for all times of a grid.
"""

import math
from collections.abc import Generator, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt import ops
from omnirt.nn.linear import Linear
from omnirt.nn.weights import Weights

from .config import DitConfig
from .speaker import SpeakerEncoder


@dataclass(frozen=True)
class Modulation:
    """The adaptive norms at one time t. C is the hidden size.

    blocks: [layers, 6, C], shift, scale and gate of attention, then of the MLP. last: [2, C], scale
    and shift.
    """

    blocks: Tensor
    last: Tensor


@dataclass(frozen=True)
class Voice:
    """What a voice adds to the input of every frame: [C] each. null: neither voice nor code."""

    given: Tensor
    null: Tensor


@dataclass(frozen=True)
class Condition:
    """All that a solve knows besides the noisy mel.

    rows: input parts, the conditional [T, C] and, under guidance, the null one [1, C]. cos, sin:
    rotary angles [T, head_dim / 2].
    """

    rows: tuple[Tensor, ...]
    cos: Tensor
    sin: Tensor


class DiT:
    """Velocity field over mel frames.

    stored_rope: take the rotary frequencies from the checkpoint, where released ones are rounded to
    bfloat16 as in training; otherwise from the formula.
    """

    def __init__(self, config: DitConfig, weights: Weights, stored_rope: bool = True) -> None:
        self.config = config
        self.speaker = SpeakerEncoder(config.speaker, weights.scope("input_embed.spk_encoder"))
        self.codes = weights["text_embed.codec_embed.weight"]  # [num_codes + 1, codec_dim]
        widths = (config.mel_dim, config.speaker.dim, config.codec_dim, config.speaker_dim)
        parts = weights["input_embed.proj.weight"].split(widths, dim=1)
        self.mel_in, self.speaker_in, self.code_in, self.voice_in = (p.contiguous() for p in parts)
        self.bias_in = weights["input_embed.proj.bias"]
        self.time = [Linear(weights.scope(f"time_embed.time_mlp.{i}")) for i in (0, 2)]
        self.blocks = [
            _Block(config, i, weights.scope(f"transformer_blocks.{i}"))
            for i in range(config.num_layers)
        ]
        self.norm_out = Linear(weights.scope("norm_out.linear"))
        self.proj_out = Linear(weights.scope("proj_out"))
        self.inv_freq = weights["rotary_embed.inv_freq"] if stored_rope else _inv_freq(config)

    def voice(self, reference: Tensor, vector: Tensor) -> Voice:
        """reference: mel [F, mel_dim] of a recording; vector: [speaker_dim], the same speaker."""

        def part(mel: Tensor) -> Tensor:
            return ops.linear(self.speaker(mel), self.speaker_in, self.bias_in)

        given = part(reference) + ops.linear(vector, self.voice_in)
        code = ops.linear(ops.embed(torch.tensor([0]), self.codes)[0], self.code_in)
        return Voice(given, part(torch.zeros_like(reference)) + code)

    def condition(self, codes: Tensor, voice: Voice, guided: bool) -> Condition:
        """codes: int64 [N], so T = N * repeats frames. guided: whether to add the null row."""
        given = ops.linear(ops.embed(codes, self.codes), self.code_in) + voice.given
        given = given.repeat_interleave(self.config.repeats, dim=0)
        angles = torch.arange(len(given))[:, None] * self.inv_freq
        rows = (given, voice.null[None]) if guided else (given,)
        return Condition(rows, angles.cos(), angles.sin())

    def modulations(self, times: Iterable[float]) -> dict[float, Modulation]:
        """The adaptive norms at every distinct time, reading their weights once."""
        times = sorted(set(times))
        half = self.config.time_dim // 2
        rates = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
        angles = 1000 * torch.tensor(times)[:, None] * rates
        first, second = self.time
        hidden = second(F.silu(first(torch.cat((angles.sin(), angles.cos()), dim=1))))
        hidden = F.silu(hidden)  # [times, C]
        blocks = torch.stack([block.norms(hidden) for block in self.blocks], dim=1)
        blocks = blocks.unflatten(2, (6, -1))
        last = self.norm_out(hidden).unflatten(1, (2, -1))
        return {t: Modulation(b, e) for t, b, e in zip(times, blocks, last, strict=True)}

    def velocity(
        self, x: Tensor, modulation: Modulation, condition: Condition
    ) -> Generator[None, None, Tensor]:
        """One evaluation at noisy mel x: float32 [T, mel_dim]; yields after each layer.

        Returns float32 [rows, T, mel_dim].
        """
        base = ops.linear(x, self.mel_in)
        h = torch.stack([base + row for row in condition.rows])
        for block, numbers in zip(self.blocks, modulation.blocks, strict=True):
            h = block(h, numbers, condition)
            yield
        scale, shift = modulation.last
        return self.proj_out(ops.modulate(h, shift, scale, self.config.norm_eps))


class _Block:
    """Attention between blocks of frames and an MLP, both behind adaptive norms and gates."""

    def __init__(self, config: DitConfig, index: int, weights: Weights) -> None:
        self.config = config
        self.back = int(index in config.look_backward_layers)
        self.ahead = int(index in config.look_ahead_layers)
        self.norms = Linear(weights.scope("attn_norm.linear"))
        self.q, self.k, self.v = (Linear(weights.scope(f"attn.to_{n}")) for n in "qkv")
        self.out = Linear(weights.scope("attn.to_out.0"))
        self.up, self.down = (Linear(weights.scope(f"ff.ff.{i}")) for i in (0, 3))

    def __call__(self, x: Tensor, modulation: Tensor, condition: Condition) -> Tensor:
        """x: [rows, T, C]; modulation: [6, C]. Returns [rows, T, C]."""
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = modulation
        eps = self.config.norm_eps
        attended = self._attend(ops.modulate(x, shift, scale, eps), condition)
        x = torch.addcmul(x, gate, self.out(attended))
        hidden = self.up(ops.modulate(x, mlp_shift, mlp_scale, eps))
        return torch.addcmul(x, mlp_gate, self.down(ops.gelu(hidden, tanh=True)))

    def _attend(self, h: Tensor, condition: Condition) -> Tensor:  # [rows, T, C] -> [rows, T, C]
        heads = (self.config.num_heads, self.config.head_dim)
        q, k, v = (p(h).unflatten(2, heads).transpose(1, 2) for p in (self.q, self.k, self.v))
        q, k = (ops.rope_first_head(part, condition.cos, condition.sin) for part in (q, k))
        seen = ops.block_attention(q, k, v, self.config.block_size, self.back, self.ahead)
        return seen.transpose(1, 2).flatten(2)


def _inv_freq(config: DitConfig) -> Tensor:
    """Rotary frequencies theta^(-2i / head_dim) (arXiv 2104.09864)."""
    exponents = torch.arange(0, config.head_dim, 2) / config.head_dim
    return config.rope_theta**-exponents
