"""The hidden states of many samples, taken through one decoder layer by layer."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from omnirt import ops
from omnirt.config import DecoderConfig
from omnirt.engine.teacher import Rows
from omnirt.nn.attention import PrefillAttention
from omnirt.nn.decoder import DecoderLayer, rotary_frequencies
from omnirt.nn.kv_cache import KvCache
from omnirt.nn.linear import Linear
from omnirt.nn.weights import Weights

from .statistics import Statistics

_SHARED = ("q", "o", "gate", "down")  # k and v have the inputs of q, up has those of gate


class Decoding:
    """rows: of each sample, float32 [T, hidden], what the next layer reads."""

    def __init__(self, config: DecoderConfig, samples: Sequence[Rows]) -> None:
        self.config = config
        self.rows = [sample.rows for sample in samples]
        self._positions = [sample.positions for sample in samples]
        longest = max(map(len, self.rows))
        self._cache = KvCache(replace(config, num_layers=1), longest, 1, longest, torch.float32)
        self._cache.allocator.open(0, longest)
        self._inv_freq = rotary_frequencies(config)

    def observe(self, weights: Weights) -> dict[str, Statistics]:
        """What the Linears of a layer are given, by the weights' names below the layer's."""
        layer = DecoderLayer(self.config, 0, weights)
        watched = {name: _Watched(vars(layer)[name]) for name in _SHARED}
        vars(layer).update(watched)
        for _ in self._outputs(layer):
            pass
        q, o, gate, down = (watched[name].statistics for name in _SHARED)
        names = {"self_attn": {"q": q, "k": q, "v": q, "o": o}}
        names["mlp"] = {"gate": gate, "up": gate, "down": down}
        return {
            f"{block}.{name}_proj.weight": statistics
            for block, found in names.items()
            for name, statistics in found.items()
        }

    def advance(self, weights: Weights) -> None:
        """Replace the rows by what a layer makes of them."""
        layer = DecoderLayer(self.config, 0, weights)
        for i, rows in enumerate(self._outputs(layer)):
            self.rows[i] = rows

    def normed(self, norm: Tensor) -> list[Tensor]:
        """The rows after the final norm."""
        return [ops.rms_norm(rows, norm, self.config.rms_norm_eps) for rows in self.rows]

    def _outputs(self, layer: DecoderLayer):
        for rows, positions in zip(self.rows, self._positions, strict=True):
            section = self.config.mrope_section
            attend = PrefillAttention(self._cache, 0, 0, positions, self._inv_freq, section)
            x, delta = layer(rows, None, attend)
            yield x + delta


class _Watched:
    """A Linear that takes down what it is given."""

    def __init__(self, linear: Linear) -> None:
        self._linear = linear
        self.statistics: Statistics | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if self.statistics is None:
            self.statistics = Statistics(x.shape[-1])
        self.statistics.add(x)
        return self._linear(x)
