"""Plain data that crosses the API: options in, events and replies out."""

from dataclasses import dataclass, field

import numpy as np

from .errors import InputError


def require(ok: bool, field_name: str, value: object, fix: str) -> None:
    """Raise an InputError that names the field, its value and the fix, unless ``ok``."""
    if not ok:
        raise InputError(f"{field_name}={value!r}: {fix}")


@dataclass(frozen=True)
class SamplingParams:
    """How one of the two language models picks its next id.

    Applied in this order on float32 logits: repetition_penalty, temperature (0 is greedy), top_k
    (0 is off), top_p (1 is off). ``None`` means the released default of that model.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    max_new_tokens: int | None = None
    stop_token_ids: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        t, p, r, k, n = (
            self.temperature,
            self.top_p,
            self.repetition_penalty,
            self.top_k,
            self.max_new_tokens,
        )
        require(t is None or t >= 0, "temperature", t, "use 0 (greedy) or a positive number")
        require(p is None or 0 < p <= 1, "top_p", p, "use a number in (0, 1]")
        require(r is None or r > 0, "repetition_penalty", r, "use a positive number, 1 is off")
        require(k is None or k >= 0, "top_k", k, "use 0 (off) or a positive whole number")
        require(n is None or n >= 1, "max_new_tokens", n, "use a positive whole number")


@dataclass(frozen=True)
class FlowParams:
    """How the flow-matching ODE is solved: mel frames from codec ids.

    points: times of the solver's grid, so points - 1 steps. solver: "rk4" (4 evaluations a step) or
    "euler" (1). guidance: strength of classifier-free guidance, 0 is off. sway: warps the grid
    (F5-TTS, arXiv 2410.06885); -1 is the released value.
    """

    points: int = 10
    solver: str = "rk4"
    guidance: float = 0.5
    sway: float = -1.0

    def __post_init__(self) -> None:
        require(self.points >= 2, "points", self.points, "use at least 2")
        require(self.solver in ("rk4", "euler"), "solver", self.solver, 'use "rk4" or "euler"')
        require(self.guidance >= 0, "guidance", self.guidance, "use 0 (off) or a positive number")


@dataclass(frozen=True)
class Media:
    """One decoded picture or video, ready for the vision encoder.

    patches: float32 [t*h*w, channels*2*14*14], rows in 2x2 merge order. grid: (t, h, w) in patches.
    seconds_per_grid: time that one step of t covers (videos), 0 for pictures.
    """

    patches: np.ndarray
    grid: tuple[int, int, int]
    seconds_per_grid: float = 0.0


@dataclass(frozen=True)
class PromptInputs:
    """A whole conversation as the models take it.

    input_ids: int64 [L], placeholders already expanded. mel: one float32 [128, F] a clip, in order
    of appearance (the sound of a video counts as a clip). images, videos: in order of appearance.
    video_has_audio: per video, whether its sound is interleaved with its frames.
    """

    input_ids: np.ndarray
    mel: list[np.ndarray] = field(default_factory=list)
    images: list[Media] = field(default_factory=list)
    videos: list[Media] = field(default_factory=list)
    video_has_audio: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class TextDelta:
    """New text of the reply; ``token_ids`` are the ids behind it."""

    text: str
    token_ids: tuple[int, ...]
    time: float  # seconds since the request


@dataclass(frozen=True)
class AudioChunk:
    """New speech: float32 [n] mono in [-1, 1]; ``start`` is its first sample in the reply."""

    samples: np.ndarray
    start: int
    sample_rate: int
    time: float  # seconds since the request


@dataclass(frozen=True)
class Stats:
    """What one reply cost. Times are seconds since the request; None where it did not happen (yet).

    finish_reason: "stop", "length", or "" while the text is not complete. The thinker's steps count
    no prefill; text_tokens_at_first_code says how much text there was when speech began.
    """

    prompt_tokens: int
    seed: int
    text_tokens: int
    codes: int
    audio_seconds: float
    finish_reason: str
    prefill: float | None
    first_text: float | None
    first_code: float | None
    first_audio: float | None
    last_text: float | None
    total: float | None
    text_tokens_at_first_code: int | None
    thinker_steps: int
    talker_steps: int
    wave_steps: int


@dataclass(frozen=True)
class Done:
    """The last event of a reply."""

    stats: Stats


Event = TextDelta | AudioChunk | Done


@dataclass(frozen=True)
class Reply:
    """A whole answer. audio: float32 [n] mono at ``sample_rate``, or None when speech was off."""

    text: str
    token_ids: list[int]
    codec_ids: list[int]
    audio: np.ndarray | None
    sample_rate: int
    stats: Stats
