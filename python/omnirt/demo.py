"""``omnirt demo``: the small model of the package answers questions that ship with it, or yours."""

import json
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from . import console
from .conversation import ask, to_write_down
from .errors import InputError
from .reply import Reply
from .runtime import OmniRuntime
from .types import SamplingParams

MODEL, EXAMPLES = "model", "examples"
TEXT_TOKENS = 24
CODES = 400  # 8 s of speech; no answer takes half of it
_GREEDY = SamplingParams(temperature=0.0, max_new_tokens=TEXT_TOKENS)


@dataclass(frozen=True)
class Question:
    """One message of files or typed text. answer: what is right, of shipped examples."""

    name: str
    text: str | None = None
    audio: str | None = None
    image: str | None = None
    video: str | None = None
    answer: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """What it consists of, by kind."""
        parts = {kind: getattr(self, kind) for kind in ("image", "video", "audio", "text")}
        return {kind: value for kind, value in parts.items() if value is not None}

    @property
    def messages(self) -> list[dict]:
        """As ``OmniRuntime`` takes them."""
        return ask(**{kind: [value] for kind, value in self.given.items()})


def model_folder() -> Path:
    """Of the checkpoint that ships with the package."""
    return _assets() / MODEL


def examples() -> list[Question]:
    """What ships with the package, all held out of the model's training."""
    folder = _assets() / EXAMPLES
    listed = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
    media = ("audio", "image", "video")
    return [
        Question(**{k: str(folder / v) if k in media else v for k, v in entry.items()})
        for entry in listed
    ]


def demo(
    out: str, question: Question | None = None, voice: str | None = None, seed: int = 0
) -> None:
    """Answer a question, or every shipped one; speech goes into the folder ``out``."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"out={out!r}: {error.strerror}; name a folder that can be made"
        ) from error
    started = time.monotonic()
    with OmniRuntime.from_pretrained(str(model_folder())) as runtime:
        load = time.monotonic() - started
        for asked in [question] if question else examples():
            _show(runtime, asked, folder / f"{asked.name}.wav", voice, seed, load)


def answer(runtime: OmniRuntime, question: Question, voice: str | None, seed: int) -> Reply:
    """The whole reply, as the demo asks for it."""
    return runtime.generate(question.messages, **_options(voice, seed))


def heard(runtime: OmniRuntime, sound: str) -> str:
    """The words of a sound file, written down by the model itself."""
    messages = to_write_down({"type": "audio", "audio": sound})
    return runtime.generate(messages, audio=False, thinker=_GREEDY).text


def _assets() -> Path:
    return Path(str(resources.files("omnirt"))) / "assets"


def _options(voice: str | None, seed: int) -> dict:
    talker = SamplingParams(max_new_tokens=CODES)
    return dict(use_audio_in_video=True, voice=voice, seed=seed, thinker=_GREEDY, talker=talker)


def _show(
    runtime: OmniRuntime, asked: Question, out: Path, voice: str | None, seed: int, load: float
) -> None:
    for kind, value in asked.given.items():
        console.write(f"{kind}: {value}")
    if asked.audio:
        console.write(f"heard: {heard(runtime, asked.audio)}")
    console.write("answer: ", end="")
    stream = runtime.stream(asked.messages, **_options(voice, seed))
    console.show(stream, str(out), as_json=False, load=load)
    console.write("")
