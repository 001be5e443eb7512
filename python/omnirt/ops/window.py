"""FlowWindow: the frames that the flow-matching transformer works on, in memory that kernels read.

A recorded evaluation keeps its arguments for ever, so all that changes from one window, evaluation
or session to the next lies in 16 int32 words; the C++ struct is csrc/base/flow_state.h.
"""

import torch
from torch import Tensor

WORDS = 16


class _Word:
    """A signed 32-bit word of the state as an attribute."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __get__(self, window: "FlowWindow", owner: type) -> int:
        return int(window.state[self.index])

    def __set__(self, window: "FlowWindow", value: int) -> None:
        window.state[self.index] = value


class _Seed:
    """An unsigned 64-bit number in two words; ``index`` counts pairs of words."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __get__(self, window: "FlowWindow", owner: type) -> int:
        return int(window.state.view(torch.int64)[self.index]) % 2**64

    def __set__(self, window: "FlowWindow", value: int) -> None:
        window.state.view(torch.int64)[self.index] = value - 2**64 * (value >= 2**63)


class _Pointer:
    """A contiguous tensor whose address is in two words; ``index`` counts pairs of words."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __get__(self, window: "FlowWindow", owner: type) -> Tensor:
        return window.tensors[self.index]

    def __set__(self, window: "FlowWindow", value: Tensor) -> None:
        assert value.is_contiguous(), "kernels see an address, not strides"
        window.tensors[self.index] = value
        window.state.view(torch.int64)[self.index] = value.data_ptr()


class FlowWindow:
    """A window of ``frames`` mel frames from frame ``start`` of a reply, in ``rows`` guidance rows.

    Activations are [frames * rows, C], row = frame * rows + r: r = 0 is conditional, r = 1 the null
    row of classifier-free guidance (rows is 1 without guidance). Buffers may be larger: ops read
    and write the live prefix only.

    keep: frames [0, keep) are final, whole blocks of them; the block that ends there is saved for
    the next window (0: none is). left: 1 when the cache holds the block before the window.
    evaluation: which one of the solver's. table: float32 [evaluations, 6 * layers + 2, C], rows of
    adaptive norms. cache: float32 [evaluations, layers that look back, 2 (k, v), rows, block, C],
    keys rotated. voice: float32 [2, C], what a row adds to its input. codes: int32 [codes of the
    window].
    """

    frames = _Word(0)
    start = _Word(1)
    keep = _Word(2)
    left = _Word(3)
    evaluation = _Word(4)
    seed = _Seed(3)
    table = _Pointer(4)
    cache = _Pointer(5)
    voice = _Pointer(6)
    codes = _Pointer(7)

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.state = torch.zeros(WORDS, dtype=torch.int32)
        self.tensors: dict[int, Tensor] = {}  # kept alive as long as their addresses
