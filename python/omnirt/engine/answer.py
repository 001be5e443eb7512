"""Replies made step by step in Python, without lanes and without sound: text ids, then codec ids.

For tools that study models; the same ids as the engine's.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from omnirt.ops import state
from omnirt.types import require
from omnirt.weights.model_config import ModelConfig

from .buffers import RING_ROWS, Buffers, Track, new_track, speech_track
from .loader import Models
from .prefill import end_rows, initial_states, prefill
from .request import Request, Sampling


def answer(models: Models, config: ModelConfig, request: Request) -> tuple[list[int], list[int]]:
    """tokens: with the stop id, if one came; codes: without. InputError for too long a text."""
    most = request.thinker.max_new_tokens
    fits = request.voice is None or most <= RING_ROWS
    require(fits, "max_new_tokens", most, f"with speech use {RING_ROWS} at most")
    buffers = _buffers(models, config, request)
    thinker, talker = initial_states(request, 0)
    for _ in prefill(models, buffers, request, 0, thinker, talker):
        pass
    track, ring = buffers.thinker, buffers.ring

    def think() -> None:
        models.thinker.decode(thinker, track.cache, track.seen, track.suppress, ring)

    tokens = [int(thinker[0, state.TOKEN])]
    tokens += _steps(think, thinker, request.thinker, tokens[0])
    if request.voice is None or len(tokens) == 1:
        return tokens, []
    talker[:, state.TEXT_ROWS] = len(tokens) - 1
    rows, track = end_rows(models.thinker, models.talker), buffers.talker

    def speak() -> None:
        models.talker.decode(talker, track.cache, track.seen, track.suppress, ring, *rows)

    codes = _steps(speak, talker, request.talker)
    return tokens, codes[:-1]  # the last one, a stop or one too many, is never spoken


def _steps(
    step: Callable[[], None], states: Tensor, sampling: Sampling, last: int | None = None
) -> list[int]:
    """Ids of steps until one is a stop or there are enough. last: an id that is there already."""
    ids, most = [], sampling.max_new_tokens - (last is not None)
    while last not in sampling.stop_token_ids and len(ids) < most:
        step()
        last = int(states[0, state.TOKEN])
        ids.append(last)
    return ids


def _buffers(models: Models, config: ModelConfig, request: Request) -> Buffers:
    text, prompt = config.thinker.text, len(request.prompt.input_ids)
    longest = prompt + request.thinker.max_new_tokens
    thinker = _opened(new_track(text, models.cache_dtype, 1, longest), longest)
    ring = torch.zeros(1, RING_ROWS, text.hidden_size)
    if request.voice is None:
        return Buffers(thinker, None, ring)
    codes, longest = config.token2wav.dit.num_codes, prompt + 1 + request.talker.max_new_tokens
    talker = speech_track(config.talker, codes, models.cache_dtype, 1, longest)
    return Buffers(thinker, _opened(talker, longest), ring)


def _opened(track: Track, rows: int) -> Track:
    track.cache.allocator.open(0, rows)
    return track
