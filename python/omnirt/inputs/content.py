"""The media of a conversation: decoded, and the prompt ids that stand for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from omnirt.errors import InputError
from omnirt.types import Media

from .audio import load_audio
from .chat import Item, Message, media
from .config import Settings
from .image import load_image
from .mel import audio_tokens, log_mel
from .sources import Limits
from .tokenizer import TextTokenizer
from .video import VideoOptions, load_video

AUDIO, IMAGE, VIDEO = "<|AUDIO|>", "<|IMAGE|>", "<|VIDEO|>"
AUDIO_BOS, AUDIO_EOS = "<|audio_bos|>", "<|audio_eos|>"


@dataclass
class Content:
    """Media in order of appearance, and for each placeholder id the ids that take its places."""

    mel: list[np.ndarray] = field(default_factory=list)
    images: list[Media] = field(default_factory=list)
    videos: list[Media] = field(default_factory=list)
    video_has_audio: list[bool] = field(default_factory=list)
    bodies: dict[int, list[list[int]]] = field(default_factory=dict)


class ContentLoader:
    """Loads what messages name, by the settings of a checkpoint."""

    def __init__(self, tokenizer: TextTokenizer, settings: Settings, limits: Limits) -> None:
        self._audio, self._image, self._video = map(tokenizer.id_of, (AUDIO, IMAGE, VIDEO))
        self._audio_bos, self._audio_eos = map(tokenizer.id_of, (AUDIO_BOS, AUDIO_EOS))
        self._settings = settings
        self._limits = limits

    def load(self, conversation: Sequence[Message], use_audio_in_video: bool) -> Content:
        """Decode all media; a video item's own use_audio_in_video wins over the argument."""
        content = Content(bodies={i: [] for i in (self._audio, self._image, self._video)})
        for item in media(conversation):
            if item.kind == "image":
                content.bodies[self._image].append(self._add_image(content, item))
            elif item.kind == "audio":
                content.bodies[self._audio].append(self._add_audio(content, item))
            else:
                own = item.use_audio_in_video
                sound = use_audio_in_video if own is None else own
                content.bodies[self._video].append(self._add_video(content, item, sound))
        return content

    def _add_image(self, content: Content, item: Item) -> list[int]:
        bounds = item.min_pixels, item.max_pixels
        image = load_image(item.value, item.place, self._settings.vision, self._limits, *bounds)
        content.images.append(image)
        return [self._image] * self._frame_tokens(image)

    def _add_audio(self, content: Content, item: Item) -> list[int]:
        audio, rate = self._settings.audio, item.sampling_rate
        samples = load_audio(item.value, item.place, audio, self._limits, rate)
        return [self._audio] * self._add_clip(content, samples, item)

    def _add_video(self, content: Content, item: Item, sound: bool) -> list[int]:
        window = item.video_start, item.video_end
        options = VideoOptions(item.fps, item.min_pixels, item.max_pixels, *window)
        settings = self._settings
        video, samples = load_video(item.value, item.place, settings, self._limits, options, sound)
        content.videos.append(video)
        content.video_has_audio.append(sound)
        if samples is None:
            return [self._video] * (video.grid[0] * self._frame_tokens(video))
        return self._weave(video, self._add_clip(content, samples, item))

    def _add_clip(self, content: Content, samples: np.ndarray, item: Item) -> int:
        mel = log_mel(samples, self._settings.audio)
        tokens = audio_tokens(mel.shape[1])
        if tokens == 0:
            seconds = len(samples) / self._settings.audio.sampling_rate
            raise InputError(f"{item.place}: {seconds:.4f} s of sound, give more than 0.02 s")
        content.mel.append(mel)
        return tokens

    def _frame_tokens(self, picture: Media) -> int:
        _, h, w = picture.grid
        return h * w // self._settings.vision.merge_size**2

    def _weave(self, video: Media, audio_tokens: int) -> list[int]:
        """Frames and sound of a video in turns, a chunk of each at a time."""
        rate = self._settings.positions_per_second
        width = int(rate * self._settings.seconds_per_chunk)
        frames = np.repeat(np.arange(video.grid[0]), self._frame_tokens(video))
        seen = chunk_lengths(frames * video.seconds_per_grid * rate, width)
        heard = chunk_lengths(np.arange(audio_tokens), width)
        ids = [self._audio_bos]
        for pictures, sounds in zip_longest(seen, heard, fillvalue=0):
            ids += [self._video] * pictures + [self._audio] * sounds
        return [*ids, self._audio_eos]


def chunk_lengths(positions: np.ndarray, width: int) -> list[int]:
    """Lengths of the runs of ascending positions below width, 2 * width, ...

    As released, the bound moves up by one chunk a token: where a step in time is longer than a
    chunk, the first tokens of the next frame fall into chunks of their own.
    """
    lengths, start, bound = [], 0, width
    for i, position in enumerate(positions):
        if position >= bound:
            lengths.append(i - start)
            start, bound = i, bound + width
    return [*lengths, len(positions) - start]
