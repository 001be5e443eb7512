"""Pictures to patches of the vision encoder."""

import math
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from omnirt.errors import InputError
from omnirt.types import Media

from .config import VisionSettings
from .sources import Limits, open_source

# What Pillow raises on damaged files, beside UnidentifiedImageError.
_DAMAGED = (
    *(OSError, EOFError, SyntaxError, ValueError, LookupError, TypeError, struct.error),
    Image.DecompressionBombError,
)
_MAX_ASPECT = 200  # beyond it a picture is refused, as the released processor does


def load_image(
    value: str | bytes | Path | np.ndarray | Image.Image,
    place: str,
    settings: VisionSettings,
    limits: Limits,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
) -> Media:
    """Decode as open_picture does, resize bicubically, cut into patches.

    min_pixels, max_pixels: area bounds of this picture; they win over the checkpoint's. Equal to
    Qwen2VLImageProcessor of transformers on the same RGB pixels.
    """
    picture = open_picture(value, place, limits)
    width, height = picture.size
    low = settings.min_pixels if min_pixels is None else min_pixels
    high = max(low, settings.max_pixels) if max_pixels is None else max_pixels
    low = min(low, high)
    height, width = smart_resize(height, width, settings.factor, low, high, place)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture)[None]  # [1, H, W, 3]
    patches, grid = patchify(pixels, settings, picture_values(settings))
    return Media(patches, grid)


def open_picture(
    value: str | bytes | Path | np.ndarray | Image.Image, place: str, limits: Limits
) -> Image.Image:
    """Decode, turn upright (EXIF), lay transparency on white. Arrays are uint8 [H, W, 3]."""
    if isinstance(value, np.ndarray):
        return Image.fromarray(check_pixels(value, place, ndim=3))
    try:
        if isinstance(value, Image.Image):  # it may not be read from its file yet
            return to_rgb(value)
        with open_source(value, place, limits) as stream:
            return to_rgb(Image.open(stream))
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"{place}: not a picture that can be decoded") from None
    except _DAMAGED as error:
        raise InputError(f"{place}: cannot decode the picture: {error}") from None


def check_pixels(pixels: np.ndarray, place: str, ndim: int) -> np.ndarray:
    """Refuse anything but uint8 [..., H, W, 3] with at least one pixel."""
    if pixels.ndim != ndim or pixels.shape[-1] != 3 or not pixels.size:
        shape = "[T, H, W, 3]" if ndim == 4 else "[H, W, 3]"
        raise InputError(f"{place}: the array has shape {pixels.shape}, give {shape}")
    if pixels.dtype != np.uint8:
        raise InputError(f"{place}: the array is {pixels.dtype}, give uint8 in 0..255")
    return pixels


def to_rgb(picture: Image.Image) -> Image.Image:
    """Upright RGB; what is transparent becomes white. Of 16-bit grey the high byte is kept."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):  # Pillow's own conversion cuts off all above 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    page = Image.new("RGB", picture.size, "white")
    page.paste(picture, mask=picture.getchannel("A"))
    return page


def smart_resize(
    height: int, width: int, factor: int, min_pixels: int, max_pixels: float, place: str
) -> tuple[int, int]:
    """(height, width) in multiples of ``factor`` with an area between the bounds, aspect kept.

    Rounds half to even, as the released processor does.
    """
    if not height or not width:
        raise InputError(f"{place}: {width}x{height} pixels: it is empty")
    if max(height, width) > _MAX_ASPECT * min(height, width):
        raise InputError(
            f"{place}: {width}x{height} pixels: one side is over {_MAX_ASPECT} times the other"
        )
    rows, columns = round(height / factor), round(width / factor)
    if rows * columns * factor**2 > max_pixels:
        scale = math.sqrt(height * width / max_pixels)
        rows = max(1, math.floor(height / scale / factor))
        columns = max(1, math.floor(width / scale / factor))
    elif rows * columns * factor**2 < min_pixels:
        scale = math.sqrt(min_pixels / (height * width))
        rows = math.ceil(height * scale / factor)
        columns = math.ceil(width * scale / factor)
    return rows * factor, columns * factor


def picture_values(settings: VisionSettings) -> np.ndarray:
    """float32 [3, 256]: what each 8-bit value becomes, (v / 255 - mean) / std, per channel."""
    mean = np.float32(settings.image_mean)[:, None]
    std = np.float32(settings.image_std)[:, None]
    return (np.float32(np.arange(256) * (1 / 255)) - mean) / std


def patchify(
    pixels: np.ndarray,  # uint8 [T, H, W, 3]
    settings: VisionSettings,
    values: np.ndarray,  # float32 [3, 256]
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Rows of the encoder, float32 [t * h * w, 3 * 2 * 14 * 14], and the grid (t, h, w).

    Rows go by frame pair, then 2x2 blocks of patches, then inside a block; a row is (channel, frame
    of the pair, y, x). An odd last frame is shown twice.
    """
    pair, patch, merge = settings.temporal_patch_size, settings.patch_size, settings.merge_size
    if missing := -len(pixels) % pair:
        pixels = np.concatenate([pixels, np.repeat(pixels[-1:], missing, axis=0)])
    t, h, w = len(pixels) // pair, pixels.shape[1] // patch, pixels.shape[2] // patch
    blocks = pixels.reshape(t, pair, h // merge, merge, patch, w // merge, merge, patch, 3)
    rows = blocks.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(t * h * w, 3, -1)
    patches = np.empty(rows.shape, np.float32)
    for channel in range(3):
        patches[:, channel] = values[channel][rows[:, channel]]
    return patches.reshape(t * h * w, -1), (t, h, w)
