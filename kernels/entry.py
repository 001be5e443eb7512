"""What a driver needs to launch a compiled kernel: a small JSON beside each cubin of a cache.

A cache is a folder with a folder per target; ``Call.key`` names the two files of a kernel there:

    <cache>/sm_90a/rms_norm_kernel-a696ab254608396f.cubin
    <cache>/sm_90a/rms_norm_kernel-a696ab254608396f.json    the fields of ``Entry``

A launch passes, in this order: every item of ``args`` (8 bytes for a pointer, "*bf16"; 4 or 8 for
"i32", "i64"; a float for "fp32"), then two pointers that Triton adds to every kernel, ``scratch``
and ``profile``: null unless their sizes are above 0. What was a constant at compile time is not
passed. Blocks have 32 * warps threads; shared memory is dynamic, and above 48 KiB a driver must
allow it first (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES).

The target "interpreter" has entries without a cubin: a driver that runs Triton's interpreter calls
``kernel`` of ``module`` with ``args`` and ``constants``, in a grid of the launch's size.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from .call import Call

INTERPRETER = "interpreter"


@dataclass(frozen=True)
class Entry:
    """key: of the Call. module, kernel: where Python finds it. symbol: its name in the cubin.

    args: (name, Triton's type) of what is passed. constants: by name, of what is not. warps: of a
    block. shared: bytes. scratch, profile: bytes that a program of the grid needs. registers: of a
    thread. spills: bytes stored and loaded. source: of the kernels' source when it was compiled.
    """

    key: str
    target: str
    module: str
    kernel: str
    symbol: str
    args: list[tuple[str, str]]
    constants: dict[str, int | float | bool | None]
    warps: int
    shared: int = 0
    scratch: int = 0
    profile: int = 0
    registers: int = 0
    spills: int = 0
    triton: str = ""
    source: str = ""

    def write(self, cache: Path, cubin: bytes | None = None) -> None:
        """Into a cache."""
        folder = cache / self.target
        folder.mkdir(parents=True, exist_ok=True)
        if cubin is not None:
            (folder / f"{self.key}.cubin").write_bytes(cubin)
        text = json.dumps(dataclasses.asdict(self), indent=1)
        (folder / f"{self.key}.json").write_text(text + "\n")


def read(cache: Path, target: str, key: str) -> Entry:
    """One entry of a cache. Raises FileNotFoundError."""
    fields = json.loads((cache / target / f"{key}.json").read_text())
    fields["args"] = [tuple(arg) for arg in fields["args"]]
    return Entry(**fields)


def plain(call: Call, target: str = INTERPRETER) -> Entry:
    """The entry of a call before it is compiled."""
    return Entry(
        call.key,
        target,
        call.module,
        call.name,
        symbol=call.name,
        args=list(call.signature.items()),
        constants=call.constants,
        warps=call.warps,
        source=source(),
    )


def source() -> str:
    """A digest of all kernels' source: a cubin of another source must not be launched."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
