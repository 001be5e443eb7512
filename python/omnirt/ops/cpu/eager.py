"""Torch implementations on the CPU backend."""

import functools
from collections.abc import Callable

from omnirt import _core


def eager(kernel: Callable) -> Callable:
    """Decline while a Plan is recorded: C++ could not replay a call that went through torch."""

    @functools.wraps(kernel)
    def call(*args, **kwargs):
        return NotImplemented if _core.Plan.is_recording() else kernel(*args, **kwargs)

    return call
