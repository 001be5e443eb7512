"""Types of the C++ extension."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypedDict

import numpy as np
from torch import Tensor

# The runtime: threads, plans, cache pages, sessions (csrc/bindings/runtime*.cc)

def set_cores(cores: int) -> None:
    """Cores that kernels may use together; the default is every core of the machine."""

def cores() -> int: ...

class Plan:
    """Kernel calls that were recorded once and run without Python."""

    def __init__(self, name: str) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def calls(self) -> list[str]:
        """Names of the kernels, in order."""

    def __len__(self) -> int: ...
    def recording(self) -> AbstractContextManager[None]:
        """While entered, this thread's kernel calls run, are appended, and their tensors kept."""

    @staticmethod
    def is_recording() -> bool:
        """Whether this thread records into any plan."""

    def run(self) -> None:
        """Replay every call, without the GIL."""

class PageAllocator:
    """Hands out cache pages to slots; writes their ids into ``tables``, int32 [slots, max_pages].

    -1 is no page. CapacityError where pages are missing: it says how many are needed and free.
    """

    def __init__(self, pages: int, page_size: int, tables: Tensor) -> None: ...
    def open(self, slot: int, tokens: int) -> None: ...
    def extend(self, slot: int, tokens: int) -> None:
        """Pages for ``tokens`` tokens in all."""

    def truncate(self, slot: int, tokens: int) -> None: ...
    def close(self, slot: int) -> None: ...
    def fits(self, tokens: int) -> bool:
        """Whether ``open`` would succeed for a closed slot."""

    @property
    def free_pages(self) -> int: ...

class TokenEvent:
    id: int
    time: float
    stop: bool  # a stop id: it ends the reply and has no text

class AudioEvent:
    samples: np.ndarray  # float32 [n]
    start: int  # index of the first sample in the reply
    time: float

class DoneEvent:
    finish_reason: str  # "stop", "length" or "cancelled"
    time: float

class SessionStats(TypedDict):
    """Times are seconds since ``started``; None where it did not happen (yet)."""

    text_tokens: int
    codes: int
    samples: int
    finish_reason: str
    prefill: float
    first_text: float | None
    first_code: float | None
    first_audio: float | None
    last_text: float | None
    total: float | None
    text_tokens_at_first_code: int | None
    thinker_steps: int
    talker_steps: int
    wave_steps: int

class LaneStats(TypedDict):
    """gaps: steps that followed another without waiting for work; gap_seconds: between the two."""

    steps: int
    step_seconds: float
    gaps: int
    gap_seconds: float

class Session:
    """A reply in the making. Dropping it cancels the reply."""

    def next(self, timeout: float | None = None) -> TokenEvent | AudioEvent | DoneEvent | None:
        """The next event, None when ``timeout`` seconds are over. Raises what a lane raised."""

    def cancel(self) -> None:
        """Drop unread events and begin no further step. Does not wait."""

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no lane works on this session any more. Cancel first if nobody reads."""

    def tokens(self) -> list[int]:
        """Text ids so far, with the stop id."""

    def codes(self) -> list[int]:
        """Codec ids so far, without the last generated one."""

    def stats(self) -> SessionStats: ...

class Scheduler:
    """Lanes for thinker, talker and wave.

    A track is a plan and the int32 [1, 16] state that it was recorded on. Without a talker there is
    one lane. ring_rows: rows of the text ring.
    """

    def __init__(
        self, thinker: tuple[Plan, Tensor], talker: tuple[Plan, Tensor] | None, ring_rows: int
    ) -> None: ...
    def submit(
        self,
        *,
        thinker_state: Tensor,
        thinker_max_tokens: int,
        thinker_stop_ids: list[int],
        talker_state: Tensor | None = None,
        talker_max_codes: int = 0,
        talker_stop_ids: list[int] = ...,
        wave: Callable[[list[int]], Iterator[np.ndarray | None]] | None = None,
        event_capacity: int = 64,
        started: float | None = None,
    ) -> Session:
        """Go on from a prompt that was read. States: int32 [1, 16], copied.

        thinker_state: its token is the reply's first id, its row is 0. talker_state: ready for its
        first step, row 0; None for text only. wave: takes the codes, yields float32 samples as they
        come, or None between two pieces of work. started: time.monotonic() that times count from.
        """

    def shutdown(self) -> None:
        """End live sessions with an EngineError and stop the lanes. May be called twice."""

    def stats(self) -> dict[str, LaneStats]:
        """By lane. Empty after ``shutdown``."""
