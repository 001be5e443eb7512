"""Which frames of a video are shown to the model, and their decoding."""

import itertools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
import torch
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from omnirt.errors import InputError

from .config import VideoSettings

# Containers whose index leads exactly to a key frame; others are decoded from the start.
_INDEXED = ("mov", "matroska")


@dataclass(frozen=True)
class Track:
    """What the packets of a video tell before any is decoded.

    times: of all frames, ascending, in ticks of the stream (frame numbers where it has no clock).
    keys: times at which decoding can be taken up. rate: frames a second.
    """

    times: list[int]
    keys: list[int]
    rate: Fraction
    has_clock: bool


def scan(stream: BinaryIO, place: str) -> Track:
    """Read the packets of the first video track."""
    stream.seek(0)
    with av.open(stream, metadata_errors="ignore") as container:
        if not container.streams.video:
            raise InputError(f"{place}: there is no picture in it")
        track = container.streams.video[0]
        rate = track.average_rate or track.guessed_rate
        packets = [  # without their data, a film's would fill the memory
            (p.dts if p.pts is None else p.pts, p.is_keyframe)
            for p in container.demux(track)
            if p.size and not p.is_discard
        ]
        indexed = container.format.name.startswith(_INDEXED)
    stamps = [time for time, _ in packets]
    keys = [time for time, is_key in packets if is_key and indexed]
    if not packets or not rate:
        raise InputError(f"{place}: the video is empty (0 frames)")
    if None in stamps:
        return Track(list(range(len(packets))), [0], rate, has_clock=False)
    times = sorted(stamps)
    return Track(times, [times[0], *sorted(keys)], rate, has_clock=True)


def frame_range(
    total: int, rate: Fraction, start: float | None, end: float | None, place: str
) -> tuple[int, int]:
    """First and last frame between two times (s), both counted in."""
    seconds = total / float(rate)
    first = 0 if start is None else int(np.ceil(min(start, seconds) * float(rate)))
    last = total - 1 if end is None else min(int(min(end, seconds) * float(rate)), total - 1)
    if first > last:
        raise InputError(
            f"{place}: no frame lies between video_start={start} and video_end={end}, "
            f"the video lasts {seconds:.2f} s"
        )
    return first, last


def frame_count(total: int, rate: Fraction, fps: float, settings: VideoSettings) -> int:
    """How many of ``total`` frames are shown: an even number, at ``fps`` within the limits."""
    wanted = max(total / float(rate) * fps, settings.min_frames)
    return max(2, int(min(wanted, settings.max_frames, total)) // 2 * 2)


def pick(first: int, last: int, count: int) -> list[int]:
    """``count`` frame numbers spread evenly from first to last, ties rounded to even."""
    return torch.linspace(first, last, count).round().long().tolist()


def decode(stream: BinaryIO, track: Track, wanted: list[int]) -> Iterator[np.ndarray]:
    """Frames of the given numbers, ascending, as upright uint8 [H, W, 3].

    Groups of pictures without a wanted frame are jumped over. Where the decoder gives fewer frames
    than there are packets, the next one stands in; a cut-off file yields fewer frames.
    """
    stream.seek(0)
    with av.open(stream, metadata_errors="ignore") as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        frames = _stamped(container, video, track)
        now, frame = track.times[0], None
        for time in (track.times[i] for i in wanted):
            key = track.keys[bisect_right(track.keys, time) - 1]
            if key > now:
                container.seek(key, stream=video)
                frames, frame = _stamped(container, video, track), None
            while frame is None or now < time:
                now, frame = next(frames, (now, None))
                if frame is None:
                    return
            yield _upright(frame)


def _stamped(
    container: InputContainer, video: VideoStream, track: Track
) -> Iterator[tuple[int, VideoFrame]]:
    for number, frame in zip(itertools.count(), container.decode(video), strict=False):
        stamp = frame.dts if frame.pts is None else frame.pts
        yield (stamp if track.has_clock and stamp is not None else number), frame


def _upright(frame: VideoFrame) -> np.ndarray:
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))
