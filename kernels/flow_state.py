"""What the kernels of the flow-matching transformer read from a window: see ops/window.py.

Calls take a FlowWindow's ``state``, int32 [16] on the device, so a recorded one works on whichever
window, evaluation and session the words name when it runs. Grids cover whole buffers; programs
behind the live frames end at once. That the words fit the buffers is for whoever sets them.
"""

import triton
import triton.language as tl
from torch import Tensor

from .checks import check_words

FRAMES = tl.constexpr(0)
START = tl.constexpr(1)
KEEP = tl.constexpr(2)
LEFT = tl.constexpr(3)
EVALUATION = tl.constexpr(4)
SEED = tl.constexpr(6)
TABLE = tl.constexpr(8)
CACHE = tl.constexpr(10)
VOICE = tl.constexpr(12)
CODES = tl.constexpr(14)
WORDS = 16
ALIGNMENT = tl.constexpr(16)  # bytes, of tensors that were allocated whole


@triton.jit
def word64(state_ptr, index: tl.constexpr):
    """The 64-bit number in words index, index + 1."""
    return tl.load((state_ptr + index).to(tl.pointer_type(tl.int64)))


@triton.jit
def aligned_floats(state_ptr, index: tl.constexpr):
    """The float32 tensor whose address is in words index, index + 1."""
    address = word64(state_ptr, index).to(tl.pointer_type(tl.float32))
    return tl.multiple_of(address, ALIGNMENT)


@triton.jit
def table_row(state_ptr, stride, row):
    """A row of the evaluation's adaptive norms. stride: numbers of an evaluation; row: its first.

    Launchers give both as multiples of the row's length, which Triton knows to be aligned.
    """
    return aligned_floats(state_ptr, TABLE) + tl.load(state_ptr + EVALUATION) * stride + row


def check_state(name: str, state: Tensor) -> None:
    """Raise ValueError unless state is a window's. ``name``: the kernel."""
    check_words(name, "state", state, WORDS)


def check_table(name: str, table_rows: int, *rows: int) -> None:
    """Raise ValueError unless these are rows of an evaluation's table."""
    if not 0 <= min(rows) <= max(rows) < table_rows:
        raise ValueError(f"{name}: rows {list(rows)} of a table of {table_rows}")
