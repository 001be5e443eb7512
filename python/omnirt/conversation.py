"""Conversations that the command line makes from files."""

from collections.abc import Sequence

# The model speaks reliably only under this system message (Qwen2.5-Omni model card).
SPEECH_SYSTEM = (
    "You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving "
    "auditory and visual inputs, as well as generating text and speech."
)


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
        {"role": "system", "content": [{"type": "text", "text": SPEECH_SYSTEM}]},
        {"role": "user", "content": content},
    ]
