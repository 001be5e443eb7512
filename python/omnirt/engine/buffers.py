"""The fixed memory that decode steps work on: caches, the ring, marks and states."""

from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt.config import DecoderConfig
from omnirt.nn.kv_cache import KvCache
from omnirt.ops.state import new_states
from omnirt.talker.config import TalkerConfig

from .loader import Models

RING_ROWS = 512  # reply rows that the thinker may be ahead of the talker, about 10 s of speech
TOKENS_PER_SESSION = 8192  # share of the page pool that a session is expected to need
SPEECH_ROWS = 4160  # codes of one reply: the released limit of 4096, in whole cache pages


@dataclass(frozen=True)
class Track:
    """Buffers of one decoder's steps.

    states: int32 [1, 16], what the step was recorded on. seen: uint8 [slots, V]. suppress: uint8
    [V].
    """

    cache: KvCache
    states: Tensor
    seen: Tensor
    suppress: Tensor


@dataclass(frozen=True)
class Buffers:
    """thinker and talker tracks, and the ring between them: float32 [slots, RING_ROWS, E]."""

    thinker: Track
    talker: Track | None
    ring: Tensor


def new_track(config: DecoderConfig, dtype: torch.dtype, slots: int, longest: int) -> Track:
    """For ``slots`` sequences of at most ``longest`` rows."""
    pool = max(longest, slots * TOKENS_PER_SESSION)
    return Track(
        KvCache(config, pool, slots, longest, dtype),
        new_states(),
        torch.zeros(slots, config.vocab_size, dtype=torch.uint8),
        torch.zeros(config.vocab_size, dtype=torch.uint8),
    )


def speech_track(
    config: TalkerConfig, codes: int, dtype: torch.dtype, slots: int, longest: int
) -> Track:
    """The talker's. codes: ids that Token2Wav can speak, the others are suppressed."""
    track = new_track(config.decoder, dtype, slots, longest)
    stops = list(config.stop_ids)
    # An id that is neither a code nor a stop has no row in the codec table of token2wav.
    track.suppress[codes:] = 1
    track.suppress[stops] = 0
    track.suppress[list(config.suppressed_ids)] = 1
    return track


def allocate(models: Models, slots: int, context: int) -> Buffers:
    """Buffers for ``slots`` sessions of at most ``context`` tokens each."""
    text = models.thinker.config.text
    ring = torch.zeros(slots, RING_ROWS, text.hidden_size)
    thinker = new_track(text, models.cache_dtype, slots, context)
    if models.talker is None:
        return Buffers(thinker, None, ring)
    codes, longest = models.token2wav.config.dit.num_codes, context + 1 + SPEECH_ROWS
    speech = speech_track(models.talker.config, codes, models.cache_dtype, slots, longest)
    return Buffers(thinker, speech, ring)
