"""A spoken question through full-size checkpoints: time of each stage and peak memory.

First: python bench/write_checkpoint.py (see its help) and omnirt quantize; then, each checkpoint in
a process of its own,
python bench/full_size.py stored=FOLDER int4=FOLDER --out bench/results/full_size.json
"""

import argparse
import time
from dataclasses import asdict
from importlib import resources
from multiprocessing import get_context
from pathlib import Path

import machine
from omnirt import OmniRuntime, SamplingParams
from omnirt.conversation import ask


def measure(folder: Path, text_tokens: int, codes: int) -> dict[str, object]:
    """Load and answer once. Seconds and bytes."""
    question = str(resources.files("omnirt") / "assets" / "question.wav")
    started = time.monotonic()
    with OmniRuntime.from_pretrained(str(folder)) as runtime:
        load = time.monotonic() - started
        loading = machine.peak_since()
        machine.forget_peak()
        reply = runtime.generate(
            ask(audio=[question], text=["Answer in one sentence."]),
            seed=0,
            thinker=SamplingParams(max_new_tokens=text_tokens),
            talker=SamplingParams(max_new_tokens=codes),
        )
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return {
        "load": load,
        "stats": asdict(reply.stats),
        "weights_bytes": weights,
        "loading_bytes": loading,
        "running_bytes": machine.peak_since(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--text-tokens", type=int, default=16)
    parser.add_argument("--codes", type=int, default=51, help="50 are a second of speech")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    models = {}
    for word in args.models:
        name, folder = word.split("=", 1)
        with get_context("spawn").Pool(1) as pool:
            models[name] = pool.apply(measure, (Path(folder), args.text_tokens, args.codes))
    machine.publish({"models": models}, args.out)


if __name__ == "__main__":
    main()
