"""Sound of any container and codec to mono float32 at the model's rate."""

import logging
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soxr
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from omnirt.errors import InputError

from .config import AudioSettings
from .sources import Limits, open_source

logger = logging.getLogger(__name__)

_LOUDEST = 1e6  # times full scale; the power of 1e17 is no float32 any more


def load_audio(
    value: str | bytes | Path | np.ndarray,
    place: str,
    settings: AudioSettings,
    limits: Limits,
    source_rate: int | None = None,
) -> np.ndarray:
    """A clip as float32 [n] at the model's rate, at most ``settings.max_samples`` long.

    Arrays are mono, float in [-1, 1] or int16, at ``source_rate`` (the model's if None). Channels
    of a file are averaged. What is beyond the limit is cut off with a warning, as the released
    feature extractor cuts it. Raises InputError.
    """
    if isinstance(value, np.ndarray):
        source_rate = source_rate or settings.sampling_rate
        samples = _from_array(value, place)[: settings.chunk_length * source_rate + 1]
        return _to_model_rate(samples, source_rate, place, settings)
    with open_source(value, place, limits) as stream:
        return read_sound(stream, place, settings)


def read_sound(
    stream: BinaryIO,
    place: str,
    settings: AudioSettings,
    start: float = 0.0,
    end: float | None = None,
) -> np.ndarray:
    """The first sound track of a file from ``start`` to ``end`` (s), as load_audio gives it."""
    try:
        with av.open(stream, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise InputError(
                    f"{place}: there is no sound in it; for a silent video set use_audio_in_video "
                    "to False"
                )
            track = container.streams.audio[0]
            if track.codec_context is None:
                raise InputError(f"{place}: cannot decode the sound: its codec is unknown")
            first, last = round(start * track.rate), settings.chunk_length * track.rate + 1
            if end is not None:
                last = min(last, round((end - start) * track.rate))
            samples, rate = _decode(container, track, first, first + last), track.rate
    except InputError:
        raise
    except (FFmpegError, ValueError, OSError) as error:
        raise InputError(f"{place}: cannot decode the sound: {error}") from None
    if not len(samples):
        raise InputError(f"{place}: the sound is empty (0 samples)")
    return _to_model_rate(_checked(samples, place), rate, place, settings)


def _decode(container: InputContainer, track: AudioStream, first: int, last: int) -> np.ndarray:
    planar = av.AudioResampler(format="fltp")
    chunks = [np.zeros(0, np.float32)]
    position = 0
    for frame in container.decode(track):
        for part in planar.resample(frame):
            mono = part.to_ndarray().mean(axis=0)  # [channels, n] -> [n]
            chunks.append(mono[max(0, first - position) : max(0, last - position)])
            position += len(mono)
        if position >= last:
            break
    return np.concatenate(chunks)


def _to_model_rate(
    samples: np.ndarray, source_rate: int, place: str, settings: AudioSettings
) -> np.ndarray:
    """soxr HQ and ceil(n * rate / source_rate) samples, as librosa.load resamples; then the cut."""
    rate = settings.sampling_rate
    if source_rate != rate:
        length = -(-len(samples) * rate // source_rate)
        samples = soxr.resample(samples, source_rate, rate, quality="HQ")[:length]
        samples = np.pad(samples, (0, length - len(samples)))
    if len(samples) > settings.max_samples:
        limit = settings.chunk_length
        logger.warning("%s: only the first %d s of the sound are used", place, limit)
    return samples[: settings.max_samples]


def _from_array(samples: np.ndarray, place: str) -> np.ndarray:
    if samples.ndim != 1:
        raise InputError(f"{place}: the array has shape {samples.shape}, give one channel: [n]")
    if not len(samples):
        raise InputError(f"{place}: the array is empty (0 samples)")
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / 32768
    if samples.dtype.kind != "f":
        raise InputError(f"{place}: the array is {samples.dtype}, give floats or int16")
    return _checked(samples.astype(np.float32), place)


def _checked(samples: np.ndarray, place: str) -> np.ndarray:
    if not max(samples.max(), -samples.min()) <= _LOUDEST:  # NaN is not, either
        raise InputError(
            f"{place}: the sound holds NaN or infinite samples, or some above {_LOUDEST:g}; "
            "give values in -1..1"
        )
    return samples
