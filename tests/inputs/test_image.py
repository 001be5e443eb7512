"""Pictures: equal to the released image processor, and what it does not do."""

import numpy as np
import pytest
from PIL import Image

from omnirt.errors import InputError
from omnirt.inputs.config import VisionSettings
from omnirt.inputs.image import load_image, smart_resize, to_rgb
from omnirt.inputs.sources import Limits

SETTINGS = VisionSettings()


def load(value, *bounds):
    return load_image(value, "picture", SETTINGS, Limits(), *bounds)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def check(media, want) -> None:
    assert media.grid == tuple(want["image_grid_thw"][0])
    np.testing.assert_array_equal(media.patches, want["pixel_values"])


@pytest.mark.parametrize(
    "size", [(28, 28), (8, 6), (9, 300), (20, 20), (42, 70), (57, 83), (240, 320), (600, 431)]
)
def test_equals_the_released_processor(size, released):
    pixels = picture(*size)
    want = released.image_processor(Image.fromarray(pixels), return_tensors="np")
    check(load(pixels), want)
    check(load(Image.fromarray(pixels)), want)


def test_real_photograph(shared_media, released):
    path = shared_media / "newspaper.jpeg"
    want = released.image_processor(Image.open(path).convert("RGB"), return_tensors="np")
    check(load(str(path)), want)
    check(load(path.read_bytes()), want)


def test_own_bounds(released):
    pixels = picture(300, 200)
    for low, high in ((3136, 20000), (200000, 400000)):
        want = released.image_processor(
            Image.fromarray(pixels), min_pixels=low, max_pixels=high, return_tensors="np"
        )
        check(load(pixels, low, high), want)
    assert load(pixels, None, 784).grid == (1, 2, 2)


@pytest.mark.parametrize("seed", range(40))
def test_smart_resize(seed, released):
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize as want

    rng = np.random.default_rng(seed)
    height, width = (int(n) for n in rng.integers(20, 3000, 2))
    bounds = sorted(int(n) for n in rng.integers(784, 2000000, 2))
    assert smart_resize(height, width, 28, *bounds, "p") == want(height, width, 28, *bounds)


def test_transparency_lies_on_white():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert to_rgb(clear).getpixel((0, 0)) == (255, 255, 255)
    half = Image.new("LA", (4, 4), (0, 128))
    assert to_rgb(half).getpixel((0, 0)) == (127, 127, 127)
    palette = Image.new("P", (4, 4))
    palette.info["transparency"] = 0
    assert to_rgb(palette).getpixel((0, 0)) == (255, 255, 255)


def test_16_bit_grey_keeps_its_shades(tmp_path):
    grey = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    with Image.open(tmp_path / "grey.png") as deep:
        pixels = np.asarray(to_rgb(deep))
    np.testing.assert_array_equal(pixels, np.repeat(grey[..., None] >> 8, 3, axis=2))


def test_the_bounds_of_a_picture_win_over_the_checkpoint():
    settings, pixels = VisionSettings(min_pixels=8 * 784, max_pixels=16 * 784), picture(112, 140)

    def area(*bounds: int | None) -> int:
        return len(load_image(pixels, "picture", settings, Limits(), *bounds).patches) // 4 * 784

    assert area(None, None) <= 16 * 784
    assert area(48 * 784, None) >= 48 * 784
    assert area(None, 2 * 784) <= 2 * 784


def test_photographs_are_turned_upright(tmp_path):
    pixels = picture(60, 90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by a quarter clockwise
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    turned = load(np.ascontiguousarray(np.rot90(pixels, -1)))
    np.testing.assert_array_equal(load(str(tmp_path / "photo.png")).patches, turned.patches)


def test_too_long_is_refused():
    with pytest.raises(InputError, match="one side is over 200 times the other"):
        load(picture(2, 402))
