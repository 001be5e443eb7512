"""Videos: the frames that are picked, their size, their time, and their sound."""

from io import BytesIO

import av
import numpy as np
import pytest
import torch
from reading import read_video, video_size

from omnirt.errors import InputError
from omnirt.inputs.config import Settings, VideoSettings
from omnirt.inputs.frames import frame_count
from omnirt.inputs.sources import Limits
from omnirt.inputs.video import VideoOptions, frame_size, load_video

SETTINGS = Settings()


def load(value, sound: bool = False, **options):
    return load_video(value, "video", SETTINGS, Limits(), VideoOptions(**options), sound)


def film(frames: int, rate: int = 10, size=(64, 96), format="mp4", codec="libx264", **options):
    """bytes of a video whose frame i is a grey of its own, of luma 30 + 2 * i."""
    buffer = BytesIO()
    with av.open(buffer, "w", format=format) as out:
        settings = {"threads": "1", "crf": "4", **options}
        stream = out.add_stream(codec, rate=rate, options=settings)
        stream.bit_rate = 4_000_000
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            luma = np.full((size[0] * 3 // 2, size[1]), 128, np.uint8)  # and two planes of chroma
            luma[: size[0]] = 30 + 2 * i
            out.mux(stream.encode(av.VideoFrame.from_ndarray(luma, format="yuv420p")))
        out.mux(stream.encode())
    return buffer.getvalue()


def greys(media) -> list[int]:
    """The mean grey of each frame, as film numbers them."""
    scale, shift = SETTINGS.vision.image_std[0], SETTINGS.vision.image_mean[0]
    t, h, w = media.grid
    red = media.patches.reshape(t, h * w, 3, 2, -1)[:, :, 0]
    grey = (red.mean(axis=(1, 3)) * scale + shift) * 255 + 0.5  # the conversion rounds down
    return [round((g * 219 / 255 + 16 - 30) / 2) for g in grey.reshape(-1)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fps": 1.0},
        {"fps": 5.3},
        {"fps": 100.0},
        {"start": 0.4},
        {"end": 1.9},
        {"start": 0.51, "end": 2.22},
        {"start": 2.6, "end": 9.0},
    ],
)
def test_equals_the_released_tools(options, assets, released):
    path = assets / "video.mp4"
    frames, rate = read_video(path, **options)
    want = released.video_processor(
        videos=[frames],
        size={"shortest_edge": 100352, "longest_edge": 602112},
        do_sample_frames=False,
        return_tensors="pt",
    )
    media, _ = load(str(path), **options)
    assert media.grid == tuple(want["video_grid_thw"][0].tolist())
    np.testing.assert_array_equal(media.patches, want["pixel_values_videos"])
    assert media.seconds_per_grid == pytest.approx(2 / rate, rel=1e-12)


def test_own_bounds_are_kept(assets, released):
    bounds = (4 * 784, 30 * 784)
    frames, _ = read_video(assets / "video.mp4", bounds=bounds)
    want = released.video_processor(
        videos=[frames],
        size={"shortest_edge": bounds[0], "longest_edge": bounds[1]},
        do_sample_frames=False,
        return_tensors="pt",
    )
    media, _ = load(assets / "video.mp4", min_pixels=bounds[0], max_pixels=bounds[1])
    np.testing.assert_array_equal(media.patches, want["pixel_values_videos"])


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (720, 1280), (90, 70), (28, 5000)])
@pytest.mark.parametrize("count", [2, 100, 300, 768])
def test_long_videos_have_small_frames(height, width, count, released):
    size = frame_size(height, width, count, "video", SETTINGS, VideoOptions())
    assert size == video_size(height, width, count)


@pytest.mark.parametrize(
    ("total", "rate", "fps", "count"),
    [
        (75, 25, 2.0, 6),
        (99, 30, 2.0, 6),
        (25, 25, 2.0, 4),
        (3, 25, 2.0, 2),
        (1, 25, 2.0, 2),
        (30000, 25, 2.0, 768),
        (10, 10, 50.0, 10),
    ],
)
def test_frame_count(total, rate, fps, count):
    assert frame_count(total, rate, fps, VideoSettings()) == count


@pytest.mark.parametrize(
    ("format", "codec", "options"),
    [
        ("mp4", "libx264", {"g": "12", "bf": "2"}),
        ("matroska", "libx264", {"g": "7"}),
        ("mpegts", "libx264", {"g": "12", "bf": "2"}),
        ("avi", "mpeg4", {}),
        ("webm", "libvpx-vp9", {}),
        ("h264", "libx264", {"bf": "0"}),
    ],
)
def test_the_right_frames_of_any_container(format, codec, options):
    media, _ = load(film(60, format=format, codec=codec, **options))
    want = torch.linspace(0, 59, 2 * media.grid[0]).round().tolist()
    assert greys(media) == want


@pytest.mark.parametrize("format", ["mp4", "matroska", "mpegts"])
def test_frames_far_apart_are_sought(format):
    data = film(100, rate=25, format=format, g="5", bf="2")
    media, _ = load(data, fps=1.0)
    assert greys(media) == torch.linspace(0, 99, 4).round().tolist()


def test_a_single_frame_is_shown_twice():
    media, _ = load(film(1))
    assert media.grid[0] == 1
    assert greys(media) == [0, 0]


def test_phone_videos_are_turned_upright():
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=4)
        stream.height, stream.width, stream.pix_fmt = 64, 128, "yuv420p"
        stream.set_display_rotation(90)
        dark_left = np.zeros((64, 128, 3), np.uint8)
        dark_left[:, 64:] = 200
        for _ in range(4):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(dark_left, format="rgb24")))
        out.mux(stream.encode())
    media, _ = load(buffer.getvalue())
    t, h, w = media.grid
    assert h > w
    pixels = media.patches.reshape(t, h // 2, w // 2, 4, 3, 2, 14, 14)
    assert pixels[:, 0].mean() > 1 > -1 > pixels[:, -1].mean()  # a quarter counterclockwise


def test_frames_as_arrays_pictures_and_files(released, tmp_path):
    from PIL import Image

    frames = np.random.default_rng(0).integers(0, 256, (3, 336, 308, 3), np.uint8)
    want = released.video_processor(
        videos=[torch.from_numpy(frames).permute(0, 3, 1, 2)],
        size={"shortest_edge": 100352, "longest_edge": 602112},
        do_sample_frames=False,
        return_tensors="pt",
    )
    pictures = [Image.fromarray(f) for f in frames]
    files = [str(tmp_path / f"{i}.png") for i in range(len(pictures))]
    for picture, file in zip(pictures, files, strict=True):
        picture.save(file)
    for value in (frames, list(frames), pictures, files):
        media, _ = load(value, fps=4.0)
        np.testing.assert_array_equal(media.patches, want["pixel_values_videos"])
        assert media.seconds_per_grid == 0.5


def test_sound_of_a_window(assets):
    whole, part = (load(assets / "video.mp4", True, **o)[1] for o in ({}, {"start": 1, "end": 2}))
    assert len(whole) / 16000 == pytest.approx(3.0, abs=0.1)
    np.testing.assert_array_equal(part, whole[16000:32000])


def test_empty_window_is_refused(assets):
    with pytest.raises(InputError, match=r"no frame lies between video_start=7.0 and"):
        load(assets / "video.mp4", start=7.0)
