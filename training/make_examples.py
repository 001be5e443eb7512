"""The questions that ship with ``omnirt demo``: unheard voices, unseen sums, pictures and clips.

python -m training.make_examples FOLDER
"""

import argparse
import json
import wave
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from . import drawing, world
from .examples import in_room
from .recordings import RATE
from .voices import HELD_OUT_VOICES, question_voices, speak_all


@dataclass(frozen=True)
class Wanted:
    """A kind of ``world.KINDS``; asked: which of its questions; spoken, or typed."""

    name: str
    kind: str
    asked: tuple[str, ...] = ()
    spoken: bool = True


WANTED = (
    Wanted("sum", "sum"),
    Wanted("say", "say"),
    Wanted("picture", "picture", world.WHAT),
    Wanted("clip-where", "clip", world.WHERE),
    Wanted("clip-heard", "clip", world.HEARD, spoken=False),
)


def make(folder: Path, seed: int = 0) -> None:
    """Writes the files of every example and examples.json, which lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random(f"demo {seed}")
    talks = [_talk(wanted, rng) for wanted in WANTED]
    voices = question_voices(len(talks), seed, HELD_OUT_VOICES, (140, 160))
    questions = [talk.turns[0].question for talk in talks]
    spoken = speak_all(list(zip(questions, voices, strict=True)), RATE, workers=1, seed=seed)
    listed = []
    for wanted, talk, speech in zip(WANTED, talks, spoken, strict=True):
        entry = {"name": wanted.name}
        if wanted.spoken:
            entry["audio"] = f"{wanted.name}.wav"
            _write_wav(folder / entry["audio"], speech.samples, rng)
        else:
            entry["text"] = talk.turns[0].question
        if talk.picture:
            entry["image"] = f"{wanted.name}.png"
            Image.fromarray(drawing.draw(talk.picture, rng)).save(folder / entry["image"])
        if talk.clip:
            entry["video"] = f"{wanted.name}.mp4"
            (folder / entry["video"]).write_bytes(drawing.film(talk.clip, rng))
        listed.append(entry | {"answer": talk.turns[-1].answer})
    (folder / "examples.json").write_text(json.dumps(listed, indent=1) + "\n")


def _talk(wanted: Wanted, rng: Random) -> world.Talk:
    while True:
        talk = world.talk(wanted.kind, rng, held_out=True)
        if not wanted.asked or talk.turns[0].question in wanted.asked:
            return talk


def _write_wav(path: Path, samples: np.ndarray, rng: Random) -> None:
    """As the training's recordings are: with a moment of silence before and after."""
    quiet = in_room((samples * 32767).astype(np.int16), rng)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(quiet.astype("<i2").tobytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    make(given.folder, given.seed)
