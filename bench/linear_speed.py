"""Products with the released 3B Thinker's weights against what memory can do, in turns in one run.

    python bench/linear_speed.py --rows 1 4 16 512 --threads 1 2

One pass takes one decoder layer's seven weights, and as many more layers as make 256 MB. GB/s count
the weights' bytes; the share is that of the fastest plain read of 256 MB in the same run.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from omnirt import _core, ops
from omnirt.formats import FORMATS, Quantized

HIDDEN, MLP, KV = 2048, 11008, 256
LAYER = [(HIDDEN, HIDDEN), (KV, HIDDEN), (KV, HIDDEN), (HIDDEN, HIDDEN)]
LAYER += [(MLP, HIDDEN), (MLP, HIDDEN), (HIDDEN, MLP)]
READ = 256 << 20
MANY = 64  # rows above which reading is not the cost


def weight(shape: tuple[int, int], precision: str) -> torch.Tensor | Quantized:
    stored = torch.empty(shape, dtype=torch.bfloat16)
    _core.use_huge_pages(stored)
    stored.normal_()
    return stored if precision == "bfloat16" else ops.quantize(stored, FORMATS[precision])


def weights(precision: str, rows: int) -> list[torch.Tensor | Quantized]:
    made, size = [], 0
    while size < (1 if rows > MANY else READ):
        made += [weight(shape, precision) for shape in LAYER]
        size = sum(w.nbytes for w in made)
    return made


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(precision: str, rows: int, threads: list[int], turns: int) -> None:
    layers = weights(precision, rows)
    inputs = {k: torch.randn(rows, k) for k in (HIDDEN, MLP)}
    memory = torch.empty(READ, dtype=torch.uint8)
    _core.use_huge_pages(memory)
    memory.fill_(1)
    work = 2 * rows * sum(w.shape[0] * w.shape[1] for w in layers)
    for count in threads:
        _core.set_cores(count)
        parts = torch.empty(count, dtype=torch.int32)
        reads, passes = [], []
        for _ in range(turns):
            reads.append(seconds(lambda parts=parts: _core.read_memory(memory, parts)))
            passes.append(
                seconds(lambda: [ops.linear(inputs[w.shape[1]], w) for w in layers]),
            )
        rate = sum(w.nbytes for w in layers) / median(passes) / 1e9
        read, best = READ / median(reads) / 1e9, READ / min(reads) / 1e9
        print(
            f"{precision:9} {rows:4} rows {count} threads: read {read:5.1f} (best {best:5.1f}) GB/s, "
            f"weights {rate:5.1f} GB/s, {rate / read:4.0%}, {work / median(passes) / 1e9:4.0f} Gop/s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 16, 512])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--precision", nargs="+", default=["bfloat16", "int8", "int4"])
    parser.add_argument("--turns", type=int, default=7)
    args = parser.parse_args()
    for precision in args.precision:
        for rows in args.rows:
            measure(precision, rows, args.threads, args.turns)


if __name__ == "__main__":
    main()
