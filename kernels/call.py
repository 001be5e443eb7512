"""A kernel with all that a launch needs, whoever launches it: the interpreter, Triton or a driver.

A kernel's module has a function per kernel that checks its tensors, refuses what the kernel cannot
do and returns a Call. Given tensors of the meta device it describes a launch at that shape without
memory: this is how kernels are compiled ahead and put on the roofline (see registry.py).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import triton.language as tl
from torch import Tensor

TYPES = {
    torch.float32: "fp32",
    torch.bfloat16: "bf16",
    torch.float16: "fp16",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.int32: "i32",
    torch.int64: "i64",
}
ALIGNED = 16  # bytes of a vector load, and what Triton asks of a number to know its alignment

Argument = Tensor | int | float | bool | None


@dataclass(frozen=True)
class Work:
    """What a launch must do at least; by default it reads or writes each tensor once.

    moved: bytes across device memory. flops. in_flight: bytes that one program asks for before it
    waits for the first of them; 0 says all that it reads. type: of the products, "fp32", or on
    tensor cores "bf16", "int8", "tf32" or "tf32x3" (see tl.dot). lanes: instructions beside those
    of tensor cores, counted by thread.
    """

    moved: int | None = None
    flops: int = 0
    in_flight: int = 0
    type: str = "fp32"
    lanes: int = 0


@dataclass(frozen=True)
class Call:
    """kernel: a @triton.jit function. args: by name, in its order, constexprs among them.

    generic: numbers whose alignment makes no better code, so that one cubin serves them all.
    """

    kernel: Callable
    grid: tuple[int, ...]
    args: dict[str, Argument]
    warps: int = 4
    stages: int = 2
    work: Work = field(default_factory=Work)
    generic: tuple[str, ...] = ()

    def run(self) -> None:
        """Launch through Triton: in its interpreter, or on torch's current stream."""
        self.kernel[self.grid](**self.args, num_warps=self.warps, num_stages=self.stages)

    @property
    def name(self) -> str:
        return self.kernel.__name__

    @property
    def module(self) -> str:
        return self.kernel.__module__

    @property
    def constants(self) -> dict[str, Argument]:
        """Arguments that are compiled in: constexprs, and pointers that are absent."""
        marked = self.kernel.fn.__annotations__
        return {
            name: value
            for name, value in self.args.items()
            if value is None or marked.get(name) is tl.constexpr
        }

    @property
    def signature(self) -> dict[str, str]:
        """Triton's type of every argument that is passed at a launch, in order."""
        constants = self.constants
        return {n: type_of(value) for n, value in self.args.items() if n not in constants}

    @property
    def aligned(self) -> tuple[str, ...]:
        """Arguments that are known to be multiples of 16, bytes or numbers."""
        return tuple(
            name
            for name in self.signature
            if name not in self.generic and _is_aligned(self.args[name])
        )

    @property
    def key(self) -> str:
        """Names the cubin: the same for all launches that one compiled kernel serves."""
        parts = (self.signature, self.constants, self.aligned, self.warps, self.stages)
        return f"{self.name.strip('_')}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"

    @property
    def moved(self) -> int:
        """Bytes across device memory."""
        if self.work.moved is not None:
            return self.work.moved
        return sum(value.nbytes for value in self.args.values() if isinstance(value, Tensor))


def type_of(value: Argument) -> str:
    """Triton's name for the type of an argument: "*bf16", "i32", "fp32"."""
    if isinstance(value, Tensor):
        return "*" + TYPES[value.dtype]
    if isinstance(value, float):
        return "fp32"
    return "i32" if -(2**31) <= value < 2**31 else "i64"


def _is_aligned(value: Argument) -> bool:
    if isinstance(value, Tensor):
        first = value.storage_offset() * value.itemsize if value.is_meta else value.data_ptr()
        return first % ALIGNED == 0
    return isinstance(value, int) and value % ALIGNED == 0
