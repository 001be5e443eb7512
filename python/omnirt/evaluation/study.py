"""What one model makes of conversations: replies of its own, and states along given replies.

States are kept, not logits: a row is the hidden size, and the heads, which stay mapped, give the
exact logits of both models later without the models themselves being in memory together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from tqdm import tqdm

from omnirt.engine.answer import answer
from omnirt.engine.loader import Models
from omnirt.engine.teacher import Rows, Said, states, talker_rows, thinker_rows
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.nn.linear import Linear
from omnirt.options import Defaults, Options
from omnirt.types import SamplingParams
from omnirt.weights.checkpoint import Checkpoint

SPOKEN = 96  # codes of a reply whose sound is compared, 1.92 s


@dataclass(frozen=True)
class Limits:
    """Ids of text and of speech in a reply."""

    tokens: int = 64
    codes: int = 128


@dataclass(frozen=True)
class Reading:
    """One conversation.

    said: the model's own reply. The rest is along the reply of the model that it is compared with,
    or along its own. text: states [n, E] that choose its tokens. speech: states [m, C] that choose
    its codes where the Talker reads ``spoken``, the other model's rows; joint: where it reads those
    of this model. audio: the sound of its first codes; None, as these, without speech.
    """

    said: Said
    text: Tensor
    spoken: Rows | None = None
    speech: Tensor | None = None
    joint: Tensor | None = None
    audio: np.ndarray | None = None


@dataclass(frozen=True)
class Study:
    """readings by name; the heads that turn states into logits."""

    readings: dict[str, Reading]
    lm_head: Linear
    codec_head: Linear | None


def study(
    checkpoint: Checkpoint,
    models: Models,
    conversations: Mapping[str, list[dict]],
    limits: Limits,
    like: Study | None = None,
) -> Study:
    """Read every conversation. like: what another model made of them, to be compared with."""
    processor = Processor.from_folder(checkpoint.path)
    readings = {}
    for name, messages in tqdm(conversations.items(), "reading", disable=None):
        other = None if like is None else like.readings[name]
        said = _reply(checkpoint, models, processor, messages, limits)
        readings[name] = _read(models, said, other)
    talker = models.talker
    return Study(readings, models.thinker.lm_head, None if talker is None else talker.codec_head)


def _reply(
    checkpoint: Checkpoint,
    models: Models,
    processor: Processor,
    messages: list[dict],
    limits: Limits,
) -> Said:
    """Greedy text; speech as released, with one seed for all models."""
    prompt = build_prompt(messages, processor)
    options = Options(
        seed=0,
        thinker=SamplingParams(temperature=0.0, max_new_tokens=limits.tokens),
        talker=SamplingParams(max_new_tokens=limits.codes),
    )
    request = Defaults.of(models).request(prompt, options)
    voice = models.speaker_ids.get(request.voice or "")
    return Said(prompt, *answer(models, checkpoint.config, request), voice)


def _read(models: Models, said: Said, other: Reading | None) -> Reading:
    along = said if other is None else other.said
    length, thinker, talker = len(along.prompt.input_ids), models.thinker, models.talker
    read = thinker_rows(thinker, along)
    h = states(thinker, thinker.config.text, read)
    if talker is None or not along.codes:
        return Reading(said, h[length - 1 :])
    own = talker_rows(thinker, talker, along, read, h)
    joint = states(talker, talker.config.decoder, own)[length + 1 :]
    spoken, speech = own, joint
    if other is not None and other.spoken is not None:
        spoken = other.spoken
        speech = states(talker, talker.config.decoder, spoken)[length + 1 :]
    return Reading(said, h[length - 1 :], spoken, speech, joint, _sound(models, along))


def _sound(models: Models, said: Said) -> np.ndarray:
    voice = next(name for name, i in models.speaker_ids.items() if i == said.speaker_id)
    pieces = models.token2wav.synthesize(said.codes[:SPOKEN], voice)
    return np.concatenate([piece for piece in pieces if piece is not None])
