"""What a message may look like, and what is said about one that does not."""

import numpy as np
import pytest
from PIL import Image

from omnirt.errors import CheckpointError, InputError
from omnirt.inputs.chat import media, parse
from omnirt.inputs.template import ChatTemplate

URL = "https://example.org/a.bin"


def only(part: dict):
    (message,) = parse([{"role": "user", "content": [part]}])
    (item,) = message.items
    return item


@pytest.mark.parametrize(
    ("part", "kind", "value"),
    [
        ({"type": "text", "text": "a"}, "text", "a"),
        ({"type": "image", "image": "a.png"}, "image", "a.png"),
        ({"type": "image", "image_url": URL}, "image", URL),
        ({"type": "image", "url": URL}, "image", URL),
        ({"type": "image_url", "image_url": {"url": URL, "detail": "low"}}, "image", URL),
        ({"type": "image_url", "image_url": URL}, "image", URL),
        ({"type": "audio", "path": "a.wav"}, "audio", "a.wav"),
        ({"type": "audio_url", "audio_url": {"url": URL}}, "audio", URL),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            "audio",
            "UklG",
        ),
        ({"type": "video", "video": b"bytes"}, "video", b"bytes"),
        ({"type": "video_url", "video_url": URL}, "video", URL),
    ],
)
def test_content_as_the_ecosystem_writes_it(part, kind, value):
    item = only(part)
    assert (item.kind, item.value) == (kind, value)


def test_options_of_an_item():
    options = {"fps": 1.5, "min_pixels": 784, "max_pixels": 7840}
    window = {"video_start": 0, "video_end": 2.5, "use_audio_in_video": False}
    item = only({"type": "video", "video": "v.mp4", **options, **window})
    assert {name: getattr(item, name) for name in options | window} == options | window


def test_order_and_places():
    picture = Image.new("RGB", (8, 8))
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "image", "image": picture}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]},
        {"role": "user", "content": [{"type": "audio", "audio": np.zeros(9)}]},
    ]
    found = [(item.kind, item.place) for item in media(parse(messages))]
    assert found == [
        ("image", "messages[1].content[0].image"),
        ("audio", "messages[3].content[0].audio"),
    ]


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], r"messages=\[\]: give at least one message"),
        ("hi", "messages='hi': give a list"),
        (["hi"], r"messages\[0\]='hi': give a dict"),
        ([{"role": "robot", "content": "a"}], r"messages\[0\].role='robot': use one of system"),
        ([{"content": "a"}], r"messages\[0\].role=None"),
        ([{"role": "user", "content": "a", "nmae": "x"}], r"messages\[0\].nmae: unknown key"),
        ([{"role": "user"}], r"messages\[0\].content=None: give a text"),
        ([{"role": "user", "content": []}], r"messages\[0\].content=\[\]: give a text"),
        ([{"role": "user", "content": ""}], r"content\[0\].text='': it is empty"),
        ([{"role": "user", "content": ["a"]}], r"messages\[0\].content\[0\]='a': give a dict"),
        ([{"role": "user", "content": "\ud800"}], "not valid Unicode"),
    ],
)
def test_bad_messages_are_named(messages, error):
    with pytest.raises(InputError, match=error):
        parse(messages)


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (
            {"type": "smell", "smell": "rose"},
            r"messages\[0\].content\[0\].type='smell': use one of",
        ),
        ({"image": "a.png"}, r"content\[0\].type=None"),
        ({"type": ["image"], "image": "a.png"}, r"content\[0\].type=\['image'\]: use one of"),
        ({"type": "image", "image": "a", "min_pixels": 10**11}, "above 0, at most 1e\\+08"),
        ({"type": "text", "text": ""}, r"content\[0\].text='': it is empty"),
        ({"type": "text", "text": 7}, r"content\[0\].text=7: give a string"),
        ({"type": "image"}, "give exactly one of image, image_url"),
        ({"type": "image", "image": "a", "image_url": "b"}, "give exactly one of"),
        ({"type": "image", "image": "a", "fps": 2}, r"content\[0\].fps: unknown key"),
        ({"type": "image", "image": "a", "max_pixels": 1.5}, r"max_pixels=1.5: use a whole number"),
        (
            {"type": "image", "image": "a", "min_pixels": 9, "max_pixels": 8},
            "=9 is above max_pixels",
        ),
        ({"type": "image_url", "image_url": {"uri": URL}}, r"image_url.uri: unknown key"),
        ({"type": "image_url", "image_url": {"url": None}}, "give a string under url or data"),
        ({"type": "video", "video": "a", "fps": 0}, r"fps=0: use a number above 0"),
        ({"type": "video", "video": "a", "fps": float("nan")}, r"fps=nan: use a number above 0"),
        ({"type": "video", "video": "a", "video_end": "2"}, r"video_end='2': use a number"),
        (
            {"type": "video", "video": "a", "video_start": 3, "video_end": 2},
            "=3 is above video_end",
        ),
        ({"type": "video", "video": "a", "use_audio_in_video": 1}, "=1: use True or False"),
        ({"type": "audio", "audio": "a", "sampling_rate": "16k"}, "sampling_rate='16k'"),
    ],
)
def test_bad_content_is_named(part, error):
    with pytest.raises(InputError, match=error):
        only(part)


def test_templates(tmp_path):
    messages = parse([{"role": "user", "content": "hi"}])
    with pytest.raises(CheckpointError, match="no chat template"):
        ChatTemplate.from_folder(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages[0].role }}"}')
    assert ChatTemplate.from_folder(tmp_path).render(messages) == "user"
    (tmp_path / "chat_template.jinja").write_text("{{ messages|length }}")
    assert ChatTemplate.from_folder(tmp_path).render(messages) == "1"


def test_bad_templates_are_named():
    messages = parse([{"role": "user", "content": "hi"}])
    with pytest.raises(CheckpointError, match="not a valid chat template"):
        ChatTemplate("{% if %}", "x")
    with pytest.raises(CheckpointError, match="failed"):
        ChatTemplate("{{ messages.append(1) }}{{ nothing.at.all }}", "x").render(messages)
    with pytest.raises(CheckpointError, match="failed"):
        ChatTemplate("{{ messages + 1 }}", "x").render(messages)
    with pytest.raises(InputError, match="no robots"):
        ChatTemplate("{{ raise_exception('no robots') }}", "x").render(messages)
