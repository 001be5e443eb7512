"""Products of the flow-matching transformer with packed weights: C++ kernels."""

from torch import Tensor

from omnirt import _core
from omnirt.ops.packed import Packed
from omnirt.ops.window import FlowWindow


def flow_linear(
    window: FlowWindow,
    x: Tensor,
    packed: Packed,
    bias: Tensor | None,
    out: Tensor,
    rows: int,
    gelu: bool = False,
) -> Tensor:
    """x: [R, K]; bias: float32 [N] or None; out: [R, N]; R at least frames * rows."""
    data, scale, sums = packed.data, packed.scale, packed.sums
    _core.flow_linear(window.state, x, data, scale, sums, bias, out, rows, gelu)
    return out


def flow_gated_linear(
    window: FlowWindow, x: Tensor, packed: Packed, bias: Tensor | None, gate: int, out: Tensor
) -> Tensor:
    """x: [F * rows, K]; bias: float32 [N] or None; out: [F * rows, N]; gate: row of the table."""
    data, scale, sums, rows = packed.data, packed.scale, packed.sums, window.rows
    table = window.table
    _core.flow_gated_linear(window.state, table, x, data, scale, sums, bias, gate, out, rows)
    return out
