"""The speaker encoder: what a voice sounds like, from a reference recording.

ECAPA-TDNN (arXiv 2005.07143) without normalisation layers. Convolutions keep the length and mirror
the signal at its ends.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt import ops
from omnirt.nn.weights import Weights

from .config import SpeakerConfig


class SpeakerEncoder:
    """Mel frames of a recording -> one vector."""

    def __init__(self, config: SpeakerConfig, weights: Weights) -> None:
        last = len(config.channels) - 1
        dilations = config.dilations
        self.first = _Conv(weights.scope("blocks.0.conv"), dilations[0])
        self.blocks = [
            _SeRes2Block(config.res2net_scale, dilations[i], weights.scope(f"blocks.{i}"))
            for i in range(1, last)
        ]
        self.mfa = _Conv(weights.scope("mfa.conv"), dilations[last])
        self.pool = _AttentivePool(weights.scope("asp"))
        self.fc = _Conv(weights.scope("fc"))

    def __call__(self, mel: Tensor) -> Tensor:
        """mel: float32 [F, mel_dim], natural logarithm. Returns float32 [dim]."""
        x = self.first(mel.T[None]).relu()
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        x = self.mfa(torch.cat(outputs, dim=1)).relu()
        return self.fc(self.pool(x))[0, :, 0]


class _Conv:
    """A convolution that keeps the length. [B, C, F] -> [B, C', F]."""

    def __init__(self, weights: Weights, dilation: int = 1) -> None:
        self.weight, self.bias = weights["weight"], weights["bias"]
        self.dilation = dilation

    def __call__(self, x: Tensor) -> Tensor:
        reach = self.dilation * (self.weight.shape[-1] - 1) // 2
        if reach:
            x = F.pad(x, (reach, reach), mode="reflect")
        return ops.conv1d(x, self.weight, self.bias, dilation=self.dilation)


class _SeRes2Block:
    """Pointwise, Res2Net, pointwise, squeeze and excitation, around a residual path."""

    def __init__(self, scale: int, dilation: int, weights: Weights) -> None:
        self.enter = _Conv(weights.scope("tdnn1.conv"))
        self.groups = [
            _Conv(weights.scope(f"res2net_block.blocks.{i}.conv"), dilation)
            for i in range(scale - 1)
        ]
        self.leave = _Conv(weights.scope("tdnn2.conv"))
        self.squeeze = _Conv(weights.scope("se_block.conv1"))
        self.excite = _Conv(weights.scope("se_block.conv2"))

    def __call__(self, x: Tensor) -> Tensor:  # [B, C, F] -> [B, C, F]
        h = self.leave(self._res2(self.enter(x).relu())).relu()
        gate = self.excite(self.squeeze(h.mean(2, keepdim=True)).relu()).sigmoid()
        return x + h * gate

    def _res2(self, x: Tensor) -> Tensor:
        """The first group of channels passes; each next one also gets the previous result."""
        first, *rest = x.chunk(len(self.groups) + 1, dim=1)
        outputs = [first]
        for i, (conv, part) in enumerate(zip(self.groups, rest, strict=True)):
            outputs.append(conv(part if i == 0 else part + outputs[-1]).relu())
        return torch.cat(outputs, dim=1)


class _AttentivePool:
    """Mean and deviation over time, weighted by attention. [B, C, F] -> [B, 2C, 1]."""

    def __init__(self, weights: Weights) -> None:
        self.hidden = _Conv(weights.scope("tdnn.conv"))
        self.scores = _Conv(weights.scope("conv"))

    def __call__(self, x: Tensor) -> Tensor:
        even = torch.full_like(x[:, :1], 1 / x.shape[2])
        context = [part.expand_as(x) for part in _statistics(x, even)]
        h = self.hidden(torch.cat([x, *context], dim=1)).relu().tanh()
        return torch.cat(_statistics(x, self.scores(h).softmax(2)), dim=1)


def _statistics(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean and standard deviation over time, each [B, C, 1]."""
    mean = (weight * x).sum(2, keepdim=True)
    variance = (weight * (x - mean).square()).sum(2, keepdim=True)
    return mean, variance.clamp(min=1e-12).sqrt()
