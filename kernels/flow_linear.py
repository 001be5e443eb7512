"""Products of the flow-matching transformer, with what follows them: serves ops/reference/gemm.py.

They are of some hundred rows, so they wait for the weight: tiles are small, to spread it over all
multiprocessors.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .checks import check_products, check_shape, type_of_products
from .elementary import gelu_tanh
from .flow_state import FRAMES, check_state, check_table, table_row

ROW_TILE, DEPTH_BYTES, WARPS, STAGES = 64, 128, 4, 3
WIDE = 2048  # outputs from which on wider tiles still fill the device


@triton.jit
def _flow_linear_kernel(
    state_ptr, x_ptr, weight_ptr, bias_ptr, out_ptr, outputs, inputs, stride, gate,
    ROWS: tl.constexpr, GATED: tl.constexpr, GELU: tl.constexpr, PRECISION: tl.constexpr,
    TILE_ROWS: tl.constexpr, TILE_OUTPUTS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """out = x weight^T + bias, or its gelu, or out += gate * that, on the window's live rows."""
    live = tl.load(state_ptr + FRAMES) * ROWS
    first = tl.program_id(1) * TILE_ROWS
    if first >= live:
        return
    row = first + tl.arange(0, TILE_ROWS)
    output = tl.program_id(0) * TILE_OUTPUTS + tl.arange(0, TILE_OUTPUTS)
    depth = tl.arange(0, DEPTH)
    row_inside, output_inside = (row < live)[:, None], output < outputs
    x_ptr += row[:, None] * inputs
    weight_ptr += output[:, None] * inputs
    total = tl.zeros((TILE_ROWS, TILE_OUTPUTS), tl.float32)
    for start in range(0, inputs, DEPTH):
        at = (start + depth)[None, :]
        x = tl.load(x_ptr + at, row_inside & (at < inputs), 0.0)
        weight = tl.load(weight_ptr + at, output_inside[:, None] & (at < inputs), 0.0)
        x = x.to(weight_ptr.dtype.element_ty)
        total = tl.dot(x, tl.trans(weight), total, input_precision=PRECISION)
    if bias_ptr is not None:
        total += tl.load(bias_ptr + output, output_inside, 0.0)[None, :]
    out_ptr += row[:, None] * outputs + output[None, :]
    inside = row_inside & output_inside[None, :]
    if GELU:
        total = gelu_tanh(total)
    if GATED:
        gates = tl.load(table_row(state_ptr, stride, gate) + output, output_inside, 0.0)
        total = tl.load(out_ptr, inside, 0.0) + total * gates[None, :]
    tl.store(out_ptr, total, inside)


def flow_linear(
    state: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor, rows: int,
    gelu: bool = False, precision: str = "tf32x3",
) -> Call:  # fmt: skip
    """out = x weight^T + bias on ``rows`` rows a frame; gelu: its tanh form.

    x: float32 or bfloat16 [R, K], rounded to the weight's dtype; weight: float32 or bfloat16
    [N, K]; bias: float32 [N]; out: float32 or bfloat16 [R, N]. precision: of products of float32,
    see tl.dot. Raises ValueError.
    """
    return _call("flow_linear", state, 0, x, weight, bias, None, out, rows, gelu, precision)


def flow_gated_linear(
    state: Tensor, table_rows: int, x: Tensor, weight: Tensor, bias: Tensor | None, gate: int,
    out: Tensor, rows: int, precision: str = "tf32x3",
) -> Call:  # fmt: skip
    """out += g * (x weight^T + bias), g the row ``gate`` of an evaluation's ``table_rows``.

    out: float32 [R, N]; for the rest see ``flow_linear``. Raises ValueError.
    """
    name = "flow_gated_linear"
    check_table(name, table_rows, gate)
    if out.dtype != torch.float32:
        raise ValueError(f"{name}: out is {out.dtype}; sums are kept in float32")
    return _call(name, state, table_rows, x, weight, bias, gate, out, rows, False, precision)


def _call(
    name: str, state: Tensor, table_rows: int, x: Tensor, weight: Tensor, bias: Tensor | None,
    gate: int | None, out: Tensor, rows: int, gelu: bool, precision: str,
) -> Call:  # fmt: skip
    outputs, inputs = weight.shape
    check_state(name, state)
    check_shape(name, "weight", weight, outputs, inputs)
    check_shape(name, "x", x, len(out), inputs)
    check_shape(name, "out", out, len(x), outputs)
    if bias is not None:
        check_shape(name, "bias", bias, outputs)
    check_products(name, x=x, weight=weight, out=out)
    args = dict(state_ptr=state, x_ptr=x, weight_ptr=weight, bias_ptr=bias, out_ptr=out)
    args |= dict(outputs=outputs, inputs=inputs)
    args |= dict(stride=table_rows * outputs, gate=(gate or 0) * outputs)
    args |= dict(ROWS=rows, GATED=gate is not None, GELU=gelu, PRECISION=precision)
    tile, depth = (64 if outputs >= WIDE else 32), DEPTH_BYTES // weight.itemsize
    args |= dict(TILE_ROWS=ROW_TILE, TILE_OUTPUTS=tile, DEPTH=depth)
    grid = (triton.cdiv(outputs, tile), triton.cdiv(len(x), ROW_TILE))
    moved = x.nbytes + weight.nbytes + out.nbytes * (1 if gate is None else 2)
    work = Work(
        moved=moved,
        flops=2 * x.numel() * outputs,
        in_flight=(STAGES - 1) * depth * (ROW_TILE * x.itemsize + tile * weight.itemsize),
        type=type_of_products(weight.dtype, precision),
    )
    return Call(_flow_linear_kernel, grid, args, WARPS, STAGES, work)
