"""TMRoPE: time, height and width positions of a prompt (Qwen2.5-Omni technical report,
arXiv 2503.20215, section 2.2), with the rounding of the released implementation.

Text and sound advance all three axes by one a token, which is 25 a second for sound. Pictures and
videos spread over height and width; a video's time axis also runs at 25 a second. Each segment
starts one above the largest position of the token before it.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from omnirt.errors import InputError

from .config import ThinkerConfig

Grid = tuple[int, int, int]  # (t, h, w) in patches


@dataclass(frozen=True)
class _Body:
    """ids[start:end] are the placeholders of one clip, picture or video, of the kind ``token``.

    With ``sound`` they are those of a video and of its clip, interleaved.
    """

    start: int
    end: int
    token: int
    sound: bool = False


def tmrope_positions(
    input_ids: np.ndarray | Tensor,
    config: ThinkerConfig,
    audio_tokens: Sequence[int],
    image_grids: Sequence[Grid],
    video_grids: Sequence[Grid],
    seconds_per_grid: Sequence[float],
    video_has_audio: Sequence[bool],
) -> tuple[Tensor, int]:
    """Positions of a prompt with its placeholders expanded, and what decoding adds to an index.

    input_ids: int64 [L]; text of any length may follow the prompt. audio_tokens: rows of each clip;
    image_grids, video_grids: in patches; seconds_per_grid: per video, the time that one step of t
    covers; video_has_audio: per video, whether its sound (a clip) is interleaved with its frames.
    All are in order of appearance.

    Returns positions, int64 [3, L], and delta: a token at index i >= L is at i + delta on all axes.
    Raises InputError when the placeholders are not those of the media.
    """
    ids = torch.as_tensor(input_ids)
    bodies = list(_find_bodies(ids.tolist(), config))
    _check(ids, config, bodies, audio_tokens, image_grids, video_grids, video_has_audio)
    images = (_spread(config, grid, 0.0) for grid in image_grids)
    videos = (_spread(config, *video) for video in zip(video_grids, seconds_per_grid, strict=True))
    streams = {config.image_token_id: images, config.video_token_id: videos}
    parts, start = [], 0
    for segment in _segments(ids, bodies, streams):
        parts.append(segment + start)
        start = int(parts[-1][:, -1].max()) + 1
    positions = torch.cat(parts, 1)
    return positions, int(positions.max()) + 1 - len(ids)


def _find_bodies(ids: list[int], config: ThinkerConfig) -> Iterator[_Body]:
    """Every run of placeholders behind a start token, in order; a clip's run may be empty."""
    audio, video = config.audio_token_id, config.video_token_id
    for at, (token, after) in enumerate(itertools.pairwise(ids), 1):
        if token == config.vision_start_id and after in (config.image_token_id, video):
            yield _Body(at, _run(ids, at, after), after)
        elif token == config.audio_start_id and after == video:
            yield _Body(at, _run(ids, at, video, audio), video, sound=True)
        elif token == config.audio_start_id:
            yield _Body(at, _run(ids, at, audio), audio)


def _run(ids: list[int], start: int, *tokens: int) -> int:
    """End of the run of ``tokens`` that begins at ``start``."""
    return next((i for i in range(start, len(ids)) if ids[i] not in tokens), len(ids))


def _check(
    ids: Tensor,
    config: ThinkerConfig,
    bodies: list[_Body],
    audio_tokens: Sequence[int],
    image_grids: Sequence[Grid],
    video_grids: Sequence[Grid],
    video_has_audio: Sequence[bool],
) -> None:
    image, video, audio = config.image_token_id, config.video_token_id, config.audio_token_id
    unit = config.vision.spatial_merge_size**2

    def found(token: int) -> list[int]:
        mine = (b for b in bodies if b.token == token or (b.sound and token == audio))
        counts = (int((ids[b.start : b.end] == token).sum()) for b in mine)
        return [count for count in counts if count]

    for name, got, want in (
        ("audio_tokens", found(audio), [count for count in audio_tokens if count]),
        ("image_grids", found(image), [t * h * w // unit for t, h, w in image_grids]),
        ("video_grids", found(video), [t * h * w // unit for t, h, w in video_grids]),
        ("video_has_audio", [b.sound for b in bodies if b.token == video], list(video_has_audio)),
    ):
        if got != want:
            raise InputError(f"{name}: the media need {want}, the placeholders in input_ids {got}")


def _segments(
    ids: Tensor, bodies: list[_Body], streams: dict[int, Iterator[Tensor]]
) -> Iterator[Tensor]:
    """Positions cut into segments, each counted from 0. int64 [3, n], n > 0.

    streams: for pictures and for videos, the positions of each in order; clips count as text does.
    The ids on either side of a video with sound (vision start, audio start; audio end, vision end)
    share one position.
    """
    pair, done = torch.zeros(3, 2, dtype=torch.int64), 0
    for body in (b for b in bodies if b.token in streams):
        around = [pair] if body.sound else []
        text = body.start - 2 * len(around) - done
        yield from [_count(text)] if text else []
        yield from around
        yield _interleave(ids[body.start : body.end] == body.token, next(streams[body.token]))
        yield from around
        done = body.end + 2 * len(around)
    if done < len(ids):
        yield _count(len(ids) - done)


def _interleave(own: Tensor, vision: Tensor) -> Tensor:
    """Positions of a body. own: bool [n], the frames' placeholders; vision: int64 [3, own.sum()].

    The released implementation places the two streams by cutting them again into pieces of 2 s.
    Following the ids is the same, except where its float32 and the float64 of the prompt cut at
    different frames; there it gives frames the positions of sound.
    """
    positions = torch.empty(3, len(own), dtype=torch.int64)
    positions[:, own] = vision
    positions[:, ~own] = _count(len(own) - vision.shape[1])
    return positions


def _count(length: int) -> Tensor:
    return torch.arange(length).expand(3, -1)


def _spread(config: ThinkerConfig, grid: Grid, seconds: float) -> Tensor:
    """Positions over time, height and width of merge units, row by row. int64 [3, t * h * w / 4].

    The time is computed in float32 and cut to whole numbers, as the released implementation does.
    """
    t, h, w = grid
    merge = config.vision.spatial_merge_size
    time = torch.arange(t, dtype=torch.float32) * seconds * config.position_id_per_seconds
    axes = (time.long(), torch.arange(h // merge), torch.arange(w // merge))
    return torch.cartesian_prod(*axes).T
