"""A spoken question through a full-size checkpoint: time of each stage and peak memory.

First: python bench/write_checkpoint.py (see its help); then
python bench/full_size.py FOLDER --out bench/results/full_size_3b.json
"""

import argparse
import json
import time
from dataclasses import asdict
from importlib import resources
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
        reply = runtime.generate(
            ask(audio=[question], text=["Answer in one sentence."]),
            seed=0,
            thinker=SamplingParams(max_new_tokens=text_tokens),
            talker=SamplingParams(max_new_tokens=codes),
        )
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return {
        "machine": machine.describe(),
        "load": load,
        "stats": asdict(reply.stats),
        "weights_bytes": weights,
        "peak_resident_bytes": machine.peak_resident(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--text-tokens", type=int, default=32)
    parser.add_argument("--codes", type=int, default=51, help="50 are a second of speech")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    result = json.dumps(measure(args.folder, args.text_tokens, args.codes), indent=2)
    if args.out:
        args.out.write_text(result + "\n")
    print(result)  # noqa: T201


if __name__ == "__main__":
    main()
