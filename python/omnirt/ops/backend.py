"""How a named op finds its implementation: the active backend's, else the reference."""

import contextlib
import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from omnirt import _core
from omnirt.errors import EngineError

log = logging.getLogger("omnirt.ops")

_backend: ContextVar[str] = ContextVar("omnirt_backend", default="cpu")
declined: Counter[tuple[str, str]] = Counter()  # (backend, op) -> calls that the reference served


def active() -> str:
    """Name of the backend that ops use on this thread."""
    return _backend.get()


@contextlib.contextmanager
def use(name: str) -> Iterator[None]:
    """Run the ops of a ``with`` block on another backend: "cpu" or "reference"."""
    token = _backend.set(name)
    try:
        yield
    finally:
        _backend.reset(token)


class Op:
    """A named computation with a reference and, per backend, a fast implementation.

    An implementation may return ``NotImplemented`` to decline a shape or dtype. Then the reference
    serves the call; it is counted in ``declined`` and logged once, so no slow path hides.
    """

    def __init__(self, reference: Callable, implementations: dict[str, Callable]) -> None:
        functools.update_wrapper(self, reference)
        self.name = reference.__name__
        self.reference = reference
        self.implementations = implementations

    def __call__(self, *args, **kwargs):
        backend = _backend.get()
        implementation = self.implementations.get(backend)
        if implementation is not None:
            result = implementation(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if backend != "reference":
            self._decline(backend)
        return self.reference(*args, **kwargs)

    def _decline(self, backend: str) -> None:
        if _core.Plan.is_recording():
            raise EngineError(
                f"op={self.name!r}: backend {backend!r} has no kernel for this call, so the step "
                "cannot be recorded; use a shape and dtype that the kernel supports"
            )
        if not declined[backend, self.name]:
            log.info("op %s is served by the reference, not by backend %s", self.name, backend)
        declined[backend, self.name] += 1


all_ops: list[Op] = []


def op(reference: Callable, **implementations: Callable) -> Op:
    """Name an op after its reference: ``rms_norm = op(norm.rms_norm, cpu=cpu_norm.rms_norm)``."""
    named = Op(reference, implementations)
    all_ops.append(named)
    return named
