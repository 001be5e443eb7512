"""The Talker: turns the Thinker's states into codec ids, 50 a second.

Qwen2.5-Omni technical report, arXiv 2503.20215. Inputs live in the Thinker's width E and are
projected to the Talker's own width.
"""

from torch import Tensor

from omnirt import ops
from omnirt.nn.attention import DecodeAttention, PrefillAttention
from omnirt.nn.decoder import Decoder
from omnirt.nn.kv_cache import KvCache
from omnirt.nn.linear import Linear
from omnirt.nn.weights import Weights
from omnirt.ops.state import TALKER

from .config import TalkerConfig


class Talker:
    """Projection, decoder and codec head. C is the codec vocabulary."""

    def __init__(self, config: TalkerConfig, weights: Weights) -> None:
        self.config = config
        self.table = weights["model.embed_tokens.weight"]  # [C, E]
        self.project = Linear(weights.scope("thinker_to_talker_proj"))
        self.decoder = Decoder(config.decoder, weights.scope("model"))
        self.codec_head = Linear(weights.scope("codec_head"), bias=False)

    def embed(self, ids: Tensor) -> Tensor:  # int64 [T] -> float32 [T, E]
        return ops.embed(ids, self.table)

    def prefill(
        self, rows: Tensor, positions: Tensor, cache: KvCache, slot: int, start: int
    ) -> Tensor:
        """One chunk of rows. rows: float32 [T, E]; positions: int64 [3, T]. Returns h: [T, own]."""
        d = self.decoder
        attend = PrefillAttention(cache, slot, start, positions, d.inv_freq, d.section)
        return d(self.project(rows), attend)

    def decode(
        self,
        states: Tensor,
        cache: KvCache,
        seen: Tensor,
        suppress: Tensor,
        ring: Tensor,
        eos_row: Tensor,
        pad_row: Tensor,
    ) -> None:
        """One step, fit to be recorded: from each state's last code and due text row to a code.

        ring: float32 [slots, R, E]; eos_row, pad_row: float32 [E].
        """
        x = ops.talker_input(states, self.table, ring, eos_row, pad_row)
        h = self.decoder(self.project(x), DecodeAttention(cache, states, self.decoder.inv_freq))
        ops.sample(states, self.codec_head(h), seen, suppress, TALKER)
