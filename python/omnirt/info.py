"""``omnirt info``: this machine, its backends, and what a model would take."""

import os
import platform
from collections.abc import Mapping
from types import MappingProxyType

import torch

from . import _core, console, gpu, ops
from .config import Environment
from .engine.threads import thread_plan
from .errors import EngineError
from .weights.checkpoint import read_config
from .weights.memory import memory_plan
from .weights.precisions import Precisions


def info(
    model: str | None, context: int, quantization: str | Mapping[str, str] = MappingProxyType({})
) -> None:
    """Print the machine, and a model's memory plan from its config.json alone."""
    console.write("\n".join(machine()))
    if model is not None:
        console.write("\n".join(plan(model, context, quantization)))


def machine() -> list[str]:
    """Lines about the processor, the backends, ops without a kernel of their own, and threads."""
    lanes, *shares = thread_plan(Environment.read().threads)
    bare = sorted(op.name for op in ops.all_ops if "cpu" not in op.implementations)
    return [
        f"machine   {platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        f"kernels   {_core.isa()} (this machine has {', '.join(_core.isas())})",
        f"backends  cpu (C++), reference (torch {torch.__version__})",
        f"gpu       {gpu.describe()}",
        f"reference serves these ops on the cpu: {', '.join(bare) or 'none'}",
        f"lanes     {lanes}",
        *(f"          {line}" for line in shares),
    ]


def plan(model: str, context: int, quantization: str | Mapping[str, str]) -> list[str]:
    """Lines of the memory plan."""
    precisions = Precisions.of(quantization)
    rows = memory_plan(read_config(model), context=context, precisions=precisions)
    width = max(len(name) for name, _ in rows)
    return [
        f"memory of {model} with {context} tokens of context:",
        *(f"  {name:<{width}}  {size / 2**30:8.3f} GiB" for name, size in rows),
        *on_gpu(rows[-1][1]),
    ]


def on_gpu(needed: int) -> list[str]:
    """Whether that fits the GPU; nothing where there is none."""
    try:
        device = gpu.find_gpu()
    except EngineError:
        return []
    return [f"gpu       {device.shortage(needed) or f'the plan fits {device.name}'}"]
