"""What streaming and quantization cost the small trained model: right answers and word errors.

    PYTHONPATH=python:. python bench/trained.py --runs RUNS --out bench/results/trained.json

RUNS: folder of ``python -m training``, for its recogniser and held-out recordings. Speech is of
the same codes for every schedule; of a setting's own codes for every quantization.
"""

import argparse
import itertools
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np
import torch
from tqdm import tqdm

import machine
from omnirt.demo import model_folder
from omnirt.evaluation.measures import log_mel_distance, word_error_rate
from omnirt.types import PRESETS, WaveSchedule
from speech_distance import GUIDANCE, LOOKAHEADS, POINTS, SOLVERS, offline
from training.config import VOICES
from training.examples import CLIP, FOLLOW_UP, PICTURE, SPOKEN, TYPED, Examples
from training.recogniser import Recogniser
from training.recordings import Recordings
from training.score import Pupil, Reply

GROUPS = (TYPED, SPOKEN, FOLLOW_UP, PICTURE, CLIP)
TOGETHER = {"thinker": "int4-32", "talker": "int8", "encoders": "int8", "token2wav": "int8"}
SETTINGS: dict[str, dict[str, str]] = {
    "as stored (bfloat16)": {},
    "thinker int8": {"thinker": "int8"},
    "thinker int4-32": {"thinker": "int4-32"},
    "thinker int4-32-zero": {"thinker": "int4-32-zero"},
    "encoders int8": {"encoders": "int8"},
    "encoders int4-32": {"encoders": "int4-32"},
    "talker int8": {"talker": "int8"},
    "talker int4-32": {"talker": "int4-32"},
    "token2wav bfloat16": {"token2wav": "bfloat16"},
    "token2wav int8": {"token2wav": "int8"},
    "kv_cache int8": {"kv_cache": "int8"},
    "all int8": {part: "int8" for part in TOGETHER},
    "thinker int4-32, rest int8": TOGETHER,
    "thinker, talker int4-32, rest int8": TOGETHER | {"talker": "int4-32"},
}


def say_all(pupil: Pupil, examples: Examples, count: int) -> list[tuple[str, Reply]]:
    """Voice and reply to the same typed questions for every setting."""
    rng, said = Random("trained"), []
    for i in range(count):
        voice = VOICES[i % len(VOICES)]
        said.append((voice, pupil.speak(examples.make(TYPED, rng).prompt, voice, i)))
    return said


def by_schedule(pupil: Pupil, said: list[tuple[str, Reply]], recogniser: Recogniser) -> list[dict]:
    """Word error rate of the same codes by every schedule, and the distance to one window."""
    rows = []
    sound = {f"`{name}`": schedule for name, schedule in PRESETS.items()}
    for solver, guidance in itertools.product(SOLVERS, GUIDANCE):
        sound[f"{solver}, guidance {guidance}, one window"] = offline(solver, guidance)
        for lookahead in LOOKAHEADS:
            sound[f"{solver}, guidance {guidance}, lookahead {lookahead}"] = WaveSchedule(
                lookahead=lookahead, solver=solver, points=POINTS, guidance=guidance
            )
    whole: list[np.ndarray] = []
    for name, schedule in tqdm(sound.items(), "schedules"):
        waves = [
            pupil.sound(reply.codes, voice, i, schedule) for i, (voice, reply) in enumerate(said)
        ]
        row = {"schedule": name, "word error rate": _errors(said, waves, recogniser)}
        if name.endswith("one window"):
            whole = waves
        if whole:
            pairs = zip(waves, whole, strict=True)
            row["log-mel"] = float(np.mean([log_mel_distance(a, b) for a, b in pairs]))
        rows.append(row)
    return rows


def _errors(
    said: Iterable[tuple[str, Reply]], waves: Iterable[np.ndarray], recogniser: Recogniser
) -> float:
    pairs = zip(said, waves, strict=True)
    return word_error_rate((reply.text, recogniser.hear(wave)) for (_, reply), wave in pairs)


def by_setting(
    name: str, recordings: Recordings, recogniser: Recogniser, questions: int, count: int
) -> dict:
    """Right answers of each group, word errors of speech against what should have been said."""
    pupil = Pupil(model_folder(), SETTINGS[name])
    examples = Examples(pupil.processor, recordings, held_out=True)
    right = {}
    for group in GROUPS:
        rng = Random(f"trained {group}")
        made = [examples.make(group, rng) for _ in range(questions)]
        right[group] = float(np.mean([pupil.write(e.prompt) == e.answer for e in made]))
    said = say_all(pupil, examples, count)
    return {
        "setting": name,
        "right": right,
        "all right": float(np.mean(list(right.values()))),
        "word error rate": _errors(said, [reply.wave for _, reply in said], recogniser),
        "ended": float(np.mean([reply.ended for _, reply in said])),
    }


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=100, help="of each group, a setting")
    parser.add_argument("--replies", type=int, default=60, help="a setting")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    recordings = Recordings.load(args.runs / "recordings" / "held_out")
    recogniser = Recogniser.load(args.runs / "recogniser")
    pupil = Pupil(model_folder())
    examples = Examples(pupil.processor, recordings, held_out=True)
    schedules = by_schedule(pupil, say_all(pupil, examples, args.replies), recogniser)
    settings = [
        by_setting(name, recordings, recogniser, args.questions, args.replies)
        for name in tqdm(SETTINGS, "settings")
    ]
    machine.publish(
        {
            "questions": args.questions,
            "replies": args.replies,
            "schedules": schedules,
            "settings": settings,
        },
        args.out,
    )


if __name__ == "__main__":
    main()
