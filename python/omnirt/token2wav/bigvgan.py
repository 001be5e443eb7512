"""The vocoder: mel frames -> waveform. BigVGAN (arXiv 2206.04658) with folded weight norms.

Signals are [rows, channels], float32. Every sample depends on a finite stretch of mel, so speech is
made window by window, equal to one shot: see ``vocoder_window``.
"""

import math

import torch
from torch import Tensor

from omnirt import ops
from omnirt.nn.weights import Weights

from .config import BigVGANConfig
from .vocoder_window import levels_of, spans_of

# 20 log10(e^mel) - 20 dB, and -115..0 dB onto -1..1.
_MEL_SCALE, _MEL_SHIFT = 40 / math.log(10) / 115, 2 * (115 - 20) / 115 - 1


class VocoderBuffers:
    """Memory for one window at a time that emits up to ``window`` frames, of whichever reply.

    In: mel [window + left + right, mel_dim], natural logarithm, and spans: int32 [2 * levels, 2],
    see ``spans_of``. Out: samples [window * hop] in [-1, 1], live from the start on. All other
    signals live in as many equal areas as a stage needs at once, 25 MB for 192 frames as released.
    """

    def __init__(self, config: BigVGANConfig, window: int) -> None:
        levels = levels_of(config)
        self.window = window
        self.rows = [level.scale * window + level.left + level.right for level in levels]
        self.mel = torch.zeros(self.rows[0], config.mel_dim)
        self.samples = torch.zeros(self.rows[-1], 1)
        self.spans = torch.zeros(2 * len(levels), 2, dtype=torch.int32)
        self.reads, self.writes = list(self.spans[::2]), list(self.spans[1::2])
        widest = self.rows[0] * max(config.mel_dim, config.initial_channels)
        for i, rate in enumerate(config.upsample_rates, 1):
            widest = max(widest, self.rows[i] * rate * (config.initial_channels >> i))
        self._areas = torch.zeros(2 + len(config.resblock_kernel_sizes), widest)

    def views(self, rows: int, channels: int) -> list[Tensor]:
        """Every area as [rows, channels]."""
        return [area[: rows * channels].view(rows, channels) for area in self._areas]


class BigVGAN:
    """Mel [T, mel_dim], natural logarithm, -> samples in [-1, 1], ``hop`` a frame."""

    def __init__(self, config: BigVGANConfig, weights: Weights) -> None:
        self.config = config
        self.levels = levels_of(config)
        self.conv_pre = _Conv(weights.scope("conv_pre"))
        self.stages = [_Stage(config, i, weights) for i in range(len(config.upsample_rates))]
        self.activation_post = _Snake(weights.scope("activation_post"))
        self.conv_post = ops.pack_conv(weights["conv_post.weight"])

    @property
    def context(self) -> int:
        """Mel frames on either side that a frame's samples depend on, 34 as released."""
        return max(self.levels[0].left, self.levels[0].right)

    def buffers(self, window: int) -> VocoderBuffers:
        """Buffers for ``run``: windows that emit up to ``window`` frames."""
        return VocoderBuffers(self.config, window)

    def run(self, buffers: VocoderBuffers) -> None:
        """Vocode the window that the buffers' spans and mel describe; a Plan may record this."""
        reads, writes, rows = buffers.reads, buffers.writes, buffers.rows
        mel = buffers.views(rows[0], self.config.mel_dim)[1]
        signal = buffers.views(rows[0], self.config.initial_channels)[0]
        ops.vocoder_clamp(reads[0], buffers.mel, _MEL_SCALE, _MEL_SHIFT, mel)
        self.conv_pre(writes[0], mel, signal)
        for level, stage in enumerate(self.stages, 1):
            signal = stage(buffers, level, signal)
        hidden = buffers.views(*signal.shape)[1]
        wave = buffers.views(len(signal), 1)[0]
        self.activation_post(reads[-2], signal, hidden)
        ops.vocoder_conv(writes[-2], hidden, self.conv_post, None, 1, wave)
        ops.vocoder_clamp(reads[-1], wave, 1.0, 0.0, buffers.samples)

    def window(self, buffers: VocoderBuffers, mel: Tensor, m0: int, e0: int, e1: int) -> Tensor:
        """Samples [(e1 - e0) * hop] of frames [e0, e1); mel: float32, the frames from m0 on."""
        first = max(m0, e0 - self.levels[0].left)
        given = mel[first - m0 : e1 + self.levels[0].right - m0]
        buffers.mel[: len(given)] = given
        spans = spans_of(self.levels, first, first + len(given), e0, e1)
        buffers.spans.copy_(torch.tensor(spans).view_as(buffers.spans))
        self.run(buffers)
        return buffers.samples[: (e1 - e0) * self.config.hop, 0].clone()

    def vocode(self, mel: Tensor) -> Tensor:  # [T, mel_dim] -> [T * hop]
        return self.window(self.buffers(len(mel)), mel, 0, 0, len(mel))


