"""Products of 8-bit integers: rows of activations, rounded here, with packed INT8 weights (W8A8).

For prompts, where the weights' bytes no longer matter and tensor cores multiply integers twice as
fast as bfloat16. A row has one scale (LLM.int8(), arXiv 2208.07339, without its outliers), so this
is coarser than integer weights alone: a choice, not a default. Layout: omnirt/formats.py.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from omnirt.formats import PANEL, STEP, Quantized

from .call import Call, Work
from .checks import check_shape
from .common import block_and_warps, rows_of

TILE_ROWS, TILE_OUTPUTS, DEPTH, WARPS, STAGES = 64, 64, 128, 4, 3
TOP = tl.constexpr(127.0)
_PANEL = tl.constexpr(PANEL)
_QUAD = tl.constexpr(4)  # neighbouring inputs of an output in a chunk of a panel
_TINY = tl.constexpr(1e-30)


@triton.jit
def _quantize_rows_kernel(x_ptr, values_ptr, scales_ptr, columns, BLOCK: tl.constexpr):
    """values = round(x / scale), half away from zero, where scale = max |x| / 127 of the row."""
    row, at = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    inside = at < columns
    x = tl.load(x_ptr + row * columns + at, inside, 0.0).to(tl.float32)
    scale = tl.maximum(tl.max(tl.abs(x), 0), _TINY) / TOP
    steps = tl.floor(tl.abs(x) / scale + 0.5)
    tl.store(values_ptr + row * columns + at, tl.where(x < 0, -steps, steps).to(tl.int8), inside)
    tl.store(scales_ptr + row, scale)


@triton.jit
def _int8_linear_kernel(
    x_ptr, x_scales_ptr, weight_ptr, weight_scales_ptr, bias_ptr, out_ptr,
    rows, outputs, inputs, chunks,
    TILE_ROWS: tl.constexpr, TILE_OUTPUTS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """out = (x weight^T) * x_scales * weight_scales + bias, summed exactly in int32."""
    row = tl.program_id(1) * TILE_ROWS + tl.arange(0, TILE_ROWS)
    output = tl.program_id(0) * TILE_OUTPUTS + tl.arange(0, TILE_OUTPUTS)
    panels: tl.constexpr = TILE_OUTPUTS // _PANEL
    quads: tl.constexpr = DEPTH // _QUAD
    panel = tl.program_id(0) * panels + tl.arange(0, panels)
    byte = tl.arange(0, DEPTH * _PANEL)
    panel_bytes = chunks * (_PANEL * _QUAD)
    weight_ptr += panel[:, None].to(tl.int64) * panel_bytes + byte[None, :]
    x_ptr += row[:, None] * inputs
    total = tl.zeros((TILE_ROWS, TILE_OUTPUTS), tl.int32)
    for start in range(0, inputs, DEPTH):
        at = (start + tl.arange(0, DEPTH))[None, :]
        x = tl.load(x_ptr + at, (row < rows)[:, None] & (at < inputs), 0)
        behind = start * _PANEL + byte < panel_bytes
        inside = (panel * _PANEL < outputs)[:, None] & behind[None, :]
        runs = tl.load(weight_ptr + start * _PANEL, inside, 0)
        runs = tl.permute(tl.reshape(runs, (panels, quads, _PANEL, _QUAD)), (0, 2, 1, 3))
        weight = tl.reshape(runs, (TILE_OUTPUTS, DEPTH))
        total = tl.dot(x, tl.trans(weight), total, out_dtype=tl.int32)
    x_scales = tl.load(x_scales_ptr + row, row < rows, 0.0)
    weight_scales = tl.load(weight_scales_ptr + output, output < outputs, 0.0)
    result = total.to(tl.float32) * x_scales[:, None] * weight_scales[None, :]
    if bias_ptr is not None:
        result += tl.load(bias_ptr + output, output < outputs, 0.0).to(tl.float32)[None, :]
    inside = (row < rows)[:, None] & (output < outputs)[None, :]
    tl.store(out_ptr + row[:, None].to(tl.int64) * outputs + output[None, :], result, inside)


def quantize_rows(x: Tensor, values: Tensor, scales: Tensor) -> Call:
    """x: float [R, K]; values: int8 [R, K]; scales: float32 [R]. Raises ValueError."""
    name, (rows, columns) = "quantize_rows", rows_of("quantize_rows", x)
    check_shape(name, "values", values, rows, columns)
    check_shape(name, "scales", scales, rows)
    if values.dtype != torch.int8:
        raise ValueError(f"{name}: values are {values.dtype}, must be int8")
    block, warps = block_and_warps(columns)
    args = dict(x_ptr=x, values_ptr=values, scales_ptr=scales, columns=columns, BLOCK=block)
    return Call(_quantize_rows_kernel, (rows,), args, warps)


def int8_linear(
    values: Tensor, scales: Tensor, weight: Quantized, bias: Tensor | None, out: Tensor
) -> Call:
    """out = x weight^T + bias, x as ``quantize_rows`` leaves it. weight: INT8 [N, K]; bias: [N];

    out: float [R, N]. Raises ValueError.
    """
    name, (outputs, inputs), rows = "int8_linear", weight.shape, len(values)
    if weight.bits != 8:
        raise ValueError(f"{name}: the weight is INT{weight.bits}, must be INT8")
    check_shape(name, "values", values, rows, inputs)
    check_shape(name, "scales", scales, rows)
    check_shape(name, "out", out, rows, outputs)
    if bias is not None:
        check_shape(name, "bias", bias, outputs)
    args = dict(x_ptr=values, x_scales_ptr=scales, weight_ptr=weight.data.view(torch.int8))
    args |= dict(weight_scales_ptr=weight.scales, bias_ptr=bias, out_ptr=out)
    args |= dict(rows=rows, outputs=outputs, inputs=inputs, chunks=-(-inputs // STEP) * STEP // 4)
    args |= dict(TILE_ROWS=TILE_ROWS, TILE_OUTPUTS=TILE_OUTPUTS, DEPTH=DEPTH)
    grid = (triton.cdiv(outputs, TILE_OUTPUTS), triton.cdiv(rows, TILE_ROWS))
    in_flight = (STAGES - 1) * DEPTH * (TILE_ROWS + TILE_OUTPUTS)
    work = Work(flops=2 * rows * outputs * inputs, in_flight=in_flight, type="int8")
    return Call(_int8_linear_kernel, grid, args, WARPS, STAGES, work, generic=("rows",))
