"""Cores and instruction set: how the machine is shared out before anything runs."""

import os

import torch

from omnirt import _core
from omnirt.config import Environment
from omnirt.errors import InputError


def usable_cores(count: int | None) -> int:
    """``count``, by default every core that this process may run on."""
    return count or len(os.sched_getaffinity(0))


def use_cores(count: int | None) -> None:
    """Let lanes and torch use ``count`` cores, by default all that this process may run on."""
    if count is not None and count < 1:
        raise InputError(f"threads={count!r}: use a positive whole number")
    _core.set_cores(usable_cores(count))
    torch.set_num_threads(usable_cores(count))


def use_machine(threads: int | None) -> None:
    """What the environment says of cores and instruction set; ``threads`` goes before it."""
    environment = Environment.read()
    use_isa(environment.isa)
    use_cores(environment.threads if threads is None else threads)


def thread_plan(count: int | None) -> list[str]:
    """Who runs on ``count`` cores, in words. See csrc/base/parallel.h."""
    cores = usable_cores(count)
    return [
        "thinker (prompt, text), talker (codes), wave (speech): a thread each; only the thinker "
        "without speech",
        f"{cores} cores, helping threads: {cores - 1}; a lane that runs alone has all cores",
        "lanes that run together have equal parts; what one does not use is lent to the others",
        f"torch, in the encoders of media and voices: up to {cores} threads of its own",
    ]


def use_isa(name: str | None) -> None:
    """Force the kernels' instruction set, by default the best one of this machine."""
    if name is None:
        return
    if name not in _core.isas():
        raise InputError(f"OMNIRT_ISA={name!r}: this machine has {', '.join(_core.isas())}")
    _core.set_isa(name)
