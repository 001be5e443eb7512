"""Time between two replayed steps beyond the kernels themselves, while nothing but C++ works.

python bench/lane_gaps.py --out bench/results/lane_gaps.json
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import machine
from omnirt import OmniRuntime, SamplingParams
from omnirt.weights.random_checkpoint import write_random_checkpoint

MESSAGES = [{"role": "user", "content": "Say hello."}]
TOKENS = 60  # fits the event queue, so that no step waits for the reader


def gap(runtime: OmniRuntime, reads_along: bool) -> float:
    """Mean microseconds between the steps of one text reply."""
    before = runtime.lane_stats()["thinker"]
    limit = SamplingParams(max_new_tokens=TOKENS)
    stream = runtime.stream(MESSAGES, audio=False, thinker=limit)
    while not reads_along and stream.stats().total is None:
        time.sleep(0.005)
    for _ in stream:
        pass
    after = runtime.lane_stats()["thinker"]
    seconds = after["gap_seconds"] - before["gap_seconds"]
    return 1e6 * seconds / (after["gaps"] - before["gaps"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = write_random_checkpoint(Path(folder) / "model", "tiny")
        with OmniRuntime.from_pretrained(str(model)) as runtime:
            rows = {
                name: [gap(runtime, reads) for _ in range(args.repeats)]
                for name, reads in (("reader waits", True), ("reader comes later", False))
            }
    result = {
        "microseconds": {
            name: {"median": statistics.median(values), "worst": max(values)}
            for name, values in rows.items()
        },
    }
    machine.publish(result, args.out)


if __name__ == "__main__":
    main()
