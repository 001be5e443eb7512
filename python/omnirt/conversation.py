"""Conversations that the command line makes from files."""

from collections.abc import Sequence

from .inputs.chat import SPEECH_SYSTEM_PROMPT


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
