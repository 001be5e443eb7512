"""What every result must carry: the machine that it was measured on."""

import os
import platform
import resource
from pathlib import Path

import torch

from omnirt import _core


def describe() -> dict[str, object]:
    """Processor, cores, kernels, versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernels": _core.isa(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def peak_resident() -> int:
    """Most bytes that this process ever held in memory, mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
