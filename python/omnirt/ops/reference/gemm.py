"""Products of the flow-matching transformer with packed weights, in float32."""

from torch import Tensor
from torch.nn import functional as F

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
    """out = x W^T + bias on the window's frames, with ``rows`` rows each; gelu: its tanh form.

    x: float32 [R, K]; bias: float32 [N] or None; out: float32 [R, N].
    """
    live = window.frames * rows
    y = _product(x[:live], packed, bias)
    out[:live] = F.gelu(y, approximate="tanh") if gelu else y
    return out


def flow_gated_linear(
    window: FlowWindow, x: Tensor, packed: Packed, bias: Tensor | None, gate: int, out: Tensor
) -> Tensor:
    """out += g * (x W^T + bias), where g is the row ``gate`` of the evaluation's table.

    x: float32 [F * rows, K]; bias: float32 [N] or None; out: float32 [F * rows, N].
    """
    live = window.frames * window.rows
    out[:live] += window.table[window.evaluation, gate] * _product(x[:live], packed, bias)
    return out


def _product(x: Tensor, packed: Packed, bias: Tensor | None) -> Tensor:
    """x W^T + bias; in int8 the products of the stored numbers are exact."""
    if packed.precision != "int8":
        return F.linear(x, packed.dense(), bias)
    numbers, step = quantize_rows(x)
    y = (numbers @ packed.stored().double().T * step * packed.scale).float()
    return y if bias is None else y + bias


def quantize_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Each row as 8-bit numbers without sign, of which one stands for zero.

    x: float32 [R, K]. Returns the numbers less the zero, float64 [R, K], and their step [R, 1].
    """
    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    inverse = 255 / (high - low).clamp(min=1e-30)
    zero = (-low * inverse).round()
    numbers = ((x * inverse).round() + zero).clamp(0, 255) - zero
    return numbers.double(), (high - low) / 255
