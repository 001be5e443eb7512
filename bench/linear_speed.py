"""Products with the released 3B Thinker's weights against what memory can do, in turns in one run.

    python bench/linear_speed.py --rows 1 4 16 512 --threads 1 2

One pass takes one decoder layer's seven weights, and as many more layers as make 256 MB. GB/s count
the weights' bytes; medians; the share is that of a plain read between the passes.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from statistics import median

import torch

from omnirt import _core, ops
from omnirt.formats import FORMATS, Quantized
from timing import READ, in_turns, plain_read

HIDDEN, MLP, KV = 2048, 11008, 256
LAYER = [(HIDDEN, HIDDEN), (KV, HIDDEN), (KV, HIDDEN), (HIDDEN, HIDDEN)]
LAYER += [(MLP, HIDDEN), (MLP, HIDDEN), (HIDDEN, MLP)]
BYTES = 256 << 20  # of weights that few rows are multiplied with
MANY = 64  # rows above which reading is not the cost


def weight(shape: tuple[int, int], precision: str) -> torch.Tensor | Quantized:
    stored = torch.empty(shape, dtype=torch.bfloat16)
    _core.use_huge_pages(stored)
    stored.normal_()
    return stored if precision == "bfloat16" else ops.quantize(stored, FORMATS[precision])


def weights(precision: str, rows: int) -> list[torch.Tensor | Quantized]:
    made, size = [], 0
    while size < (1 if rows > MANY else BYTES):
        made += [weight(shape, precision) for shape in LAYER]
        size = sum(w.nbytes for w in made)
    return made


def measure(precision: str, rows: int, threads: list[int], turns: int) -> Iterator[dict]:
    layers = weights(precision, rows)
    inputs = {k: torch.randn(rows, k) for k in (HIDDEN, MLP)}
    plan = _core.Plan("linear")
    with plan.recording():  # as the engine runs them: without Python between two products
        for w in layers:
            ops.linear(inputs[w.shape[1]], w)
    work = 2 * rows * sum(w.shape[0] * w.shape[1] for w in layers)
    for count in threads:
        _core.set_cores(count)
        calls = {"read": plain_read(count), "pass": plan.run}
        times = in_turns(calls, turns, f"{precision}, {rows} rows, {count} threads")
        read, passed = median(times["read"]), median(times["pass"])
        yield {
            "precision": precision,
            "rows": rows,
            "threads": count,
            "read GB/s": READ / read / 1e9,
            "weights GB/s": sum(w.nbytes for w in layers) / passed / 1e9,
            "share of read": sum(w.nbytes for w in layers) / READ * read / passed,
            "Gop/s": work / passed / 1e9,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 16, 512])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--precision", nargs="+", default=["bfloat16", "int8", "int4"])
    parser.add_argument("--turns", type=int, default=7)
    args = parser.parse_args()
    for precision in args.precision:
        for rows in args.rows:
            for row in measure(precision, rows, args.threads, args.turns):
                sys.stdout.write(json.dumps(row) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
