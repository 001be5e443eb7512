"""One request, with every default filled in."""

from dataclasses import dataclass

import numpy as np

from omnirt.errors import InputError
from omnirt.types import PromptInputs, SamplingParams, WaveSchedule


@dataclass(frozen=True)
class Sampling:
    """SamplingParams without gaps."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    max_new_tokens: int
    stop_token_ids: tuple[int, ...]

    def override(self, params: SamplingParams | None, field: str, vocab_size: int) -> "Sampling":
        """These defaults with the options that ``params`` sets. Errors name ``field``."""
        if params is None:
            return self
        merged = {
            name: default if getattr(params, name) is None else getattr(params, name)
            for name, default in vars(self).items()
        }
        for token in merged["stop_token_ids"]:
            if not 0 <= token < vocab_size:
                raise InputError(
                    f"{field}.stop_token_ids: {token} is no id of this model; "
                    f"use ids from 0 to {vocab_size - 1}"
                )
        return Sampling(**merged)


@dataclass(frozen=True)
class Request:
    """What the engine needs to answer one conversation.

    voice: None for a reply without speech. flow_noise: float32 [frames, mel channels] to use
    instead of seeded noise.
    """

    prompt: PromptInputs
    voice: str | None
    seed: int
    thinker: Sampling
    talker: Sampling
    wave: WaveSchedule
    flow_noise: np.ndarray | None = None
