"""Reads a prompt into the caches of thinker and talker, chunk by chunk."""

from collections.abc import Iterator

import torch
from torch import Tensor

from omnirt.ops import state
from omnirt.talker.model import Talker
from omnirt.thinker.model import Thinker
from omnirt.thinker.positions import tmrope_positions
from omnirt.types import PromptInputs

from .buffers import Buffers
from .loader import Models
from .request import Request, Sampling

CHUNK = 512  # prompt rows at a time: bounds activations, lets other sessions' steps run between


def initial_states(request: Request, slot: int) -> tuple[Tensor, Tensor]:
    """States of thinker and talker before the prompt is read, int32 [1, 16] each."""
    return _states(request.thinker, request.seed, slot), _states(request.talker, request.seed, slot)


def _states(sampling: Sampling, seed: int, slot: int) -> Tensor:
    states = state.new_states()
    states[:, state.SLOT] = slot
    state.set_seed(states, seed)
    state.set_sampling(
        states,
        sampling.temperature,
        sampling.top_k,
        sampling.top_p,
        sampling.repetition_penalty,
    )
    return states


def prefill(
    models: Models,
    buffers: Buffers,
    request: Request,
    slot: int,
    thinker_states: Tensor,
    talker_states: Tensor,
) -> Iterator[None]:
    """Read the prompt; yields between pieces. Leaves both states ready for their first step.

    The thinker's first token is sampled here, from the prompt's last row.
    """
    prompt, thinker = request.prompt, models.thinker
    speaks = request.voice is not None
    length = len(prompt.input_ids)
    x, is_media = yield from thinker.embed_prompt(prompt, models.rest)  # [L, E], [L]
    positions = prompt_positions(models.thinker, prompt)  # [3, L + 2]
    yield
    track = buffers.thinker
    for start in range(0, length, CHUNK):
        rows = slice(start, min(start + CHUNK, length))
        h = thinker.prefill(x[rows], positions[:, rows], track.cache, slot, start)
        if speaks:
            spoken = h + x[rows].masked_fill(is_media[rows, None], 0.0)
            _read(models, buffers, spoken, positions, slot, start)
        yield
    if speaks:
        _start_speech(models, buffers, request, slot, positions, length)
        _place(talker_states, length + 1, int(positions[0, -1]), int(positions.max()) + 1)
        talker_states[:, state.TOKEN] = models.talker.config.codec_bos_id
        talker_states[:, state.TEXT_ROWS] = state.OPEN_TEXT
    _mark(track.seen, slot, torch.from_numpy(prompt.input_ids))
    last, largest = int(positions[0, length - 1]), int(positions[:, :length].max())
    _place(thinker_states, length - 1, last, largest + 1)
    thinker_states[:, state.ROW] = -1
    thinker.sample(h[-1:], thinker_states, track.seen, track.suppress)


def prompt_positions(thinker: Thinker, prompt: PromptInputs) -> Tensor:
    """TMRoPE of the prompt and of the talker's two rows after it: int64 [3, L + 2]."""
    config = thinker.config
    ids = torch.from_numpy(prompt.input_ids)
    return tmrope_positions(
        torch.cat([ids, ids.new_full((2,), config.eos_id)]),
        config,
        [thinker.audio_encoder.rows(clip.shape[1]) for clip in prompt.mel],
        [item.grid for item in prompt.images],
        [item.grid for item in prompt.videos],
        [item.seconds_per_grid for item in prompt.videos],
        prompt.video_has_audio,
    )[0]


def _place(states: Tensor, kv_len: int, position: int, next_position: int) -> None:
    states[:, state.KV_LEN] = kv_len
    states[:, state.POSITION], states[:, state.NEXT_POSITION] = position, next_position


def _mark(seen: Tensor, slot: int, ids: Tensor) -> None:
    seen[slot] = 0
    seen[slot, ids] = 1


def _read(models, buffers, rows: Tensor, positions: Tensor, slot: int, start: int) -> None:
    """Prefill rows of the talker. rows: [T, E]; positions: [3, all rows]."""
    own = positions[:, start : start + rows.shape[0]]
    models.talker.prefill(rows, own, buffers.talker.cache, slot, start)


def _start_speech(models, buffers, request, slot: int, positions: Tensor, length: int) -> None:
    """The row between prompt and reply: the voice's start token with the codec's padding."""
    config = models.talker.config
    row = voice_row(models.thinker, models.talker, models.speaker_ids[request.voice])
    _read(models, buffers, row, positions, slot, length)
    # What transformers feeds the repetition penalty before the first code.
    ids = [config.codec_mask_id, config.codec_pad_id, config.codec_bos_id]
    _mark(buffers.talker.seen, slot, torch.tensor(ids))


def end_rows(thinker: Thinker, talker: Talker) -> tuple[Tensor, Tensor]:  # [E] each
    """What the talker reads where the text has ended: once its end, then padding."""
    ids = torch.tensor([talker.config.text_eos_id, talker.config.text_pad_id])
    return thinker.embed(ids).unbind()


def voice_row(thinker: Thinker, talker: Talker, speaker_id: int) -> Tensor:  # [1, E]
    """A voice's start token with the codec's padding."""
    padding = talker.embed(torch.tensor([talker.config.codec_pad_id]))
    return thinker.embed(torch.tensor([speaker_id])) + padding
