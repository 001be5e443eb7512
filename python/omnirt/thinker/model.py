"""The Thinker: reads the prompt with its pictures and sounds, writes the text of the reply.

Qwen2.5-Omni technical report, arXiv 2503.20215.
"""

from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from torch import Tensor

from omnirt import ops
from omnirt.nn.attention import DecodeAttention, PrefillAttention
from omnirt.nn.decoder import Decoder
from omnirt.nn.kv_cache import KvCache
from omnirt.nn.linear import Linear
from omnirt.nn.weights import Weights
from omnirt.ops.state import THINKER
from omnirt.types import Media, PromptInputs

from .audio_encoder import AudioEncoder
from .config import ThinkerConfig
from .vision_encoder import VisionEncoder


class Thinker:
    """Encoders, text decoder and lm_head. E is the text hidden size, V the vocabulary."""

    def __init__(self, config: ThinkerConfig, weights: Weights) -> None:
        self.config = config
        self.audio_encoder = AudioEncoder(config.audio, weights.scope("audio_tower"))
        self.vision_encoder = VisionEncoder(config.vision, weights.scope("visual"))
        self.table = weights["model.embed_tokens.weight"]  # [V, E]
        self.decoder = Decoder(config.text, weights.scope("model"))
        self.lm_head = Linear(weights.scope("lm_head"), bias=False)

    def embed(self, ids: Tensor) -> Tensor:  # int64 [T] -> float32 [T, E]
        return ops.embed(ids, self.table)

    def embed_prompt(
        self, prompt: PromptInputs, rest: Callable[[], None] = lambda: None
    ) -> Generator[None, None, tuple[Tensor, Tensor]]:
        """Embeddings with encoded media in their places; yields between pieces of media.

        rest: called when an encoder has done its part. Returns x: float32 [L, E] and is_media:
        bool [L].
        """
        ids = torch.from_numpy(prompt.input_ids)
        x = self.embed(ids)
        is_media = torch.zeros_like(ids, dtype=torch.bool)
        for token_id, pieces in (
            (self.config.audio_token_id, self._hear(prompt.mel)),
            (self.config.image_token_id, self._see(prompt.images)),
            (self.config.video_token_id, self._see(prompt.videos)),
        ):
            places, start = (ids == token_id).nonzero()[:, 0], 0
            is_media[places] = True
            for rows in pieces:
                x[places[start : start + len(rows)]] = rows
                start += len(rows)
                yield
            rest()
        return x, is_media

    def _hear(self, mel: list[np.ndarray]) -> Iterator[Tensor]:
        return self.audio_encoder.pieces([torch.from_numpy(clip) for clip in mel])

    def _see(self, media: list[Media]) -> Iterator[Tensor]:
        for item in media:
            yield from self.vision_encoder.pieces(torch.from_numpy(item.patches), [item.grid])

    def prefill(
        self, x: Tensor, positions: Tensor, cache: KvCache, slot: int, start: int
    ) -> Tensor:
        """One chunk of a prompt. x: [T, E]; positions: int64 [3, T]. Returns h: [T, E]."""
        d = self.decoder
        attend = PrefillAttention(cache, slot, start, positions, d.inv_freq, d.section)
        return d(x, attend)

    def sample(self, h: Tensor, states: Tensor, seen: Tensor, suppress: Tensor) -> None:
        """Choose the next id from h: [B, E] and advance the states."""
        ops.sample(states, self.lm_head(h), seen, suppress, THINKER)

    def decode(
        self, states: Tensor, cache: KvCache, seen: Tensor, suppress: Tensor, ring: Tensor
    ) -> None:
        """One step, fit to be recorded: consumes each state's token, leaves the next one in it.

        The consumed token's row h + e goes to the talker through ``ring`` [slots, R, E].
        """
        e = ops.state_embed(states, self.table)
        h = self.decoder(e, DecodeAttention(cache, states, self.decoder.inv_freq))
        ops.ring_append(states, h, e, ring)
        self.sample(h, states, seen, suppress)
