"""A spoken question through omnirt and through transformers 4.57.1: one checkpoint, one machine.

Each runs in a process of its own, in turns. Text and codes are greedy, of fixed numbers:
python bench/compare_released.py FOLDER --out bench/results/compare_3b.json
"""

import argparse
import json
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import torch

import machine
from omnirt import OmniRuntime, SamplingParams
from omnirt.conversation import ask
from omnirt.inputs.prompt import Processor, build_prompt

TEXT_TOKENS, CODES = 16, 51  # a second of speech: the last generated id is not spoken


def conversation() -> list[dict]:
    question = str(resources.files("omnirt") / "assets" / "question.wav")
    return ask(audio=[question], text=["Answer in one sentence."])


def run_omnirt(folder: Path, wave: str, precision: str) -> dict[str, float]:
    started = time.monotonic()
    quantization = {"token2wav": precision}
    with OmniRuntime.from_pretrained(str(folder), quantization=quantization) as runtime:
        load = time.monotonic() - started
        reply = runtime.generate(
            conversation(),
            wave=wave,
            thinker=SamplingParams(temperature=0, max_new_tokens=TEXT_TOKENS),
            talker=SamplingParams(temperature=0, max_new_tokens=CODES),
        )
    stats = reply.stats
    return {
        "load": load,
        "first text": stats.first_text,
        "last text": stats.last_text,
        "first audio": stats.first_audio,
        "total": stats.total,
    }


class Clock:
    """A streamer of transformers that notes when ids come. The first call brings the prompt."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def put(self, _: torch.Tensor) -> None:
        self.times.append(time.monotonic())

    def end(self) -> None: ...


def run_released(folder: Path) -> dict[str, float]:
    from hf import transformers
    from hf_model import tensors

    started = time.monotonic()
    model_class = transformers.Qwen2_5OmniForConditionalGeneration
    model = model_class.from_pretrained(str(folder), dtype=torch.bfloat16).eval()
    load = time.monotonic() - started
    started = time.monotonic()
    prompt = build_prompt(conversation(), Processor.from_folder(folder))
    clock = Clock()
    options = {
        "thinker_streamer": clock,
        "thinker_max_new_tokens": TEXT_TOKENS,
        "thinker_do_sample": False,
        "talker_max_new_tokens": CODES,
        "talker_do_sample": False,
    }
    with torch.no_grad():
        model.generate(**tensors(prompt), return_audio=True, **options)
    total = time.monotonic() - started
    first, last = (clock.times[i] - started for i in (1, -1))
    times = {"first text": first, "last text": last, "first audio": total, "total": total}
    return {"load": load} | times


RUNS = {
    "omnirt, balanced, int8": lambda folder: run_omnirt(folder, "balanced", "int8"),
    "omnirt, exact": lambda folder: run_omnirt(folder, "exact", "float32"),
    "transformers": run_released,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", choices=RUNS, help="one run, in this process")
    args = parser.parse_args()
    if args.only:
        row = RUNS[args.only](args.folder) | {"peak resident": machine.peak_resident()}
        print(json.dumps(row))  # noqa: T201
        return
    rows: dict[str, list] = {name: [] for name in RUNS}
    for _ in range(args.repeats):
        for name, found in rows.items():
            command = [sys.executable, __file__, str(args.folder), "--only", name]
            shown = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(shown.stdout.splitlines()[-1]))
    machine.publish({"runs": rows}, args.out)


if __name__ == "__main__":
    main()
