"""Cores and instruction set: how the machine is shared out before anything runs."""

import os

import torch

from omnirt import _core
from omnirt.errors import InputError


def use_cores(count: int | None) -> None:
    """Let lanes and torch use ``count`` cores, by default all that this process may run on."""
    if count is not None and count < 1:
        raise InputError(f"threads={count!r}: use a positive whole number")
    count = count or len(os.sched_getaffinity(0))
    _core.set_cores(count)
    torch.set_num_threads(count)


def use_isa(name: str | None) -> None:
    """Force the kernels' instruction set, by default the best one of this machine."""
    if name is None:
        return
    if name not in _core.isas():
        raise InputError(f"OMNIRT_ISA={name!r}: this machine has {', '.join(_core.isas())}")
    _core.set_isa(name)
