"""Conversations that the command line makes from files."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path

from .errors import InputError
from .inputs.chat import SPEECH_SYSTEM_PROMPT

# What the released model is evaluated with on LibriSpeech.
RECOGNISER = "You are a speech recognition model."
WRITE_DOWN = "Transcribe the English audio into text without any punctuation marks."


def ask(
    text: Sequence[str] = (),
    image: Sequence[str] = (),
    audio: Sequence[str] = (),
    video: Sequence[str] = (),
) -> list[dict]:
    """One user message with files first and text last, under the system message for speech."""
    content = [
        {"type": kind, kind: item}
        for kind, items in (("image", image), ("audio", audio), ("video", video), ("text", text))
        for item in items
    ]
    return [
        {"role": "system", "content": SPEECH_SYSTEM_PROMPT},
        {"role": "user", "content": content},
    ]


def to_write_down(sound: dict) -> list[dict]:
    """Asks for the words of a sound, given as an item of a message's content."""
    content = [sound, {"type": "text", "text": WRITE_DOWN}]
    return [{"role": "system", "content": RECOGNISER}, {"role": "user", "content": content}]


def ask_all(folder: str | Path) -> dict[str, list[dict]]:
    """A conversation for each name in a folder of texts, pictures, sounds and videos, sorted.

    Files that differ by their endings only, such as cat.png and cat.txt, make one message; others
    than media and .txt are left out. Raises InputError if nothing is found.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(Path(folder).iterdir()) if Path(folder).is_dir() else ():
        kind = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
        if path.is_file() and kind in ("text", "image", "audio", "video"):
            value = path.read_text(encoding="utf-8") if kind == "text" else str(path)
            found.setdefault(path.stem, {}).setdefault(kind, []).append(value)
    if not found:
        raise InputError(
            f"folder={str(folder)!r}: holds no .txt, picture, sound or video; name one that does"
        )
    return {name: ask(**content) for name, content in found.items()}
