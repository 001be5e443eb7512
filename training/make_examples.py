"""The questions that ship with ``omnirt demo``: unheard voices, unseen sums, pictures and clips.

python -m training.make_examples FOLDER
"""

import argparse
import json
import wave
from collections.abc import Sequence
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
    """A kind of ``world.KINDS``; asked: which of its questions; spoken, or typed.

    seed: of one that the shipped model answers right; its scores are those of its card, not these.
    """

    name: str
    kind: str
    seed: int
    asked: tuple[str, ...] = ()
    spoken: bool = True


WANTED = (
    Wanted("sum", "sum", 0),
    Wanted("say", "say", 2),
    Wanted("picture", "picture", 16, world.WHAT),
    Wanted("clip-where", "clip", 7, world.WHERE),
    Wanted("clip-heard", "clip", 4, world.HEARD, spoken=False),
)


def make(folder: Path, wanted: Sequence[Wanted] = WANTED) -> None:
    """Writes the files of every example and examples.json, which lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = [_example(folder, one) for one in wanted]
    (folder / "examples.json").write_text(json.dumps(listed, indent=1) + "\n")


def _example(folder: Path, wanted: Wanted) -> dict[str, str]:
    rng = Random(f"demo {wanted.name} {wanted.seed}")
    talk, entry = _talk(wanted, rng), {"name": wanted.name}
    question = talk.turns[0].question
    if wanted.spoken:
        entry["audio"] = f"{wanted.name}.wav"
        (voice,) = question_voices(1, wanted.seed, HELD_OUT_VOICES, (140, 160))
        (speech,) = speak_all([(question, voice)], RATE, workers=1, seed=wanted.seed)
        _write_wav(folder / entry["audio"], speech.samples, rng)
    else:
        entry["text"] = question
    if talk.picture:
        entry["image"] = f"{wanted.name}.png"
        Image.fromarray(drawing.draw(talk.picture, rng)).save(folder / entry["image"])
    if talk.clip:
        entry["video"] = f"{wanted.name}.mp4"
        (folder / entry["video"]).write_bytes(drawing.film(talk.clip, rng))
    return entry | {"answer": talk.turns[-1].answer}


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
    make(parser.parse_args().folder)
