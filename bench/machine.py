"""What every result must carry: the machine that it was measured on."""

import json
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


def publish(result: dict[str, object], out: Path | None) -> None:
    """Print a result, with the machine first, and write it where it was asked for."""
    text = json.dumps({"machine": describe()} | result, indent=1)
    if out:
        out.write_text(text + "\n")
    print(text)  # noqa: T201


def forget_peak() -> None:
    """Let ``peak_since`` count from here (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_since() -> int:
    """Most bytes that this process held since ``forget_peak``, mapped files included (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def peak_resident() -> int:
    """Most bytes that this process ever held in memory, mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
