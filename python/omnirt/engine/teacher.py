"""A reply read again in one go ("teacher forcing"): the rows that each step was given, and what the
models make of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt.config import DecoderConfig
from omnirt.nn.kv_cache import KvCache
from omnirt.talker.model import Talker
from omnirt.thinker.model import Thinker
from omnirt.types import PromptInputs

from .prefill import CHUNK, end_rows, prompt_positions, voice_row


@dataclass(frozen=True)
class Said:
    """A prompt of L ids and a reply to it.

    tokens: n ids, the stop id among them if one came; codes: m codec ids, without it; speaker_id:
    the thinker's id of the voice, None for a reply without speech.
    """

    prompt: PromptInputs
    tokens: list[int]
    codes: list[int]
    speaker_id: int | None


@dataclass(frozen=True)
class Rows:
    """What a decoder reads. rows: float32 [T, E]; positions: int64 [3, T]."""

    rows: Tensor
    positions: Tensor


@dataclass(frozen=True)
class ThinkerRows(Rows):
    """Of T = L + n - 1 rows: the last id of a reply is not read.

    is_media: bool [T]; after: int64 [3, 2], positions of the talker's two rows after the prompt.
    """

    is_media: Tensor
    after: Tensor


def thinker_rows(thinker: Thinker, said: Said) -> ThinkerRows:
    """Encodes the media. State L - 1 + i predicts tokens[i]."""
    x, is_media = _finish(thinker.embed_prompt(said.prompt))
    positions = prompt_positions(thinker, said.prompt)
    positions, after = positions[:, :-2], positions[:, -2:]
    reply = torch.tensor(said.tokens[:-1], dtype=torch.int64)
    steps = int(positions.max()) + 1 + torch.arange(len(reply))
    return ThinkerRows(
        torch.cat([x, thinker.embed(reply)]),
        torch.cat([positions, steps.expand(3, -1)], 1),
        torch.cat([is_media, torch.zeros(len(reply), dtype=torch.bool)]),
        after,
    )


def _finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def talker_rows(thinker: Thinker, talker: Talker, said: Said, read: ThinkerRows, h: Tensor) -> Rows:
    """L + 1 + m rows; the state of row L + 1 + i predicts codes[i]. h: the thinker's states of
    ``read``, [L + n - 1, E]."""
    config, length, steps = talker.config, len(said.prompt.input_ids), len(said.codes)
    spoken = h + read.rows.masked_fill(read.is_media[:, None], 0.0)
    eos, pad = end_rows(thinker, talker)
    text = torch.cat([spoken[length:], eos[None], pad.expand(steps, -1)])[:steps]
    codes = torch.tensor([config.codec_bos_id, *said.codes[:-1]][:steps], dtype=torch.int64)
    start = voice_row(thinker, talker, said.speaker_id)
    following = torch.cat([read.positions[:, :length], read.after], 1).max() + torch.arange(steps)
    following = following.expand(3, -1).clone()
    following[:, :1] = read.after[0, 1]
    positions = torch.cat([read.positions[:, :length], read.after[:, :1], following], 1)
    return Rows(torch.cat([spoken[:length], start, text + talker.embed(codes)]), positions)


def states(model: Thinker | Talker, config: DecoderConfig, read: Rows) -> Tensor:
    """What the decoder of ``config`` makes of all rows, after the final norm: [T, hidden]."""
    total = len(read.rows)
    cache = KvCache(config, total, 1, total, torch.float32)
    cache.allocator.open(0, total)
    parts = [
        model.prefill(read.rows[i : i + CHUNK], read.positions[:, i : i + CHUNK], cache, 0, i)
        for i in range(0, total, CHUNK)
    ]
    return torch.cat(parts)
