"""The iterator of a running reply: the scheduler's events as events of the API."""

from collections.abc import Iterator, Sequence

import numpy as np

from . import _core
from .engine.engine import Session
from .engine.request import Request
from .inputs.tokenizer import Detokenizer
from .types import AudioChunk, ChunkStats, Done, Event, Reply, Stats, TextDelta


class ReplyStream(Iterator[Event]):
    """Yields TextDelta and AudioChunk as they come and Done last. Closing it cancels the reply.

    An error in a lane is raised here. The reply runs only so far ahead of its reader.
    """

    def __init__(self, session: Session, detokenizer: Detokenizer, request: Request) -> None:
        self._session, self._detokenizer = session, detokenizer
        self._prompt_tokens, self._seed = len(request.prompt.input_ids), request.seed
        self._speaks = request.voice is not None
        self._held: list[int] = []  # ids whose text is not complete yet
        self._last: Done | None = None
        self._ended = False

    def __next__(self) -> Event:
        if self._last is not None:
            return self._finish()
        if self._ended:
            raise StopIteration
        try:
            return self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> Event:
        while True:
            event = self._session.core.next(None)
            match event:
                case _core.TokenEvent():
                    if (delta := self._text(event)) is not None:
                        return delta
                case _core.AudioEvent():
                    stats = ChunkStats(**event.stats)
                    rate = self._session.sample_rate
                    return AudioChunk(event.samples, event.start, rate, event.time, stats)
                case _core.DoneEvent():
                    return self._done()

    def _text(self, event: "_core.TokenEvent") -> TextDelta | None:
        self._held.append(event.id)
        text = "" if event.stop else self._detokenizer.push(event.id)
        return self._delta(text, event.time) if text else None

    def _delta(self, text: str, time: float) -> TextDelta:
        delta = TextDelta(text, tuple(self._held), time)
        self._held.clear()
        return delta

    def _done(self) -> Event:
        stats = self.stats()
        self._last = Done(stats)
        text = self._detokenizer.flush()
        if text or self._held:
            return self._delta(text, stats.total)
        return self._finish()

    def _finish(self) -> Done:
        done, self._last = self._last, None
        self.close()
        return done

    def stats(self) -> Stats:
        """What the reply cost so far."""
        told = self._session.core.stats()
        samples, chunks = told.pop("samples"), [ChunkStats(**c) for c in told.pop("chunks")]
        seconds = samples / self._session.sample_rate if samples else 0.0
        dry = underruns(chunks, self._session.sample_rate)
        return Stats(
            prompt_tokens=self._prompt_tokens,
            seed=self._seed,
            audio_seconds=seconds,
            real_time_factor=told["total"] / seconds if seconds and told["total"] else None,
            underruns=dry[0],
            underrun_seconds=dry[1],
            chunks=tuple(chunks),
            **told,
        )

    def close(self) -> None:
        """Cancel the reply if it still runs. May be called twice."""
        self._ended = True
        self._session.close()

    def __enter__(self) -> "ReplyStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._session.abandon()

    def collect(self) -> Reply:
        """Read to the end and put the whole reply together."""
        text, chunks = "", [np.zeros(0, np.float32)]
        for event in self:
            match event:
                case TextDelta():
                    text += event.text
                case AudioChunk():
                    chunks.append(event.samples)
        core = self._session.core
        audio = np.concatenate(chunks) if self._speaks else None
        rate = self._session.sample_rate
        return Reply(text, core.tokens(), core.codes(), audio, rate, self.stats())


def underruns(chunks: Sequence[ChunkStats], sample_rate: int) -> tuple[int, float]:
    """How often and how long a player waits that starts when the first chunk is there."""
    count, waited, played = 0, 0.0, chunks[0].time if chunks else 0.0
    for chunk in chunks:
        if chunk.time > played:
            count, waited, played = count + 1, waited + chunk.time - played, chunk.time
        played += chunk.samples / sample_rate
    return count, waited
