"""When the first packet of a ten-second reply leaves, on the small checkpoint, by each preset.

python bench/first_audio.py --out bench/results/first_audio.json
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import machine
from omnirt import OmniRuntime, SamplingParams
from omnirt.weights.random_checkpoint import write_random_checkpoint

MESSAGES = [{"role": "user", "content": "Say hello."}]
PRESETS = ("lowest-latency", "balanced", "exact")
CODES = 501  # the last generated id is not spoken


def reply(runtime: OmniRuntime, preset: str, seed: int) -> dict[str, float]:
    stats = runtime.generate(
        MESSAGES,
        seed=seed,
        wave=preset,
        thinker=SamplingParams(max_new_tokens=64),
        talker=SamplingParams(max_new_tokens=CODES, stop_token_ids=()),
    ).stats
    return {
        "codes at first audio": stats.codes_at_first_audio,
        "first audio": stats.first_audio,
        "total": stats.total,
        "audio seconds": stats.audio_seconds,
        "underruns": stats.underruns,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = write_random_checkpoint(Path(folder) / "model", "tiny")
        with OmniRuntime.from_pretrained(str(model)) as runtime:
            reply(runtime, "balanced", 0)  # warm
            runs = {p: [reply(runtime, p, seed) for seed in range(args.repeats)] for p in PRESETS}
    rows = {
        preset: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for preset, found in runs.items()
    }
    machine.publish({"presets": rows}, args.out)


if __name__ == "__main__":
    main()
