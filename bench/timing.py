"""Timings that stand beside each other: one call after the other, again and again, in one run."""

import sys
import time
from collections.abc import Callable

import torch
from tqdm import tqdm

from omnirt import _core

READ = 1 << 30  # bytes of a plain read


def in_turns(
    calls: dict[str, Callable[[], object]], repeats: int, name: str, warm: bool = True
) -> dict[str, list[float]]:
    """Seconds of every call. warm: one round goes before that does not count."""
    times: dict[str, list[float]] = {key: [] for key in calls}
    for turn in tqdm(range(warm + repeats), desc=name, file=sys.stderr):
        for key, call in calls.items():
            started = time.perf_counter()
            call()
            if turn >= warm:
                times[key].append(time.perf_counter() - started)
    return times


def plain_read(threads: int) -> Callable[[], object]:
    """Reads READ bytes of memory with huge pages, which quantized weights have too."""
    memory = torch.empty(READ, dtype=torch.uint8)
    _core.use_huge_pages(memory)
    memory.fill_(1)
    parts = torch.empty(threads, dtype=torch.int32)
    return lambda: _core.read_memory(memory, parts)
