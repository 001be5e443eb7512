"""The GPU of this machine, or a sentence that says why it cannot be used."""

from dataclasses import dataclass

from . import _core
from .config import Environment
from .errors import EngineError

GIB = 2**30


@dataclass(frozen=True)
class Gpu:
    """name: as the driver tells it. capability: (major, minor). free, total: bytes of its memory.
    driver: (major, minor) of the CUDA version that the driver supports."""

    name: str
    capability: tuple[int, int]
    free: int
    total: int
    driver: tuple[int, int]

    def __str__(self) -> str:
        major, minor = self.capability
        return (
            f"{self.name} (sm_{major}{minor}), {self.free / GIB:.1f} of {self.total / GIB:.1f} GiB "
            f"free, driver for CUDA {self.driver[0]}.{self.driver[1]}"
        )

    def shortage(self, needed: int) -> str | None:
        """A sentence if so many bytes do not fit, else None."""
        if needed <= self.free:
            return None
        have = f"{self.name} has {self.free / GIB:.1f} GiB free"
        taken = self.total - self.free
        if needed <= self.total:
            fix = f"end what holds the other {taken / GIB:.1f} GiB"
        else:
            fix = "use int8 or int4, a shorter context, or the CPU"
        return f"too little memory: the plan needs {needed / GIB:.1f} GiB, {have}; {fix}"


def find_gpu(ordinal: int = 0) -> Gpu:
    """Ask the driver. Raises EngineError: no driver, one too old, no device, one that is in use."""
    library = Environment.read().libcuda
    if library is not None:
        _core.cuda.set_library(library)
    device = _core.cuda.Device(ordinal)
    free, total = device.memory
    version = _core.cuda.driver_version()
    return Gpu(device.name, device.capability, free, total, (version // 1000, version % 1000 // 10))


def describe() -> str:
    """One line about the GPU, or why there is none."""
    try:
        return str(find_gpu())
    except EngineError as error:
        return f"none: {error}"
