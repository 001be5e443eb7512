"""What the command line writes: text and reports to stdout, news to stderr."""

import json
import sys
import wave
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from .errors import InputError
from .types import AudioChunk, Done, Event, Stats, TextDelta


def write(text: str, end: str = "\n") -> None:
    """Write to stdout at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def news(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(text + "\n")


def event_line(event: Event) -> str:
    """One event as one line of JSON; samples are told by their number."""
    match event:
        case TextDelta():
            fields = {"event": "text", **asdict(event)}
        case AudioChunk():
            fields = {
                "event": "audio",
                "sample_rate": event.sample_rate,
                **asdict(event.stats),
            }
        case Done():
            fields = {"event": "done", "time": event.stats.total, "stats": asdict(event.stats)}
    return json.dumps(fields, ensure_ascii=False)


def write_wav(path: str, samples: np.ndarray, sample_rate: int) -> None:
    """Write float32 [n] in [-1, 1] as 16-bit mono. InputError if the file can't be written."""
    data = (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()
    try:
        with open(path, "wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(data)
    except OSError as error:
        raise InputError(
            f"out={path!r}: {error.strerror}; name a file that can be written"
        ) from error


def timeline(load: float, stats: Stats) -> str:
    """When each stage of a reply was reached, a line each."""
    stages = (
        ("load", load),
        ("prefill", stats.prefill),
        ("first text", stats.first_text),
        ("first audio code", stats.first_code),
        ("last text", stats.last_text),
        ("first audio", stats.first_audio),
        ("total", stats.total),
    )
    rows = [f"  {name:<17}{seconds:8.3f} s" for name, seconds in stages if seconds is not None]
    if stats.real_time_factor is not None:
        rows.append(f"  {'real-time factor':<17}{stats.real_time_factor:8.3f}")
        rows.append(f"  {'underruns':<17}{stats.underruns:8} ({stats.underrun_seconds:.3f} s)")
    return "\n".join(["timeline (load apart, seconds since the request):", *rows])


def show(stream: Iterable[Event], out: str | None, as_json: bool, load: float) -> None:
    """Print a reply while it comes, then its timeline; write its speech to ``out``.

    load: seconds that loading took, told in the timeline.
    """
    chunks, rate = [], 0
    for event in stream:
        if as_json:
            write(event_line(event))
        elif isinstance(event, TextDelta):
            write(event.text, end="")
        if isinstance(event, AudioChunk):
            chunks.append(event.samples)
            rate = event.sample_rate
    if chunks and out:
        write_wav(out, np.concatenate(chunks), rate)
        news(f"speech: {out}, {sum(map(len, chunks)) / rate:.2f} s")
    if not as_json:
        write("\n" + timeline(load, event.stats))
