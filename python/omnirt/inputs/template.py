"""The checkpoint's chat template: Jinja, run in a sandbox."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from omnirt.errors import CheckpointError, InputError

from .chat import Message
from .files import read_object, read_text

# What expressions of a template raise beside jinja's own errors.
_MISTAKES = (ArithmeticError, LookupError, RecursionError, TypeError)


class ChatTemplate:
    """Renders a conversation to the text that the tokenizer reads."""

    def __init__(self, source: str, name: str) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise CheckpointError(f"{name}: not a valid chat template: {error}") from None
        self._name = name

    @classmethod
    def from_folder(cls, folder: Path) -> "ChatTemplate":
        """Of chat_template.jinja, chat_template.json, tokenizer_config.json the first with one."""
        path = folder / "chat_template.jinja"
        if path.exists():
            return cls(read_text(path), str(path))
        for name in ("chat_template.json", "tokenizer_config.json"):
            path = folder / name
            if not path.exists():
                continue
            source = read_object(path).get("chat_template")
            if isinstance(source, str):
                return cls(source, str(path))
        raise CheckpointError(f"{folder}: no chat template, chat_template.json is missing")

    def render(self, messages: Sequence[Message]) -> str:
        """Chat text with one placeholder a medium, open for the assistant's answer."""
        plain = [
            {
                "role": message.role,
                "content": [
                    {"type": "text", "text": item.value}
                    if item.kind == "text"
                    else {"type": item.kind}
                    for item in message.items
                ],
            }
            for message in messages
        ]
        try:
            return self._template.render(messages=plain, add_generation_prompt=True)
        except (jinja2.TemplateError, *_MISTAKES) as error:
            raise CheckpointError(f"{self._name}: the chat template failed: {error}") from None


def _refuse(message: str) -> NoReturn:
    raise InputError(f"messages: the chat template refuses them: {message}")
