"""How far streamed speech is from speech solved at once, and int8 or bfloat16 from float32.

python bench/speech_distance.py --out bench/results/speech_distance.json
"""

import argparse
import itertools
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import machine
from omnirt import OmniRuntime
from omnirt.conversation import ask
from omnirt.demo import model_folder
from omnirt.evaluation.measures import log_mel_distance
from omnirt.token2wav.model import Token2Wav
from omnirt.types import WINDOW_BLOCKS, WaveSchedule
from omnirt.weights.checkpoint import Checkpoint
from omnirt.weights.random_checkpoint import write_random_checkpoint

SHIPPED = "shipped"
RANDOM = {"random": ("tiny", 1), "random, odd sizes": ("odd", 0)}
QUESTION = "please say red green blue yellow"  # what the shipped model answers, about 3 s
LOOKAHEADS = (0, 1, 2, 3, 9)
SOLVERS = ("euler", "rk4")
GUIDANCE = (0.5, 0.0)
PRECISIONS = ("float32", "bfloat16", "int8")
POINTS = 10
CODES = 150  # 3 s of speech, 13 blocks
MOST_SNR = 150.0  # dB, of equal waveforms: about what float32 can tell


@dataclass(frozen=True)
class Speaking:
    """A model and the codes that it is given."""

    model: Token2Wav
    codes: list[int]

    def __call__(self, schedule: WaveSchedule) -> np.ndarray:
        voice = next(iter(self.model.speakers))
        pieces = self.model.synthesize(self.codes, voice, schedule)
        return np.concatenate([piece for piece in pieces if piece is not None])


def random_codes(model: Token2Wav) -> list[int]:
    return np.random.default_rng(0).integers(0, model.config.dit.num_codes, CODES).tolist()


def own_codes(folder: Path) -> list[int]:
    """Those of a reply."""
    with OmniRuntime.from_pretrained(str(folder)) as runtime:
        return runtime.generate(ask(text=[QUESTION]), seed=0).codec_ids


def distance(wave: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """log-mel: root mean square, dB. snr: dB. samples: the largest difference over the peak."""
    error = wave - target
    noise = float(np.square(error, dtype=np.float64).sum())
    power = float(np.square(target, dtype=np.float64).sum())
    return {
        "log-mel": log_mel_distance(wave, target),
        "snr": 10 * math.log10(power / noise) if noise else MOST_SNR,
        "samples": float(np.abs(error).max() / np.abs(target).max()),
    }


def offline(solver: str, guidance: float) -> WaveSchedule:
    """One window over everything."""
    size = WINDOW_BLOCKS
    return WaveSchedule(
        first=size, chunk=size, lookahead=0, solver=solver, points=POINTS, guidance=guidance
    )


def by_lookahead(speech: Speaking, bar: tqdm) -> list[dict]:
    rows = []
    for solver, guidance in itertools.product(SOLVERS, GUIDANCE):
        target = speech(offline(solver, guidance))
        for lookahead in LOOKAHEADS:
            schedule = WaveSchedule(
                lookahead=lookahead, solver=solver, points=POINTS, guidance=guidance
            )
            found = distance(speech(schedule), target)
            rows.append({"solver": solver, "guidance": guidance, "lookahead": lookahead} | found)
            bar.update()
    return rows


def by_precision(models: dict[str, Speaking], bar: tqdm) -> list[dict]:
    """Every precision against float32 at the same schedule: what the arithmetic alone costs."""
    rows = []
    for solver, guidance in itertools.product(SOLVERS, GUIDANCE):
        schedule = offline(solver, guidance)
        target = models["float32"](schedule)
        for precision in PRECISIONS[1:]:
            found = distance(models[precision](schedule), target)
            rows.append({"solver": solver, "guidance": guidance, "precision": precision} | found)
            bar.update()
    return rows


def open_model(folder: Path, precision: str) -> Token2Wav:
    checkpoint = Checkpoint.open(folder)
    weights = checkpoint.weights("token2wav", torch.float32)
    config = checkpoint.config.token2wav
    return Token2Wav(config, weights, checkpoint.speakers, precision=precision)


def compared(folder: Path, codes: list[int] | None, bar: tqdm) -> dict[str, list[dict]]:
    """codes: what to speak; random ones if there are none."""
    models = {p: open_model(folder, p) for p in PRECISIONS}
    codes = codes or random_codes(models["float32"])
    speaking = {p: Speaking(model, codes) for p, model in models.items()}
    return {
        "lookahead": by_lookahead(speaking["float32"], bar),
        "precision": by_precision(speaking, bar),
    }


def measure() -> dict[str, object]:
    combinations = len(SOLVERS) * len(GUIDANCE)
    steps = (1 + len(RANDOM)) * combinations * (len(LOOKAHEADS) + len(PRECISIONS) - 1)
    codes = own_codes(model_folder())
    with torch.inference_mode(), tqdm(total=steps) as bar, tempfile.TemporaryDirectory() as folder:
        found = {SHIPPED: compared(model_folder(), codes, bar)}
        for name, (preset, seed) in RANDOM.items():
            path = write_random_checkpoint(Path(folder) / name, preset, seed)
            found[name] = compared(path, None, bar)
    return {"checkpoints": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    machine.publish(measure(), args.out)


if __name__ == "__main__":
    main()
