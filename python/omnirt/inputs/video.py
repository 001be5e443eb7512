"""Videos to patches of the vision encoder, and their sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from av.error import FFmpegError
from PIL import Image

from omnirt.errors import InputError
from omnirt.types import Media

from .audio import read_sound
from .config import Settings, VisionSettings
from .frames import decode, frame_count, frame_range, pick, scan
from .image import check_pixels, open_picture, patchify, smart_resize
from .sources import Limits, open_source


@dataclass(frozen=True)
class VideoOptions:
    """What a message may say about a video: frames a second, area of a frame in pixels, seconds."""

    fps: float | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    start: float | None = None
    end: float | None = None


def load_video(
    value: str | bytes | Path | np.ndarray | Sequence[str | np.ndarray | Image.Image],
    place: str,
    settings: Settings,
    limits: Limits,
    options: VideoOptions,
    sound: bool,
) -> tuple[Media, np.ndarray | None]:
    """A video, and its sound as float32 [n] at the model's rate where ``sound`` is asked for.

    Frames are picked and resized as qwen-omni-utils 0.0.9 does it. seconds_per_grid follows the
    true rate of the picked frames; the released processor takes 2 frames a second for granted, and
    is equal when it is told the true rate. Arrays, uint8 [T, H, W, 3], and lists of pictures (files
    too) are taken as picked already, ``options.fps`` a second. Raises InputError.
    """
    if isinstance(value, np.ndarray | list | tuple):
        if sound:
            raise InputError(f"{place}: frames have no sound, set use_audio_in_video to False")
        return _from_frames(value, place, settings, limits, options), None
    with open_source(value, place, limits) as stream:
        media = _from_file(stream, place, settings, options)
        if not sound:
            return media, None
        stream.seek(0)
        start = options.start or 0.0
        return media, read_sound(stream, place, settings.audio, start, options.end)


def _from_file(stream: BinaryIO, place: str, settings: Settings, options: VideoOptions) -> Media:
    try:
        track = scan(stream, place)
        first, last = frame_range(len(track.times), track.rate, options.start, options.end, place)
        total = last - first + 1
        fps = options.fps or settings.video.fps
        count = frame_count(total, track.rate, fps, settings.video)
        frames: list[np.ndarray] = []
        for pixels in decode(stream, track, pick(first, last, count)):
            if not frames:
                size = frame_size(*pixels.shape[:2], count, place, settings, options)
            frames.append(resize_frame(pixels, *size))
    except (FFmpegError, OSError) as error:
        raise InputError(f"{place}: cannot decode the video: {error}") from None
    if not frames:
        raise InputError(f"{place}: no frame of the video can be decoded")
    frames += frames[-1:] * (count - len(frames))
    seconds = Fraction(settings.vision.temporal_patch_size * total, count) / track.rate
    return _media(frames, settings.vision, float(seconds))


def _from_frames(
    value: np.ndarray | Sequence[str | np.ndarray | Image.Image],
    place: str,
    settings: Settings,
    limits: Limits,
    options: VideoOptions,
) -> Media:
    if not isinstance(value, np.ndarray):
        pictures = [open_picture(f, f"{place}[{i}]", limits) for i, f in enumerate(value)]
        if len({p.size for p in pictures}) > 1:
            raise InputError(f"{place}: the frames differ in size, give frames of one size")
        value = np.stack(pictures) if pictures else np.zeros(0)
    if value.shape[:1] == (0,):
        raise InputError(f"{place}: the video is empty (0 frames)")
    frames = check_pixels(value, place, ndim=4)
    size = frame_size(*frames.shape[1:3], len(frames), place, settings, options)
    seconds = settings.vision.temporal_patch_size / (options.fps or settings.video.fps)
    return _media([resize_frame(f, *size) for f in frames], settings.vision, seconds)


def _media(frames: list[np.ndarray], settings: VisionSettings, seconds: float) -> Media:
    patches, grid = patchify(np.stack(frames), settings, frame_values(settings))
    return Media(patches, grid, seconds)


def frame_size(
    height: int, width: int, count: int, place: str, settings: Settings, options: VideoOptions
) -> tuple[int, int]:
    """(height, width) of each of ``count`` frames: the longer the video, the smaller they are.

    Bounds that the message gives hold as they are; the released processor would enlarge frames
    that its user asked to be small, to 128 * 28 * 28 pixels.
    """
    video = settings.video
    low = video.min_pixels if options.min_pixels is None else options.min_pixels
    budget = video.total_pixels / count * settings.vision.temporal_patch_size
    high = max(min(video.max_pixels, budget), int(low * 1.05))
    if options.max_pixels is not None:
        high = min(high, options.max_pixels)
    return smart_resize(height, width, settings.vision.factor, min(low, high), high, place)


def resize_frame(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3] -> uint8 [height, width, 3], bicubic with antialiasing."""
    if pixels.shape[:2] == (height, width):
        return pixels
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(
        planes, (height, width), mode="bicubic", antialias=True
    )
    return resized[0].clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def frame_values(settings: VisionSettings) -> np.ndarray:
    """float32 [3, 256]: (v - 255 * mean) / (255 * std), rounded as the released video processor."""
    scale = np.float32(1 / (1 / 255))
    mean = np.float32(settings.image_mean)[:, None] * scale
    std = np.float32(settings.image_std)[:, None] * scale
    return (np.arange(256, dtype=np.float32) - mean) / std