class _Conv:
    """A convolution that keeps the length, over zeros beyond the ends. [R, C] -> [R, C']."""

    def __init__(self, weights: Weights, dilation: int = 1) -> None:
        self.weight = ops.pack_conv(weights["weight"])
        self.bias = weights["bias"].float()
        self.dilation = dilation

    def __call__(self, span: Tensor, x: Tensor, out: Tensor, add: bool = False) -> None:
        ops.vocoder_conv(span, x, self.weight, self.bias, self.dilation, out, add)


class _Snake:
    """The alias-free activation. [R, C] -> [R, C]."""

    def __init__(self, weights: Weights) -> None:
        self.alpha, self.beta = weights["act.alpha"].float(), weights["act.beta"].float()

    def __call__(self, span: Tensor, x: Tensor, out: Tensor) -> None:
        ops.vocoder_snake(span, x, self.alpha, self.beta, out)


class _Stage:
    """Upsampling, then the mean of residual blocks of several widths. [R, C] -> [rR, C/2]."""

    def __init__(self, config: BigVGANConfig, index: int, weights: Weights) -> None:
        up = weights.scope(f"ups.{index}.0")
        self.weight, self.bias = ops.pack_conv_transpose(up["weight"]), up["bias"].float()
        self.channels = len(self.bias)
        self.rate = config.upsample_rates[index]
        self.padding = (config.upsample_kernel_sizes[index] - self.rate) // 2
        rows = config.resblock_dilations
        self.blocks = [
            _AmpBlock(dilations, weights.scope(f"resblocks.{index * len(rows) + i}"))
            for i, dilations in enumerate(rows)
        ]

    def __call__(self, buffers: VocoderBuffers, level: int, signal: Tensor) -> Tensor:
        """signal lies in the first area; so does what is returned. The last block works on x."""
        span = buffers.writes[level]
        out, scratch, *copies, x = buffers.views(buffers.rows[level] * self.rate, self.channels)
        ops.vocoder_upsample(
            buffers.reads[level], signal, self.weight, self.bias, self.rate, self.padding, x
        )
        for copy in copies:
            ops.vocoder_mean(span, [x], copy)
        for block, y in zip(self.blocks, [*copies, x], strict=True):
            block(span, y, scratch, out)
        ops.vocoder_mean(span, [*copies, x], out)
        return out


class _AmpBlock:
    """Anti-aliased multi-periodicity: residual pairs of convolutions behind snakes."""

    def __init__(self, dilations: tuple[int, ...], weights: Weights) -> None:
        self.pairs = [
            (
                _Snake(weights.scope(f"activations.{2 * i}")),
                _Conv(weights.scope(f"convs1.{i}"), dilation),
                _Snake(weights.scope(f"activations.{2 * i + 1}")),
                _Conv(weights.scope(f"convs2.{i}")),
            )
            for i, dilation in enumerate(dilations)
        ]

    def __call__(self, span: Tensor, x: Tensor, a: Tensor, b: Tensor) -> None:
        """x is updated in place; a and b, as large, are scratch. [R, C]"""
        for snake1, conv1, snake2, conv2 in self.pairs:
            snake1(span, x, a)
            conv1(span, a, b)
            snake2(span, b, a)
            conv2(span, a, x, add=True)
