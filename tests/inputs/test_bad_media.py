"""Media that cannot be used: each gets an InputError that names the place and the cause."""

import json
import re
import shutil
from io import BytesIO

import av
import numpy as np
import pytest
from PIL import Image

from omnirt.errors import CheckpointError, InputError
from omnirt.inputs import Processor, build_prompt


def silent_video(path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=4)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(8):
            out.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        out.mux(stream.encode())


@pytest.fixture(scope="module")
def files(tmp_path_factory, assets):
    path = tmp_path_factory.mktemp("bad")
    for name in ("text.wav", "text.png", "text.mp4"):
        (path / name).write_text("this is plain text, not media\n" * 20)
    for name in ("empty.wav", "empty.png", "empty.mp4"):
        (path / name).touch()
    for name in ("question.wav", "picture.png", "video.mp4"):
        data = (assets / name).read_bytes()
        (path / f"half-{name}").write_bytes(data[: len(data) // 2])
    unknown = bytearray((assets / "question.wav").read_bytes())
    unknown[20:22] = b"\x34\x12"  # the code of the codec
    (path / "unknown.wav").write_bytes(unknown)
    (path / "header.wav").write_bytes((assets / "question.wav").read_bytes()[:44])
    shutil.copy(assets / "picture.png", path / "picture.png")
    silent_video(path / "silent.mp4")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (9, 9)).save(path / "exif.webp", exif=exif)
    data = (path / "exif.webp").read_bytes()
    (path / "exif.webp").write_bytes(data.replace(b"MM\0*", b"MM\0?"))
    return path


def array(shape, dtype=np.float32, value=0):
    return np.full(shape, value, dtype)


CASES = [
    ("audio", "missing.wav", "no such file"),
    ("audio", "empty.wav", "is empty"),
    ("audio", "text.wav", "cannot decode the sound"),
    ("audio", "unknown.wav", "cannot decode the sound: its codec is unknown"),
    ("audio", "header.wav", "the sound is empty|cannot decode the sound"),
    ("audio", "picture.png", "there is no sound in it"),
    ("audio", "silent.mp4", "there is no sound in it"),
    ("audio", array(0), r"the array is empty \(0 samples\)"),
    ("audio", array(320), "0.0200 s of sound, give more than 0.02 s"),
    ("audio", array(1600, value=np.nan), "NaN or infinite"),
    ("audio", array(1600, value=np.inf), "NaN or infinite"),
    ("audio", array((2, 1600)), r"shape \(2, 1600\), give one channel"),
    ("audio", array(1600, np.int64), "the array is int64, give floats or int16"),
    ("audio", array(1600, value=1e30), "some above 1e.06; give values in -1..1"),
    ("audio", array(()), "give one channel"),
    ("image", "missing.png", "no such file"),
    ("image", "exif.webp", "cannot decode the picture"),
    ("image", b"P6\n5x 5\n255\n" + bytes(75), "cannot decode the picture"),
    ("image", Image.new("RGB", (0, 0)), "0x0 pixels: it is empty"),
    ("image", "empty.png", "is empty"),
    ("image", "text.png", "not a picture"),
    ("image", "half-picture.png", "cannot decode the picture"),
    ("image", array((9, 9), np.uint8), r"shape \(9, 9\), give \[H, W, 3\]"),
    ("image", array((0, 9, 3), np.uint8), r"shape \(0, 9, 3\)"),
    ("image", array((9, 9, 3)), "the array is float32, give uint8"),
    ("video", "missing.mp4", "no such file"),
    ("video", "empty.mp4", "is empty"),
    ("video", "text.mp4", "cannot decode the video"),
    ("video", "half-video.mp4", "cannot decode the video|no frame of the video"),
    ("video", "half-question.wav", "there is no picture in it"),
    ("video", array((0, 9, 9, 3), np.uint8), r"the video is empty \(0 frames\)"),
    ("video", array((4, 9, 9), np.uint8), r"give \[T, H, W, 3\]"),
    (
        "video",
        [array((9, 9, 3), np.uint8), array((9, 8, 3), np.uint8)],
        "the frames differ in size",
    ),
    ("video", array((), np.uint8), r"give \[T, H, W, 3\]"),
    ("video", [None], "is of type NoneType"),
    ("video", [], r"the video is empty \(0 frames\)"),
]


@pytest.mark.parametrize(("kind", "value", "error"), CASES)
def test_unusable_media_are_named(kind, value, error, files, processor):
    value = str(files / value) if isinstance(value, str) else value
    messages = [{"role": "user", "content": [{"type": kind, kind: value}]}]
    with pytest.raises(InputError, match=error) as raised:
        build_prompt(messages, processor)
    assert re.match(rf"messages\[0\]\.content\[0\]\.{kind}(\[0\])?: ", str(raised.value))


def test_a_picture_that_is_not_read_yet(files, processor):
    with Image.open(files / "half-picture.png") as picture:
        messages = [{"role": "user", "content": [{"type": "image", "image": picture}]}]
        with pytest.raises(InputError, match="cannot decode the picture"):
            build_prompt(messages, processor)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("silent.mp4", "no sound in it; .* set use_audio_in_video"),
        (array((4, 56, 56, 3), np.uint8), "have no sound"),
    ],
)
def test_video_without_sound_where_it_is_asked_for(value, error, files, processor):
    value = str(files / value) if isinstance(value, str) else value
    messages = [{"role": "user", "content": [{"type": "video", "video": value}]}]
    with pytest.raises(InputError, match=error):
        build_prompt(messages, processor, use_audio_in_video=True)
    assert build_prompt(messages, processor).video_has_audio == [False]


