"""Hearing: log-mel frames to rows of the Thinker's prompt, 25 rows a second.

Whisper's encoder (arXiv 2212.04356) cut into 2 s chunks that do not see each other (Qwen2.5-Omni
technical report, arXiv 2503.20215), so a chunk can be encoded as soon as it is heard.
"""

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from omnirt import ops
from omnirt.errors import InputError
from omnirt.nn.linear import Linear
from omnirt.nn.weights import Weights

from .config import AudioConfig

GROUP = 16  # chunks encoded together: bounds the memory of long clips
LONGEST_WAVE = 10000  # time scale of the slowest sinusoid, as in arXiv 1706.03762


class AudioEncoder:
    """Clips in, rows of ``output_dim`` out; or chunk by chunk, for sound that is still arriving."""

    def __init__(self, config: AudioConfig, weights: Weights) -> None:
        self.mel_bins, self.output_dim = config.mel_bins, config.output_dim
        self.chunk_frames = 2 * config.n_window
        self.conv1 = _Conv(weights.scope("conv1"), stride=1)
        self.conv2 = _Conv(weights.scope("conv2"), stride=2)
        self.positions = _sinusoids(config.n_window, config.d_model)
        layers = weights.scope("layers")
        self.layers = [_Layer(config, layers.scope(str(i))) for i in range(config.num_layers)]
        self.norm = _LayerNorm(weights.scope("ln_post"), config.layer_norm_eps)
        self.proj = Linear(weights.scope("proj"))

    def __call__(self, mel: list[Tensor]) -> Tensor:
        """Encode whole clips. mel: float32 [mel_bins, F_i] each, F_i > 0, any length.

        Returns float32 [sum of rows(F_i), output_dim], in the order of the clips.
        """
        return torch.cat([torch.empty(0, self.output_dim), *self.pieces(mel)])

    def pieces(self, mel: list[Tensor]) -> Iterator[Tensor]:
        """The rows of a call, a group of chunks (up to 32 s) at a time."""
        chunks = [chunk for clip in mel for chunk in clip.split(self.chunk_frames, dim=1)]
        for i in range(0, len(chunks), GROUP):
            yield torch.cat(self.encode_chunks(chunks[i : i + GROUP]))

    @staticmethod
    def rows(frames: int) -> int:
        """Rows that a clip of ``frames`` mel frames (10 ms each) becomes."""
        return (frames + 1) // 2 // 2

    def encode_chunks(self, chunks: list[Tensor]) -> list[Tensor]:
        """Encode independent chunks: float32 [mel_bins, F], 1 <= F <= chunk_frames.

        Only the last chunk of a clip may be shorter than ``chunk_frames``. Returns, for each chunk,
        float32 [rows(F), output_dim]; 200 frames (2 s) give 50 rows, 1 or 2 frames none.
        Raises InputError for another shape.
        """
        for chunk in chunks:
            bins, frames = chunk.shape
            if bins != self.mel_bins or not 1 <= frames <= self.chunk_frames:
                raise InputError(
                    f"chunk.shape={tuple(chunk.shape)}: cut the mel into "
                    f"[{self.mel_bins}, 1 to {self.chunk_frames}] pieces"
                )
        groups = (chunks[i : i + GROUP] for i in range(0, len(chunks), GROUP))
        return [rows for group in groups for rows in self._encode(group)]

    def _encode(self, chunks: list[Tensor]) -> list[Tensor]:
        parts = self._embed(chunks)
        boundaries = [0, *itertools.accumulate(len(p) for p in parts)]
        x = torch.cat(parts)
        for layer in self.layers:
            x = layer(x, boundaries)
        pooled = [_average_pairs(p) for p in x.split([len(p) for p in parts])]
        return list(self.proj(self.norm(torch.cat(pooled))).split([len(p) for p in pooled]))

    def _embed(self, chunks: list[Tensor]) -> list[Tensor]:
        """Convolutions and positions; neighbours of equal length share a batch.

        Returns float32 [ceil(F / 2), d_model] for each chunk; positions restart in every chunk.
        """
        parts = []
        for _, run in itertools.groupby(chunks, key=lambda chunk: chunk.shape[1]):
            x = self.conv2(self.conv1(torch.stack(list(run)))).transpose(1, 2)
            parts += (x + self.positions[: x.shape[1]]).unbind()
        return parts


class _Layer:
    """Pre-norm layer with attention inside each segment; k has no bias, as in Whisper."""

    def __init__(self, config: AudioConfig, weights: Weights) -> None:
        self.head_dim, eps = config.head_dim, config.layer_norm_eps
        attn = weights.scope("self_attn")
        self.q, self.v, self.out = (Linear(attn.scope(n)) for n in ("q_proj", "v_proj", "out_proj"))
        self.k = Linear(attn.scope("k_proj"), bias=False)
        self.fc1, self.fc2 = Linear(weights.scope("fc1")), Linear(weights.scope("fc2"))
        self.norm_attn = _LayerNorm(weights.scope("self_attn_layer_norm"), eps)
        self.norm_mlp = _LayerNorm(weights.scope("final_layer_norm"), eps)

    def __call__(self, x: Tensor, boundaries: list[int]) -> Tensor:  # [T, d_model]
        h = self.norm_attn(x)
        q, k, v = (f(h).unflatten(-1, (-1, self.head_dim)) for f in (self.q, self.k, self.v))
        x = x + self.out(ops.segment_attention(q, k, v, boundaries).flatten(1))
        return x + self.fc2(ops.gelu(self.fc1(self.norm_mlp(x))))


class _Conv:
    """GELU of a 3-tap convolution that pads with zeros. [B, C, F] -> [B, C', ceil(F / stride)]."""

    def __init__(self, weights: Weights, stride: int) -> None:
        self.weight, self.bias, self.stride = weights["weight"], weights["bias"], stride

    def __call__(self, x: Tensor) -> Tensor:
        return ops.gelu(ops.conv1d(x, self.weight, self.bias, self.stride, padding=1, dilation=1))


class _LayerNorm:
    def __init__(self, weights: Weights, eps: float) -> None:
        self.weight, self.bias, self.eps = weights["weight"], weights["bias"], eps

    def __call__(self, x: Tensor) -> Tensor:
        return ops.layer_norm(x, self.weight, self.bias, self.eps)


def _average_pairs(x: Tensor) -> Tensor:
    """Mean of rows 2i and 2i + 1; an odd last row is dropped. [T, D] -> [T // 2, D].

    Pairs of a clip never straddle its chunks, because a full chunk has an even number of rows.
    """
    return x[: len(x) // 2 * 2].unflatten(0, (-1, 2)).mean(1)


def _sinusoids(length: int, channels: int) -> Tensor:
    """Row p is [sin(p w_i) | cos(p w_i)], w_i from 1 down to 1 / LONGEST_WAVE in equal ratios."""
    half = channels // 2
    rates = torch.exp(-math.log(LONGEST_WAVE) / (half - 1) * torch.arange(half))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
