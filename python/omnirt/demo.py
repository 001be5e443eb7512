"""``omnirt demo``: the main job on files that ship with the package."""

import time
from importlib import resources
from pathlib import Path

from . import console
from .conversation import ask
from .runtime import OmniRuntime
from .types import SamplingParams
from .weights.random_checkpoint import write_random_checkpoint

TEXT_TOKENS = 80
CODES = 150  # 3 s of speech
UNTRAINED = (
    "This model is small, random and untrained: its text and its speech mean nothing.\n"
    "It shows that every part runs, and when. For answers: omnirt run --model Qwen/Qwen2.5-Omni-3B"
)


def demo(out: str, seed: int) -> None:
    """Hear a question, see a picture, see and hear a video; answer in text and speech."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model"
    if not model.exists():
        write_random_checkpoint(model, "tiny")
    console.write(UNTRAINED)
    assets = resources.files("omnirt") / "assets"
    question, picture, video = (
        str(assets / name) for name in ("question.wav", "picture.png", "video.mp4")
    )
    console.write(f"hears {question}\nsees  {picture}\nsees and hears {video}\n")
    started = time.monotonic()
    with OmniRuntime.from_pretrained(str(model)) as runtime:
        load = time.monotonic() - started
        stream = runtime.stream(
            ask(audio=[question], image=[picture], video=[video]),
            use_audio_in_video=True,
            seed=seed,
            thinker=SamplingParams(max_new_tokens=TEXT_TOKENS),
            talker=SamplingParams(max_new_tokens=CODES),
        )
        console.show(stream, str(folder / "reply.wav"), as_json=False, load=load)
