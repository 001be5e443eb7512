"""What the Thinker hears and sees while it learns: spoken questions and clips, made once.

python -m training.recordings --out runs
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from random import Random

import numpy as np
from tqdm import tqdm

from . import drawing, world
from .stage import Arguments
from .voices import HELD_OUT_VOICES, QUESTION_VOICES, REPLY_VOICES, question_voices, speak_all

RATE = 16_000
FILE, ECHOES = "recordings.npz", "echoes.npz"
# Texts a kind of question that are spoken, and how often each; short questions are few and so
# need many voices.
_SPOKEN = {"sum": (4000, 2), "say": (12500, 1), "unknown": (400, 3)}
_PHRASE_VOICES, _FOLLOW_UP_VOICES = 60, 60
_REPLIES = 600  # answers in the model's own voices, to be written down
CLIPS = 4000


@dataclass(frozen=True)
class Recordings:
    """waves: int16 at RATE of each text, in several voices. clips: what is seen, and the MP4."""

    waves: dict[str, list[np.ndarray]]
    clips: list[tuple[world.Clip, bytes]]

    @classmethod
    def load(cls, folder: Path) -> "Recordings":
        """Those of a folder, and the echoes beside them if there are any (``training.echoes``)."""
        saved = np.load(folder / FILE)
        files = [saved]
        if (folder / ECHOES).exists():
            files.append(np.load(folder / ECHOES))
        waves: dict[str, list[np.ndarray]] = {}
        for file in files:
            for text, samples in zip(file["texts"].tolist(), _cut(file, "samples"), strict=True):
                waves.setdefault(text, []).append(samples)
        seen = (world.Clip(*names) for names in saved["seen"].tolist())
        return cls(waves, list(zip(seen, map(bytes, _cut(saved, "files")), strict=True)))


def texts(scale: float, seed: int, held_out: bool) -> Iterator[str]:
    """Every text to be spoken, as often as it is needed."""
    rng = Random(f"recordings {seed} {held_out}")
    for kind, (count, voices) in _SPOKEN.items():
        for _ in range(round(count * scale)):
            yield from [world.talk(kind, rng, held_out).turns[0].question] * voices
    for phrase in world.PHRASES:
        yield from [phrase] * math.ceil(_PHRASE_VOICES * scale)
    for form in world.FOLLOW_UPS:
        for sign in ("plus", "minus"):
            for number in world.NUMBERS[: world.MOST_ADDED + 1]:
                yield from [form.format(f"{sign} {number}")] * math.ceil(
                    _FOLLOW_UP_VOICES * scale / 2
                )


def record(folder: Path, scale: float, seed: int = 0, held_out: bool = False) -> None:
    """scale: share of the full number of recordings and clips."""
    folder.mkdir(parents=True, exist_ok=True)
    spoken = list(texts(scale, seed, held_out))
    pool = HELD_OUT_VOICES if held_out else QUESTION_VOICES
    lines = list(zip(spoken, question_voices(len(spoken), seed, pool), strict=True))
    replies = world.answers(max(40, round(_REPLIES * scale)), seed, held_out)
    lines += [(text, voice) for text in replies for voice in REPLY_VOICES.values()]
    said = [speech.samples for speech in speak_all(lines, RATE, seed=seed)]
    rng = Random(f"clips {seed} {held_out}")
    seen = [world.talk("clip", rng, held_out).clip for _ in range(math.ceil(CLIPS * scale))]
    files = [np.frombuffer(drawing.film(clip, rng), np.uint8) for clip in tqdm(seen, "clips")]
    scenes = {"seen": np.array([astuple(clip) for clip in seen]), **_joined("files", files)}
    save_waves(folder / FILE, [text for text, _ in lines], said, **scenes)


def save_waves(
    file: Path, texts: Sequence[str], waves: Sequence[np.ndarray], **more: np.ndarray
) -> None:
    """texts, and what is heard of each: float32 in [-1, 1] at RATE, kept as int16."""
    samples = [(wave * 32767).astype(np.int16) for wave in waves]
    np.savez(file, texts=np.array(texts), **_joined("samples", samples), **more)


def _joined(name: str, pieces: list[np.ndarray]) -> dict[str, np.ndarray]:
    ends = np.cumsum([len(piece) for piece in pieces])
    return {name: np.concatenate(pieces), f"{name}_ends": ends}


def _cut(saved: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    return np.split(saved[name], saved[f"{name}_ends"][:-1])


def main(arguments: Arguments) -> None:
    share = 0.05 if arguments.short else 1.0
    for folder, scale, held_out in (("train", share, False), ("held_out", 0.1 * share, True)):
        target = arguments.out / "recordings" / folder
        if not (target / FILE).exists():
            record(target, scale, held_out=held_out)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
