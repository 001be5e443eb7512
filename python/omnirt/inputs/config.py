"""Settings of the front end: what preprocessor_config.json holds, and the released processor's own.

Defaults are the released values of Qwen2.5-Omni (arXiv 2503.20215), 3B and 7B alike.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path

from omnirt.errors import CheckpointError

from .files import read_object

PREPROCESSOR_FILE = "preprocessor_config.json"


@dataclass(frozen=True)
class AudioSettings:
    """Log-mel features: sizes in samples at ``sampling_rate`` (Hz), chunk_length in seconds."""

    sampling_rate: int = 16000
    n_fft: int = 400
    hop_length: int = 160
    feature_size: int = 128
    chunk_length: int = 300

    @property
    def max_samples(self) -> int:
        return self.chunk_length * self.sampling_rate


@dataclass(frozen=True)
class VisionSettings:
    """Pictures: limits of their area in pixels, patch sizes, normalisation of values in 0..1."""

    min_pixels: int = 3136
    max_pixels: int = 12845056
    patch_size: int = 14
    temporal_patch_size: int = 2
    merge_size: int = 2
    image_mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    image_std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)

    @property
    def factor(self) -> int:
        """Pixels that one row or column of prompt tokens covers."""
        return self.patch_size * self.merge_size


@dataclass(frozen=True)
class VideoSettings:
    """Sampling of videos. Areas in pixels a frame; total_pixels: of all frame pairs of a video."""

    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 768
    min_pixels: int = 128 * 28 * 28
    max_pixels: int = 768 * 28 * 28
    total_pixels: float = 128000 * 28 * 28 * 0.9


@dataclass(frozen=True)
class Settings:
    """All of the front end. A second of sound or video is ``positions_per_second`` position ids;
    the sound of a video is woven into its frames in chunks of ``seconds_per_chunk``."""

    audio: AudioSettings = field(default_factory=AudioSettings)
    vision: VisionSettings = field(default_factory=VisionSettings)
    video: VideoSettings = field(default_factory=VideoSettings)
    positions_per_second: int = 25
    seconds_per_chunk: float = 2.0

    @classmethod
    def from_folder(cls, folder: Path) -> "Settings":
        """Read the checkpoint's file; keys that it leaves out keep the released values."""
        path = folder / PREPROCESSOR_FILE
        values = read_object(path)
        return cls(
            audio=AudioSettings(**_known(AudioSettings, values, path)),
            vision=VisionSettings(**_known(VisionSettings, values, path)),
        )


def _known(section: type, values: dict, path: Path) -> dict:
    known = {f.name: values[f.name] for f in fields(section) if values.get(f.name) is not None}
    for name, value in known.items():
        numbers = value if isinstance(value, list) else [value]
        if not all(isinstance(n, int | float) and n > 0 for n in numbers):
            raise CheckpointError(f"{path}: {name}={value!r}: use positive numbers")
    return known
