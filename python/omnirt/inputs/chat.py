"""Messages as the ecosystem writes them -> validated content, and the chat text of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from omnirt.errors import InputError

SPEECH_SYSTEM_PROMPT = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving"
    " auditory and visual inputs, as well as generating text and speech."
)
"""The system prompt that the released checkpoints were trained to speak with."""

ROLES = ("system", "user", "assistant")

# Of each content type: what it is, and the keys that may hold it.
_TYPES = {
    "text": ("text", ("text",)),
    "image": ("image", ("image", "image_url", "url", "path")),
    "image_url": ("image", ("image_url",)),
    "audio": ("audio", ("audio", "audio_url", "url", "path")),
    "audio_url": ("audio", ("audio_url",)),
    "input_audio": ("audio", ("input_audio",)),
    "video": ("video", ("video", "video_url", "url", "path")),
    "video_url": ("video", ("video_url",)),
}
_OPTIONS = {
    "text": (),
    "image": ("min_pixels", "max_pixels"),
    "audio": ("sampling_rate",),
    "video": (
        "fps",
        "min_pixels",
        "max_pixels",
        "video_start",
        "video_end",
        "use_audio_in_video",
    ),
}
_WHOLE = ("min_pixels", "max_pixels", "sampling_rate")
_MOST_PIXELS = 1e8  # a picture that min_pixels enlarges to this takes 2.7 GB as patches


@dataclass(frozen=True)
class Item:
    """One piece of content. kind: text, image, audio or video. place: where it stands, for errors.

    value: the text, or a path, URI, base64 string, bytes, array, picture or list of pictures.
    The rest is what the message said about it: pixels, frames a second, seconds, Hz.
    """

    kind: str
    value: Any
    place: str
    fps: float | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    video_start: float | None = None
    video_end: float | None = None
    use_audio_in_video: bool | None = None
    sampling_rate: int | None = None


@dataclass(frozen=True)
class Message:
    role: str
    items: tuple[Item, ...]


def parse(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Check a conversation; InputError names the place, the value and the fix."""
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise InputError(f"messages={messages!r:.80}: give a list of messages")
    if not messages:
        raise InputError("messages=[]: give at least one message")
    return [_message(message, f"messages[{i}]") for i, message in enumerate(messages)]


def media(messages: Sequence[Message]) -> Iterator[Item]:
    """Everything but the texts, in order of appearance."""
    return (item for message in messages for item in message.items if item.kind != "text")


def _message(message: Mapping[str, Any], place: str) -> Message:
    if not isinstance(message, Mapping):
        raise InputError(f"{place}={message!r:.80}: give a dict with role and content")
    _only(message, ("role", "content"), place)
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise InputError(f"{place}.role={role!r}: use one of {', '.join(ROLES)}")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, Sequence) or isinstance(content, bytes) or not content:
        raise InputError(f"{place}.content={content!r:.80}: give a text or a list with content")
    items = (_item(part, f"{place}.content[{i}]") for i, part in enumerate(content))
    return Message(role, tuple(items))


def _item(part: Mapping[str, Any], place: str) -> Item:
    if not isinstance(part, Mapping):
        raise InputError(f"{place}={part!r:.80}: give a dict with a type")
    name = part.get("type")
    if not isinstance(name, str) or name not in _TYPES:
        raise InputError(f"{place}.type={name!r:.80}: use one of {', '.join(_TYPES)}")
    kind, holders = _TYPES[name]
    _only(part, ("type", *holders, *_OPTIONS[kind]), place)
    named = [key for key in holders if part.get(key) is not None]
    if len(named) != 1:
        raise InputError(f"{place}: give exactly one of {', '.join(holders)}, not {named}")
    where = f"{place}.{named[0]}"
    value = _unwrap(part[named[0]], where)
    if isinstance(value, str) and not value:
        raise InputError(f"{where}='': it is empty, leave it out or fill it")
    if kind == "text":
        _check_text(value, where)
    options = {key: part[key] for key in _OPTIONS[kind] if part.get(key) is not None}
    _check_options(options, place)
    return Item(kind, value, where, **options)


def _check_text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise InputError(f"{where}={value!r:.80}: give a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: not valid Unicode: {error}") from None


def _unwrap(value: Any, where: str) -> Any:
    """The OpenAI forms: {"url": ..., "detail": ...} and {"data": base64, "format": ...}."""
    if not isinstance(value, Mapping):
        return value
    _only(value, ("url", "data", "format", "detail"), where)
    inner = value.get("url") or value.get("data")
    if not isinstance(inner, str):
        raise InputError(f"{where}: give a string under url or data, not {inner!r:.80}")
    return inner


def _check_options(options: dict[str, Any], place: str) -> None:
    for key, value in options.items():
        if key == "use_audio_in_video":
            if not isinstance(value, bool):
                raise InputError(f"{place}.{key}={value!r}: use True or False")
            continue
        kind, name = (int, "a whole number") if key in _WHOLE else (Real, "a number")
        least, most = 0 if key == "video_start" else 1e-3, _MOST_PIXELS if kind is int else 1e12
        if not isinstance(value, kind) or isinstance(value, bool) or not least <= value <= most:
            raise InputError(f"{place}.{key}={value!r:.80}: use {name} above 0, at most {most:g}")
    for low, high in (("min_pixels", "max_pixels"), ("video_start", "video_end")):
        if low in options and high in options and options[low] > options[high]:
            raise InputError(f"{place}.{low}={options[low]} is above {high}={options[high]}")


def _only(mapping: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    unknown = [key for key in mapping if key not in known]
    if unknown:
        raise InputError(f"{place}.{unknown[0]}: unknown key, the known ones: {', '.join(known)}")