def test_a_video_that_breaks_off_is_shown_as_far_as_it_goes(processor, assets):
    """A stream needs no index at its end: what is there is used."""
    buffer = BytesIO()
    with av.open(str(assets / "video.mp4")) as source, av.open(buffer, "w", format="mpegts") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    data = buffer.getvalue()
    part = {"type": "video", "video": data[: len(data) * 2 // 3]}
    prompt = build_prompt([{"role": "user", "content": [part]}], processor)
    assert prompt.videos[0].grid[0] >= 2


def test_bomb_is_refused(processor, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    buffer = BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "png")
    messages = [{"role": "user", "content": [{"type": "image", "image": buffer.getvalue()}]}]
    with pytest.raises(InputError, match="cannot decode the picture"):
        build_prompt(messages, processor)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "preprocessor_config.json: not found"),
        ("{", "not valid JSON"),
        ("[]", "holds no JSON object"),
        ('{"hop_length": 0}', "hop_length=0: use positive numbers"),
        ('{"image_std": [0.1, "x", 0.2]}', "image_std="),
    ],
)
def test_bad_settings_are_named(content, error, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / "preprocessor_config.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(CheckpointError, match=error):
        Processor.from_folder(tmp_path / "copy")


@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.json"])
@pytest.mark.parametrize(
    ("content", "error"),
    [(b"{", "not valid JSON"), (b"[]", "no JSON object"), (b"\xff", "not readable")],
)
def test_damaged_files_are_named(name, content, error, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name}: (holds )?{error}"):
        Processor.from_folder(tmp_path / "copy")


def test_template_that_drops_a_medium_is_named(folder, tmp_path, assets):
    shutil.copytree(folder, tmp_path / "copy")
    template = json.dumps({"chat_template": "{{ messages[0].role }}"})
    (tmp_path / "copy" / "chat_template.json").write_text(template)
    part = {"type": "image", "image": str(assets / "picture.png")}
    with pytest.raises(CheckpointError, match="wrote 0 placeholders"):
        build_prompt(
            [{"role": "user", "content": [part]}], Processor.from_folder(tmp_path / "copy")
        )
