"""Plain data that crosses the API: options in, events and replies out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

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
class WaveSchedule:
    """How speech is solved from codes: in windows of blocks, each by a solver of the flow's ODE.

    A block is what the flow's attention sees as one: 0.24 s of speech, 12 codes as released.
    first, chunk, growth: new blocks of the first window and the most of a later one, ``growth``
    times those of the one before, rounded down. lookahead: blocks to the right that are solved with
    them and thrown away, so a window waits for their codes; one for each evaluation makes the
    result that of one window over everything.
    solver: "euler" (1 evaluation a step) or "rk4" (4). points: times of its grid, so points - 1
    steps. guidance: strength of classifier-free guidance, 0 is off. sway: warps the grid (F5-TTS,
    arXiv 2410.06885); -1 is the released value.
    A schedule decides the samples, together with codes, voice and seed; nothing measured does.
    """

    first: int = 1
    chunk: int = 8
    lookahead: int = 1
    solver: str = "euler"
    points: int = 6
    guidance: float = 0.5
    sway: float = -1.0
    growth: float = 2.0

    def __post_init__(self) -> None:
        require(self.first >= 1, "first", self.first, "use 1 block or more")
        require(
            self.chunk >= self.first, "chunk", self.chunk, f"use at least first={self.first} blocks"
        )
        most = WINDOW_BLOCKS - 1
        require(0 <= self.lookahead <= most, "lookahead", self.lookahead, f"use 0 to {most} blocks")
        fits = self.chunk + self.lookahead <= WINDOW_BLOCKS
        fix = f"chunk + lookahead={self.lookahead} may be {WINDOW_BLOCKS} blocks at most"
        require(fits, "chunk", self.chunk, fix)
        low, high = GROWTH
        fits = low <= self.growth <= high
        fix = f"use {low} to {high}; for equal chunks set first to chunk"
        require(fits, "growth", self.growth, fix)
        require(self.solver in STAGES, "solver", self.solver, 'use "rk4" or "euler"')
        most = 1 + EVALUATIONS // STAGES[self.solver]
        require(2 <= self.points <= most, "points", self.points, f"use 2 to {most}")
        require(self.guidance >= 0, "guidance", self.guidance, "use 0 (off) or a positive number")

    @property
    def evaluations(self) -> int:
        """Evaluations of the velocity that a window takes."""
        return (self.points - 1) * STAGES[self.solver]

    @property
    def rows(self) -> int:
        """Rows of guidance: with and without the condition, or the condition alone."""
        return 2 if self.guidance > 0 else 1

    def chunks(self) -> Iterator[int]:
        """New blocks of one window after the other, without end."""
        size = float(self.first)
        while True:
            yield int(size)
            size = min(size * self.growth, float(self.chunk))

    def fitted(self, block_seconds: float, block_plays: float = 0.24) -> "WaveSchedule":
        """A schedule for a machine that solves a block in ``block_seconds``; it plays block_plays.

        Playback does not run dry if every chunk, with its lookahead, is solved while the one before
        plays. The smallest first chunk (from this schedule's own) that allows this is taken, then
        the fastest growth up to this one's. Where even chunks of the full size take longer than
        they play, first = chunk: that delays the gap most and wastes least on lookahead.
        """
        low, spread = GROWTH[0], self.growth - GROWTH[0]
        slower = [max(low, self.growth - spread * step / 4) for step in range(5)]
        for first in range(self.first, self.chunk):
            for growth in slower:
                fit = replace(self, first=first, growth=growth)
                if fit._never_dry(block_seconds, block_plays):
                    return fit
        return replace(self, first=self.chunk)

    def _never_dry(self, block_seconds: float, block_plays: float) -> bool:
        for playing, size in pairwise(self.chunks()):
            if (size + self.lookahead) * block_seconds > playing * block_plays:
                return False
            if playing == self.chunk:
                break
        return True

    @classmethod
    def preset(cls, name: str) -> "WaveSchedule":
        """ "lowest-latency", "balanced" or "exact" (the released result). Raises InputError."""
        known = ", ".join(map(repr, PRESETS))
        require(name in PRESETS, "wave", name, f"use a WaveSchedule or one of {known}")
        return PRESETS[name]


PRECISIONS = ("float32", "bfloat16", "int8")  # of the products in the flow's transformer
WINDOW_BLOCKS = 72  # of one window: what the buffers of the wave lane hold
EVALUATIONS = 64  # of one window
GROWTH = (1.1, 72.0)  # least and most
STAGES = {"euler": 1, "rk4": 4}  # evaluations a step
PRESETS = {
    "lowest-latency": WaveSchedule(first=1, chunk=2, lookahead=0),
    "balanced": WaveSchedule(),
    "exact": WaveSchedule(first=1, chunk=36, lookahead=36, solver="rk4", points=10),
}


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
class ChunkStats:
    """One piece of speech: samples [start, start + samples) of the reply, out at ``time``.

    codes: how many were known when its last frame began to be solved. lookahead: blocks to the
    right of its frames that were solved with them and thrown away; 0 where the speech ends.
    solve: seconds in the flow-matching transformer since the chunk before. vocode: in the vocoder.
    """

    start: int
    samples: int
    time: float  # seconds since the request
    codes: int
    lookahead: int
    solve: float
    vocode: float


@dataclass(frozen=True)
class AudioChunk:
    """New speech: float32 [n] mono in [-1, 1]; ``start`` is its first sample in the reply."""

    samples: np.ndarray
    start: int
    sample_rate: int
    time: float  # seconds since the request
    stats: ChunkStats


@dataclass(frozen=True)
class Stats:
    """What one reply cost. Times are seconds since the request; None where it did not happen (yet).

    finish_reason: "stop", "length", or "" while the text is not complete. The thinker's steps count
    no prefill; text_tokens_at_first_code says how much text there was when speech began, and
    codes_at_first_audio how many codes when its first samples left.
    real_time_factor: total / audio_seconds. underruns: how often a player that starts with the
    first chunk would have had nothing to play; underrun_seconds: for how long, all together.
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
    codes_at_first_audio: int | None
    thinker_steps: int
    talker_steps: int
    wave_steps: int
    real_time_factor: float | None
    underruns: int
    underrun_seconds: float
    chunks: tuple[ChunkStats, ...]


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
