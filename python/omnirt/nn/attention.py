"""The two ways a decoder layer attends: a chunk of a prompt, or one decode step."""

from typing import Protocol

from torch import Tensor

from omnirt import ops

from .kv_cache import KvCache


class Attention(Protocol):
    """Rotates q and k, caches k and v, attends. q: [T, H, D]; k, v: [T, Hkv, D] -> [T, H, D]."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...


class PrefillAttention:
    """Rows start..start+T of one sequence's prompt.

    positions: int64 [3, T] (time, height, width); inv_freq: float32 [D/2]; section: frequencies per
    axis.
    """

    def __init__(
        self,
        cache: KvCache,
        slot: int,
        start: int,
        positions: Tensor,
        inv_freq: Tensor,
        section: tuple[int, ...],
    ) -> None:
        self.cache, self.row, self.start = cache, cache.row(slot), start
        self.cos, self.sin = ops.rope_angles(positions, inv_freq, section)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k_pages, v_pages = self.cache.layers[layer]
        q, k = ops.rope(q, self.cos, self.sin), ops.rope(k, self.cos, self.sin)
        ops.kv_write(k, v, self.row, self.start, k_pages, v_pages)
        return ops.prefill_attention(q, self.row, self.start, k_pages, v_pages)


class DecodeAttention:
    """One row of each sequence in ``states`` (int32 [B, 16]); can be recorded."""

    def __init__(self, cache: KvCache, states: Tensor, inv_freq: Tensor) -> None:
        self.cache, self.states = cache, states
        self.cos, self.sin = ops.state_rope_angles(states, inv_freq)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k_pages, v_pages = self.cache.layers[layer]
        tables = self.cache.tables
        q = ops.rope_append(q, k, v, self.cos, self.sin, self.states, tables, k_pages, v_pages)
        return ops.paged_attention(q, self.states, tables, k_pages, v_pages)
