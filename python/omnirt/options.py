"""The options of a request and the released defaults that fill their gaps."""

import secrets
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from .engine.loader import Models
from .engine.request import Request, Sampling
from .errors import InputError
from .types import PromptInputs, SamplingParams, WaveSchedule


@dataclass(frozen=True)
class Options:
    """What ``generate``, ``stream`` and ``generate_batch`` take besides messages.

    voice: a name of the runtime's ``voices``, the first by default. audio: speech on or off, on by
    default where the talker is loaded. use_audio_in_video: the sound of videos belongs to the
    prompt (an item may say otherwise). seed: the same seed gives the same reply; fresh by default.
    thinker, talker: how the two models sample. wave: how speech is solved from codes, a
    schedule or the name of a preset. flow_noise: float32 [frames, mel channels] in place of seeded
    noise, for tests.
    """

    voice: str | None = None
    audio: bool | None = None
    use_audio_in_video: bool = False
    seed: int | None = None
    thinker: SamplingParams | None = None
    talker: SamplingParams | None = None
    wave: WaveSchedule | str = "balanced"
    flow_noise: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and not 0 <= self.seed < 2**64:
            raise InputError(f"seed={self.seed!r}: use a whole number from 0 to 2^64 - 1")
        noise = self.flow_noise
        if noise is not None and (noise.ndim != 2 or noise.dtype != np.float32):
            raise InputError(
                f"flow_noise: shape {noise.shape} of {noise.dtype}; use float32 [frames, channels]"
            )


class OptionsDict(TypedDict, total=False):
    """The fields of ``Options`` as keyword arguments."""

    voice: str | None
    audio: bool | None
    use_audio_in_video: bool
    seed: int | None
    thinker: SamplingParams | None
    talker: SamplingParams | None
    wave: WaveSchedule | str
    flow_noise: np.ndarray | None


@dataclass(frozen=True)
class Defaults:
    """What a model does where a request does not say. talker: None when speech is not loaded."""

    voices: tuple[str, ...]
    thinker: Sampling
    talker: Sampling
    text_ids: int
    codec_ids: int

    @classmethod
    def of(cls, models: Models) -> "Defaults":
        """The released defaults (greedy text; sampled speech) with the model's own stop ids."""
        text = models.thinker.config
        thinker = Sampling(0.0, 0, 1.0, 1.0, 1024, (text.eos_id,))
        if models.talker is None:
            return cls((), thinker, Sampling(0.0, 0, 1.0, 1.0, 1, ()), text.text.vocab_size, 0)
        speech = models.talker.config
        talker = Sampling(0.9, 40, 0.8, 1.05, 4096, speech.stop_ids)
        voices = tuple(models.speaker_ids)
        return cls(voices, thinker, talker, text.text.vocab_size, speech.decoder.vocab_size)

    def request(self, prompt: PromptInputs, options: Options) -> Request:
        """A request without gaps. Raises InputError for a voice or an id that does not exist."""
        return Request(
            prompt,
            self._voice(options),
            secrets.randbits(64) if options.seed is None else options.seed,
            self.thinker.override(options.thinker, "thinker", self.text_ids),
            self.talker.override(options.talker, "talker", self.codec_ids),
            _schedule(options.wave),
            options.flow_noise,
        )

    def _voice(self, options: Options) -> str | None:
        if not self.voices and (options.audio or options.voice is not None):
            raise InputError(
                "audio=True: this runtime was loaded with talker=False; load it with talker=True"
            )
        if not self.voices or options.audio is False:
            return None
        voice = self.voices[0] if options.voice is None else options.voice
        if voice not in self.voices:
            raise InputError(f"voice={voice!r}: use one of {', '.join(map(repr, self.voices))}")
        return voice


def _schedule(wave: WaveSchedule | str) -> WaveSchedule:
    return wave if isinstance(wave, WaveSchedule) else WaveSchedule.preset(wave)
