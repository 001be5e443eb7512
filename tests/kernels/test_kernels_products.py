"""Products of matrices with what follows them, in Triton's interpreter, against the references."""

import pytest
import torch

pytest.importorskip("triton", reason="the kernels need triton")

from omnirt.formats import FORMATS
from omnirt.kernels import flow_linear, int8_linear
from omnirt.ops import pack, reference
from omnirt.ops.window import FlowWindow

LOW = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
TABLE_ROWS = 4


def _window(rows: int, outputs: int) -> FlowWindow:
    torch.manual_seed(0)
    window = FlowWindow(rows)
    window.frames, window.evaluation = 34, 1
    window.table = torch.randn(2, TABLE_ROWS, outputs)
    return window


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("x_dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("outputs", "inputs"), [(7, 80), (40, 33)])
def test_flow_products(outputs, inputs, dtype, x_dtype):
    """Rows behind the live ones keep what they hold."""
    rows = 2
    window = _window(rows, outputs)
    x = torch.randn(80, inputs).to(x_dtype)
    weight, bias = (torch.randn(outputs, inputs) / 6).to(dtype), torch.randn(outputs)
    packed = pack(weight, "float32" if dtype == torch.float32 else "bfloat16")
    outs = [torch.randn(80, outputs) for _ in range(3)]
    wants = [out.clone() for out in outs]
    given = x.to(dtype).float()
    for gelu, want, out in zip((False, True), wants, outs, strict=False):
        reference.gemm.flow_linear(window, given, packed, bias, want, rows, gelu)
        flow_linear.flow_linear(
            window.state, x, weight, bias, out, rows, gelu, precision="ieee"
        ).run()
    reference.gemm.flow_gated_linear(window, given, packed, None, 3, wants[2])
    flow_linear.flow_gated_linear(
        window.state, TABLE_ROWS, x, weight, None, 3, outs[2], rows, "ieee"
    ).run()
    for out, want in zip(outs, wants, strict=True):
        torch.testing.assert_close(out, want, atol=LOW[dtype], rtol=LOW[dtype])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(1, 1, 1), (67, 20, 40), (3, 70, 165)])
def test_int8_products(rows, outputs, inputs, bias):
    """Exact on the integers; and as near to the reference as half a step of each input allows."""
    torch.manual_seed(0)
    x, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    packed = reference.quantize.quantize(weight, FORMATS["int8"])
    bias = torch.randn(outputs) if bias else None
    values, scales = torch.empty(rows, inputs, dtype=torch.int8), torch.empty(rows)
    int8_linear.quantize_rows(x, values, scales).run()
    rounded = values.float() * scales[:, None]
    assert values.abs().amax() == 127
    assert ((x - rounded).abs() <= scales[:, None] * 0.5001).all()
    out = torch.empty(rows, outputs)
    int8_linear.int8_linear(values, scales, packed, bias, out).run()
    want = reference.linear.linear(rounded, packed, bias)
    torch.testing.assert_close(out, want, atol=1e-4, rtol=1e-5)


def test_refusals():
    window = _window(1, 7)
    x, weight, out = torch.randn(80, 6), torch.randn(7, 6), torch.randn(80, 7)
    with pytest.raises(ValueError, match="x is"):
        flow_linear.flow_linear(window.state, x[:3], weight, None, out, 1)
    with pytest.raises(ValueError, match="out is torch.bfloat16"):
        flow_linear.flow_gated_linear(window.state, 4, x, weight, None, 0, out.bfloat16(), 1)
    with pytest.raises(ValueError, match="rows .4. of a table of 4"):
        flow_linear.flow_gated_linear(window.state, 4, x, weight, None, 4, out, 1)
    packed = reference.quantize.quantize(weight, FORMATS["int4"])
    with pytest.raises(ValueError, match="INT4, must be INT8"):
        int8_linear.int8_linear(x.to(torch.int8), torch.ones(80), packed, None, out)
