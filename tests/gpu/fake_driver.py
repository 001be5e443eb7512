"""The fake driver from Python: kernels are Python functions, or run in Triton's interpreter."""

import ctypes
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import torch

FORMATS = {"i64": "q", "u64": "Q", "i32": "i", "u32": "I", "fp32": "f", "i8": "b", "u8": "B"}
DTYPES = {
    "*fp32": torch.float32,
    "*bf16": torch.bfloat16,
    "*fp16": torch.float16,
    "*i8": torch.int8,
    "*u8": torch.uint8,
    "*i32": torch.int32,
    "*i64": torch.int64,
}
SCRATCH = "QQ"  # Triton's two addresses more
LAUNCH_FAILED = 719

Grid = tuple[int, int, int]


class Launch(ctypes.Structure):
    """FakeLaunch of tests/cpp/fake_cuda/control.h."""

    _fields_ = (
        ("kernel", ctypes.c_char_p),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("arguments", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
    )


Kernel = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Launch), ctypes.c_void_p)


class FakeDriver:
    """Controls of the library at ``path``, which ``_core.cuda`` must have loaded."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.fakeCudaKernel.argtypes = (ctypes.c_char_p, Kernel, ctypes.c_void_p)
        self._kept: dict[str, Kernel] = {}
        self._turn = threading.Lock()  # Triton's interpreter serves one thread at a time
        self.errors: list[Exception] = []  # what kernels raised

    def kernel(self, name: str, types: tuple[str, ...], run: Callable[..., None]) -> None:
        """Call run(grid, *values) for launches of ``name``; pointers are tensors of one element."""

        def serve(launch, _) -> int:
            one = launch.contents
            packed = ctypes.string_at(one.arguments, one.bytes)
            try:
                with self._turn:
                    run(tuple(one.grid), *unpack(types, packed))
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
                self.errors.append(error)
                return LAUNCH_FAILED
            return 0

        self._kept[name] = Kernel(serve)
        self._library.fakeCudaKernel(name.encode(), self._kept[name], None)

    def interpret(self, name: str, kernel, types: dict[str, str], constants: dict) -> None:
        """Run launches of ``name`` in Triton's interpreter. types: of what is passed, in order."""

        def run(grid: Grid, *values) -> None:
            kernel[grid](**dict(zip(types, values, strict=True)), **constants)

        self.kernel(name, tuple(types.values()), run)

    def delay(self, seed: int, most: int) -> None:
        """Pause at random, up to ``most`` microseconds, before every piece of work."""
        self._library.fakeCudaDelays(seed, most)

    def fail(self, where: str, result: int, after: int) -> None:
        """Let a kernel or a call work ``after`` times and then fail."""
        self._library.fakeCudaFail(where.encode(), result, after)

    def reset(self) -> None:
        """Mend the device."""
        self._library.fakeCudaReset()


def unpack(types: tuple[str, ...], packed: bytes) -> list:
    """What a launch was given, less the scratch of Triton, which must be none."""
    formats = "".join("Q" if kind.startswith("*") else FORMATS[kind] for kind in types)
    *values, first, second = struct.unpack("@" + formats + SCRATCH, packed)
    if first or second:
        raise ValueError("a kernel was given scratch memory")
    return [
        at(value, DTYPES[kind]) if kind in DTYPES else value
        for kind, value in zip(types, values, strict=True)
    ]


def at(address: int, dtype: torch.dtype) -> torch.Tensor:
    """A tensor of one element: kernels only look at where it is and what it holds."""
    memory = (ctypes.c_char * dtype.itemsize).from_address(address)
    return torch.frombuffer(memory, dtype=dtype)
