"""Owns models, buffers, recorded steps and the scheduler; starts a session per request."""

import threading

from omnirt import _core
from omnirt.errors import CapacityError, EngineError
from omnirt.types import require

from . import buffers as memory
from .loader import Models
from .prefill import initial_states, prefill
from .record import record_talker, record_thinker
from .request import Request
from .wave import WaveLane

EVENTS = 64  # events that a reader may lag behind before its session pauses


class Session:
    """A running request: the scheduler's session and the slot that it occupies."""

    def __init__(self, engine: "Engine", slot: int, core: "_core.Session") -> None:
        self._engine, self._slot, self.core = engine, slot, core
        self.sample_rate = engine.sample_rate
        self._open = True

    def close(self) -> None:
        """Stop the request if it still runs and give its slot back. May be called twice."""
        if self._open:
            self.core.cancel()
            self.core.join()
            self._open = False
            self._engine.release(self._slot)

    def abandon(self) -> None:
        """Stop the request without waiting; the engine closes it when it needs the slot.

        The garbage collector may call this on a lane's own thread, which must not wait for itself.
        """
        if self._open:
            self.core.cancel()
            self._engine.abandoned.append(self)


class Engine:
    """Runs requests on three lanes: thinker, talker and wave."""

    def __init__(self, models: Models, slots: int, context: int) -> None:
        self.models, self.slots, self.context = models, slots, context
        self.buffers = memory.allocate(models, slots, context)
        thinker = (record_thinker(models, self.buffers), self.buffers.thinker.states)
        talker = None
        if models.talker is not None:
            talker = (record_talker(models, self.buffers), self.buffers.talker.states)
            self.wave = WaveLane(models.token2wav)
        self.scheduler = _core.Scheduler(thinker, talker, memory.RING_ROWS)
        self._free = list(range(slots))
        self._freed = threading.Condition()
        self.abandoned: list[Session] = []
        self._closed = False

    def start(self, request: Request, wait: bool, started: float) -> Session:
        """Queue a request. started: time.monotonic() of its arrival, what event times count from.

        Raises CapacityError for a prompt beyond the context, or when no slot is free and ``wait``
        is off; EngineError when the engine is closed.
        """
        rows = self._rows(request)
        slot = self._acquire(rows, wait)
        try:
            return Session(self, slot, self._submit(request, slot, started))
        except BaseException:
            self.release(slot)
            raise

    def _rows(self, request: Request) -> tuple[int, int]:
        """Cache rows that thinker and talker need. The thinker's reply is cut to the context."""
        length = len(request.prompt.input_ids)
        if length >= self.context:
            raise CapacityError(
                f"messages: the prompt has {length} tokens, the context holds {self.context} with "
                "the reply; shorten the media (fps, max_pixels, video_end) or raise context"
            )
        speech = request.talker.max_new_tokens
        limit = memory.SPEECH_ROWS
        require(speech <= limit, "talker.max_new_tokens", speech, f"use at most {limit} codes")
        return length + self._reply_limit(request), length + 1 + speech

    def _reply_limit(self, request: Request) -> int:
        return min(request.thinker.max_new_tokens, self.context - len(request.prompt.input_ids))

    def _acquire(self, rows: tuple[int, int], wait: bool) -> int:
        with self._freed:
            while True:
                if self._closed:
                    raise EngineError("the runtime is closed: make a new one with from_pretrained")
                if self._free and self._reserve(self._free[-1], rows):
                    return self._free.pop()
                if self.abandoned:
                    self.abandoned.pop().close()
                    continue
                if not wait:
                    raise CapacityError(
                        "no session is free: read a running reply to its end or close it, "
                        "or load with a larger max_sessions"
                    )
                self._freed.wait()

    def _reserve(self, slot: int, rows: tuple[int, int]) -> bool:
        """Pages for both decoders, or none."""
        tracks = [self.buffers.thinker]
        if self.buffers.talker is not None:
            tracks.append(self.buffers.talker)
        pages = [track.cache.allocator for track in tracks]
        if any(not a.fits(n) for a, n in zip(pages, rows, strict=False)):
            return False
        for allocator, n in zip(pages, rows, strict=False):
            allocator.open(slot, n)
        return True

    def release(self, slot: int) -> None:
        """Give a slot and its pages back. No lane may work on it any more."""
        with self._freed:
            self.buffers.thinker.cache.allocator.close(slot)
            if self.buffers.talker is not None:
                self.buffers.talker.cache.allocator.close(slot)
            self._free.append(slot)
            self._freed.notify_all()

    def _submit(self, request: Request, slot: int, started: float) -> "_core.Session":
        thinker, talker = states = initial_states(request, slot)
        speaks = request.voice is not None
        return self.scheduler.submit(
            prefill=prefill(self.models, self.buffers, request, slot, *states),
            thinker_state=thinker,
            talker_state=talker,
            thinker_max_tokens=self._reply_limit(request),
            thinker_stop_ids=list(request.thinker.stop_token_ids),
            speaks=speaks,
            talker_max_codes=request.talker.max_new_tokens,
            talker_stop_ids=list(request.talker.stop_token_ids),
            wave=self._wave(request) if speaks else None,
            event_capacity=EVENTS,
            started=started,
        )

    def _wave(self, request: Request) -> "_core.WaveStream":
        return self.wave.stream(request.voice, request.wave, request.seed, request.flow_noise)

    @property
    def sample_rate(self) -> int:
        """Samples of speech per second, 0 without speech."""
        sound = self.models.token2wav
        return 0 if sound is None else sound.config.sample_rate

    def close(self) -> None:
        """Stop every session; their readers get an EngineError. May be called twice."""
        with self._freed:
            self._closed = True
            self._freed.notify_all()
        self.scheduler.shutdown()
