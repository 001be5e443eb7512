"""The vocoder: mel frames -> waveform. BigVGAN (arXiv 2206.04658) with folded weight norms.

It sees a finite stretch of mel around a sample, so long speech is made window by window, equal to
one shot.
"""

import math
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from omnirt import ops
from omnirt.nn.weights import Weights

from .config import BigVGANConfig

_EDGE_TAPS = 7  # of the first and the last convolution
_SNAKE_REACH = 5  # samples either side that the alias-free activation reads
# 20 log10(e^mel) - 20 dB, and -115..0 dB onto -1..1.
_MEL_SCALE, _MEL_SHIFT = 40 / math.log(10) / 115, 2 * (115 - 20) / 115 - 1


class BigVGAN:
    """Mel [T, mel_dim], natural logarithm, -> samples in [-1, 1], ``hop`` a frame."""

    def __init__(self, config: BigVGANConfig, weights: Weights) -> None:
        self.config = config
        self.context = _context(config)
        self.conv_pre = _Conv(weights.scope("conv_pre"))
        self.stages = [_Stage(config, i, weights) for i in range(len(config.upsample_rates))]
        self.activation_post = _Snake(weights.scope("activation_post"))
        self.conv_post = weights["conv_post.weight"]

    def vocode(self, mel: Tensor) -> Tensor:  # [T, mel_dim] -> [T * hop]
        x = (mel.T[None] * _MEL_SCALE + _MEL_SHIFT).clamp(-1, 1)
        x = self.conv_pre(x)
        for stage in self.stages:
            x = stage(x)
        x = ops.conv1d(self.activation_post(x), self.conv_post, None, padding=_EDGE_TAPS // 2)
        return x.clamp(-1, 1)[0, 0]

    def vocode_windows(self, mel: Tensor, window: int = 200) -> Iterator[np.ndarray]:
        """The same samples, ``window`` frames at a time, in memory that does not grow with T.

        Each window is vocoded with ``context`` frames of its neighbours (34 as released), which are
        then dropped: at 200 frames that is a third more work than one shot.
        """
        for start in range(0, len(mel), window):
            first = max(0, start - self.context)
            samples = self.vocode(mel[first : start + window + self.context])
            skip = (start - first) * self.config.hop
            yield samples[skip : skip + window * self.config.hop].numpy()


class _Conv:
    """A convolution that keeps the length, over zeros beyond the ends. [B, C, T] -> [B, C', T]."""

    def __init__(self, weights: Weights, dilation: int = 1) -> None:
        self.weight, self.bias = weights["weight"], weights["bias"]
        self.dilation = dilation
        self.padding = dilation * (self.weight.shape[-1] - 1) // 2

    def __call__(self, x: Tensor) -> Tensor:
        return ops.conv1d(x, self.weight, self.bias, padding=self.padding, dilation=self.dilation)


class _Snake:
    def __init__(self, weights: Weights) -> None:
        self.alpha, self.beta = weights["act.alpha"], weights["act.beta"]

    def __call__(self, x: Tensor) -> Tensor:  # [B, C, T] -> [B, C, T]
        return ops.snake(x, self.alpha, self.beta)


class _Stage:
    """Upsampling, then the mean of residual blocks of several widths. [B, C, T] -> [B, C/2, rT]."""

    def __init__(self, config: BigVGANConfig, index: int, weights: Weights) -> None:
        up = weights.scope(f"ups.{index}.0")
        self.weight, self.bias = up["weight"], up["bias"]
        self.rate = config.upsample_rates[index]
        self.padding = (config.upsample_kernel_sizes[index] - self.rate) // 2
        rows = config.resblock_dilations
        self.blocks = [
            _AmpBlock(dilations, weights.scope(f"resblocks.{index * len(rows) + i}"))
            for i, dilations in enumerate(rows)
        ]

    def __call__(self, x: Tensor) -> Tensor:
        x = ops.conv_transpose1d(x, self.weight, self.bias, self.rate, self.padding)
        total = self.blocks[0](x)
        for block in self.blocks[1:]:
            total += block(x)
        return total / len(self.blocks)


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

    def __call__(self, x: Tensor) -> Tensor:  # [B, C, T] -> [B, C, T]
        for snake1, conv1, snake2, conv2 in self.pairs:
            x = x + conv2(snake2(conv1(snake1(x))))
        return x


def _context(config: BigVGANConfig) -> int:
    """Mel frames either side of a frame that its samples depend on, going back layer by layer."""
    edge = _EDGE_TAPS // 2
    left, right = -edge - _SNAKE_REACH, config.hop - 1 + edge + _SNAKE_REACH
    reach = max(
        sum((kernel - 1) * (d + 1) // 2 + 2 * _SNAKE_REACH for d in dilations)
        for kernel, dilations in zip(
            config.resblock_kernel_sizes, config.resblock_dilations, strict=True
        )
    )
    stages = zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)
    for rate, kernel in reversed(list(stages)):
        padding = (kernel - rate) // 2
        left = -(-(left - reach + padding - kernel + 1) // rate)
        right = (right + reach + padding) // rate
    return max(edge - left, right + edge)
