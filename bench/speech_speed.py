"""Codes to speech at the 3B's full size, random weights, beside transformers 4.57.1, in turns.

PYTHONPATH=python:tests python bench/speech_speed.py --out bench/results/speech_speed.json
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

import machine
from omnirt.ops.window import FlowWindow
from omnirt.token2wav.config import Token2WavConfig
from omnirt.token2wav.model import Token2Wav
from omnirt.types import WaveSchedule
from timing import in_turns

PRECISIONS = ("float32", "bfloat16", "int8")
VOICE = "Chelsie"
REFERENCE_FRAMES = 300  # of the recording of a voice
CODES_PER_SECOND = 50
RELEASED_EVALUATIONS = 36  # RK4 on ten points


class Pair:
    """The released Token2Wav with random weights, and ours over the same tensors."""

    def __init__(self) -> None:
        from hf import transformers
        from hf_token2wav import FakeSpeaker, fill, released
        from stubs import DictWeights

        config = transformers.Qwen2_5OmniToken2WavConfig()
        self.theirs = released.Qwen2_5OmniToken2WavModel(config).float().eval()
        fill(self.theirs, torch.Generator().manual_seed(0))
        dit = config.dit_config
        generator = torch.Generator().manual_seed(1)
        mel = torch.randn(1, REFERENCE_FRAMES, dit.mel_dim, generator=generator) - 3
        self.speaker = FakeSpeaker(torch.randn(1, dit.enc_emb_dim, generator=generator), mel)
        weights = DictWeights({k: v.detach() for k, v in self.theirs.state_dict().items()})
        ours = Token2WavConfig.from_dict(config.to_dict())
        self.ours = {
            p: Token2Wav(ours, weights, {VOICE: self.speaker}, precision=p) for p in PRECISIONS
        }
        for model in self.ours.values():  # as at load
            model.table(WaveSchedule.preset("balanced"))
            model.voice(VOICE)

    def evaluation(self, frames: int) -> dict[str, Callable[[], object]]:
        """One evaluation of the velocity, both guidance rows, by everyone."""
        y, codes = torch.randn(frames, 80), torch.arange(frames // 2)
        calls = {
            "transformers": lambda: self.theirs.code2wav_dit_model(
                hidden_states=y[None],
                condition_vector=self.speaker.ref_mel,
                speaker_embedding=self.speaker.cond[:, None].repeat(1, frames, 1),
                quantized_code=codes[None],
                time_step=torch.tensor(0.3),
            )
        }
        return calls | {p: self._ours(model, y, codes) for p, model in self.ours.items()}

    def _ours(self, model: Token2Wav, y: torch.Tensor, codes: torch.Tensor) -> Callable:
        dit, frames = model.dit, len(y)
        window = FlowWindow(rows=2)
        window.frames, window.codes = frames, codes.int()
        window.voice = model.voice(VOICE)
        window.table = model.table(WaveSchedule())
        window.cache = dit.cache(WaveSchedule().evaluations, rows=2)
        workspace = dit.workspace(frames, rows=2)
        return lambda: dit.evaluate(window, y, workspace)

    def vocoder(self, frames: int) -> dict[str, Callable[[], object]]:
        mel = torch.randn(frames, 80) - 3
        ours = self.ours["float32"].bigvgan
        return {
            "transformers": lambda: self.theirs.code2wav_bigvgan_model(mel.T[None]),
            "float32": lambda: ours.vocode(mel),
        }

    def speech(self, seconds: int) -> dict[str, Callable[[], object]]:
        """Codes to samples: their default solver, our ``balanced`` preset as it streams."""
        codes = torch.arange(seconds * CODES_PER_SECOND)
        calls = {
            "transformers": lambda: self.theirs(
                codes[None], self.speaker.cond, self.speaker.ref_mel
            )
        }
        schedule = WaveSchedule.preset("balanced")
        for precision in PRECISIONS:
            calls[precision] = lambda model=self.ours[precision]: list(
                model.synthesize(codes.tolist(), VOICE, schedule)
            )
        return calls


def timed(calls: dict[str, Callable], repeats: int, name: str) -> dict[str, dict]:
    """Seconds of every call; of no repeats there is one, cold."""
    times = in_turns(calls, max(repeats, 1), name, warm=repeats > 0)
    return {key: {"median": median(t), "all": t} for key, t in times.items()}


def growth(pair: Pair, precision: str) -> list[dict]:
    """Seconds of work per second of speech, and the process's peak memory, as replies grow."""
    rows = []
    for seconds in (2, 10, 40):
        call = pair.speech(seconds)[precision]
        started = time.perf_counter()
        call()
        cost = (time.perf_counter() - started) / seconds
        rows.append({"seconds": seconds, "cost": cost, "peak": machine.peak_resident()})
    return rows


def measure(repeats: int) -> dict[str, object]:
    torch.manual_seed(0)
    with torch.inference_mode():
        pair = Pair()
        grown = growth(pair, "int8")  # first: the peak is of the whole process
        parts = {
            "one evaluation, 1 s": timed(pair.evaluation(100), repeats, "evaluation of 1 s"),
            "one evaluation, 10 s": timed(pair.evaluation(1000), 1, "evaluation of 10 s"),
            "vocoder, 1 s": timed(pair.vocoder(100), repeats, "vocoder, 1 s"),
            "vocoder, 10 s": timed(pair.vocoder(1000), 1, "vocoder, 10 s"),
            "1 s: RK4 there, `balanced` here": timed(pair.speech(1), 0, "speech, 1 s"),
            "10 s: the same": timed(without_theirs(pair.speech(10)), 0, "speech, 10 s"),
        }
    parts["10 s: the same"]["transformers"] = {"median": put_together(parts), "all": []}
    return {"growth": grown, "parts": parts}


def without_theirs(calls: dict[str, Callable]) -> dict[str, Callable]:
    return {name: call for name, call in calls.items() if name != "transformers"}


def put_together(parts: dict[str, dict]) -> float:
    """Ten seconds by the released solver would take minutes: from its parts, as measured above."""
    evaluation, vocoder = (
        parts[f"{name}, 10 s"]["transformers"]["median"] for name in ("one evaluation", "vocoder")
    )
    return RELEASED_EVALUATIONS * evaluation + vocoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    machine.publish(measure(args.repeats), args.out)


if __name__ == "__main__":
    main()
