"""A conversation to what the models take: ids with every placeholder expanded, mel, patches."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from omnirt.errors import CheckpointError
from omnirt.types import PromptInputs

from .chat import Message, parse
from .config import Settings
from .content import ContentLoader
from .sources import Limits
from .template import ChatTemplate
from .tokenizer import TextTokenizer

_SURROGATES = 0xD800  # the first of 2048 code points that are not characters


@dataclass(frozen=True)
class Processor:
    """What a checkpoint says about its inputs."""

    tokenizer: TextTokenizer
    template: ChatTemplate
    settings: Settings
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def from_folder(cls, folder: str | Path, limits: Limits | None = None) -> "Processor":
        """Read the tokenizer, chat template and preprocessor files of a checkpoint folder."""
        path = Path(folder)
        return cls(
            TextTokenizer.from_folder(path),
            ChatTemplate.from_folder(path),
            Settings.from_folder(path),
            limits or Limits(),
        )


def build_prompt(
    messages: Sequence[Mapping[str, Any]], processor: Processor, use_audio_in_video: bool = False
) -> PromptInputs:
    """Validate, decode and expand a conversation, open for the assistant's answer.

    use_audio_in_video: weave the sound of videos into their frames; a video item's own flag of that
    name wins. Names of special tokens inside a text are read as plain text: only the template
    writes control tokens. Raises InputError for what the user can mend.
    """
    conversation = parse(messages)
    ids = encode_chat(conversation, processor)
    loader = ContentLoader(processor.tokenizer, processor.settings, processor.limits)
    content = loader.load(conversation, use_audio_in_video)
    return PromptInputs(
        input_ids=np.asarray(_expand(ids, content.bodies), np.int64),
        mel=content.mel,
        images=content.images,
        videos=content.videos,
        video_has_audio=content.video_has_audio,
    )


def encode_chat(conversation: Sequence[Message], processor: Processor) -> list[int]:
    """Ids of the chat text, one placeholder a medium.

    While the template is rendered, the characters that a control token's name may begin with are
    hidden in the texts, behind surrogates that no valid text holds: what looks like a control token
    afterwards is one, whatever was typed.
    """
    control = processor.tokenizer.control
    hide = {ord(c): _SURROGATES + i for i, c in enumerate(sorted({name[0] for name in control}))}
    show = {hidden: shown for shown, hidden in hide.items()}
    rendered = processor.template.render([_translate(m, hide) for m in conversation])
    ids: list[int] = []
    for part in re.split(f"({'|'.join(map(re.escape, control))})", rendered):
        if part in control:
            ids.append(control[part])
        else:
            ids += processor.tokenizer.encode(part.translate(show))
    return ids


def _translate(message: Message, table: Mapping[int, int]) -> Message:
    items = (
        replace(item, value=item.value.translate(table)) if item.kind == "text" else item
        for item in message.items
    )
    return replace(message, items=tuple(items))


def _expand(ids: Sequence[int], bodies: Mapping[int, list[list[int]]]) -> list[int]:
    for placeholder, replacements in bodies.items():
        if ids.count(placeholder) != len(replacements):
            raise CheckpointError(
                f"the chat template wrote {ids.count(placeholder)} placeholders of id {placeholder}"
                f" for {len(replacements)} media"
            )
    queues = {placeholder: iter(replacements) for placeholder, replacements in bodies.items()}
    return [j for i in ids for j in (next(queues[i]) if i in queues else (i,))]
