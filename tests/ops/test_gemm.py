"""Packed weights: the layout, products against float64, live rows, recorded calls, refusals."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt import _core, ops
from omnirt.errors import InputError
from omnirt.ops.packed import Packed
from omnirt.ops.reference.gemm import quantize_rows
from omnirt.ops.window import FlowWindow

PRECISIONS = ["float32", "bfloat16", "int8"]
GATES = 5  # rows of a table


def rounding(precision: str) -> float:
    """Of a sum of k products; the amx set rounds rows that meet bfloat16 weights to 2^-17."""
    return 3e-5 if precision == "bfloat16" and _core.isa() == "amx" else 1e-5


@pytest.fixture
def window(randn):
    """window(frames, rows, n): one that has a table of two evaluations and is at the second."""

    def make(frames: int, rows: int, n: int) -> FlowWindow:
        made = FlowWindow(rows)
        made.frames, made.evaluation, made.table = frames, 1, randn(2, GATES, n)
        return made

    return make


def exact(x: Tensor, packed: Packed, bias: Tensor | None) -> Tensor:
    """What the product should be, in float64."""
    weight, bias = packed.stored().double(), 0 if bias is None else bias.double()
    if packed.precision != "int8":
        return x.double() @ weight.T + bias
    numbers, step = quantize_rows(x)
    return numbers @ weight.T * step.double() * packed.scale.double() + bias


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("k", [1, 7, 80, 1025])
@pytest.mark.parametrize("n", [1, 15, 17, 80])
@pytest.mark.parametrize("frames", [0, 1, 5, 50])
def test_equals_float64(isa, window, randn, precision, n, k, frames):
    x, packed, bias = randn(50, k), ops.pack(randn(n, k), precision), randn(n)
    out = torch.full((50, n), torch.inf)
    ops.flow_linear(window(frames, 1, n), x, packed, bias, out, 1)
    want = exact(x[:frames], packed, bias).float()
    torch.testing.assert_close(out[:frames], want, atol=rounding(precision) * k**0.5, rtol=1e-5)
    assert (out[frames:] == torch.inf).all()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("frames", "n", "k"), [(3, 80, 33), (60, 150, 1040), (530, 40, 70)])
def test_both_forms_on_both_backends(agree, window, randn, precision, frames, n, k):
    x, packed, bias = randn(2 * frames + 3, k), ops.pack(randn(n, k), precision), randn(n)
    state, start = window(frames, 2, n), randn(2 * frames + 3, n)
    atol = rounding(precision) * k**0.5
    for gelu in (False, True):
        agree("flow_linear", state, x, packed, bias, start, 2, gelu, atol=atol)
    agree("flow_linear", state, x, packed, None, start, 1, atol=atol)
    for gate in (0, GATES - 1):
        agree("flow_gated_linear", state, x, packed, bias, gate, start, atol=atol)
    agree("flow_gated_linear", state, x, packed, None, 2, start, atol=atol)


def test_gelu_is_accurate(isa, window):
    x = torch.linspace(-100, 100, 4001)[:, None]
    one = ops.pack(torch.ones(1, 1), "float32")
    got = ops.flow_linear(window(4001, 1, 1), x, one, None, torch.empty(4001, 1), 1, gelu=True)
    want = F.gelu(x.double(), approximate="tanh").float()
    torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_recorded_call_follows_the_window(isa, window, randn, precision):
    rows, n, k = 200, 40, 1040
    atol = 100 * rounding(precision)  # x grows to 4
    x, packed, bias = randn(rows, k), ops.pack(randn(n, k), precision), randn(n)
    state, out, total = window(100, 2, n), torch.zeros(rows, n), torch.zeros(rows, n)
    plan = _core.Plan("p")
    with plan.recording():
        ops.flow_linear(state, x, packed, bias, out, 2)
        ops.flow_gated_linear(state, x, packed, bias, 3, total)
    for frames, evaluation in [(100, 0), (1, 1), (37, 0)]:
        x.add_(1)
        out.zero_(), total.fill_(2)
        state.frames, state.evaluation = frames, evaluation
        plan.run()
        want = exact(x[: 2 * frames], packed, bias)
        torch.testing.assert_close(out[: 2 * frames], want.float(), atol=atol, rtol=1e-5)
        gated = 2 + state.table[evaluation, 3] * want
        torch.testing.assert_close(total[: 2 * frames], gated.float(), atol=atol, rtol=1e-5)
        assert (out[2 * frames :] == 0).all()
        assert (total[2 * frames :] == 2).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (33, 13), (16, 8)])
def test_packing_keeps_the_weight(randn, n, k, dtype):
    weight = randn(n, k, dtype=dtype)
    assert torch.equal(ops.pack(weight, "bfloat16").dense(), weight.bfloat16().float())
    assert torch.equal(ops.pack(weight, "float32").dense(), weight.float())
    packed = ops.pack(weight, "int8")
    assert ((packed.dense() - weight.float()).abs() <= 0.501 * packed.scale[:, None]).all()


def test_panels_hold_sixteen_outputs():
    weight = torch.arange(20 * 3).float().reshape(20, 3)
    data = ops.pack(weight, "float32").data
    assert data.shape == (2, 3, 16, 1)
    assert data[0, 1, :, 0].tolist() == weight[:16, 1].tolist()
    assert data[1, 2, :, 0].tolist() == [*weight[16:, 2].tolist(), *[0] * 12]
    assert ops.pack(weight, "int8").data.shape == (2, 16, 16, 4)
    pairs = ops.pack(weight, "bfloat16").data
    assert pairs.shape == (2, 16, 16, 2)
    assert pairs[0, 0, 5].tolist() == weight[5, :2].tolist()
    assert pairs[0, 1, 5].tolist() == [weight[5, 2].item(), 0]


@pytest.mark.parametrize("sign", [1, -1])
def test_int8_does_not_saturate(isa, window, sign):
    """Every weight alike and every activation at its largest: the sums that are nearest to 2^15."""
    k, weight = 64, torch.full((16, 64), 0.7 * sign)
    packed = ops.pack(weight, "int8")
    x = torch.full((4, k), 3.0)
    got = ops.flow_linear(window(4, 1, 16), x, packed, None, torch.empty(4, 16), 1)
    torch.testing.assert_close(got, exact(x, packed, None).float())
    torch.testing.assert_close(got, x @ weight.T, rtol=0.02, atol=0)


def test_int8_is_close_on_normal_numbers(isa, window, randn):
    x, weight = randn(48, 1024), randn(64, 1024)
    packed, out = ops.pack(weight, "int8"), torch.empty(48, 64)
    got, want = ops.flow_linear(window(48, 1, 64), x, packed, None, out, 1), x @ weight.T
    assert (got - want).norm() / want.norm() < 0.02


@pytest.mark.parametrize("precision", PRECISIONS)
def test_zeros_stay_zeros(isa, window, precision):
    packed = ops.pack(torch.zeros(17, 9), precision)
    out = ops.flow_linear(window(3, 1, 17), torch.zeros(3, 9), packed, None, torch.ones(3, 17), 1)
    assert (out == 0).all()


def test_refuses(window, randn):
    with pytest.raises(InputError, match="precision='int4': use one of float32, bfloat16, int8"):
        ops.pack(randn(2, 2), "int4")
    state, packed = window(4, 1, 20), ops.pack(randn(20, 8), "int8")
    with pytest.raises(ValueError, match=r"not that of a weight \[20, 65\]"):
        ops.flow_linear(state, randn(4, 65), packed, None, torch.empty(4, 20), 1)
    with pytest.raises(ValueError, match="window of 4 frames in 2 rows each, buffers of 4"):
        ops.flow_linear(state, randn(4, 8), packed, None, torch.empty(4, 20), 2)
    with pytest.raises(ValueError, match="gate is 5, expected 0 <= gate < 5"):
        ops.flow_gated_linear(state, randn(4, 8), packed, None, 5, torch.empty(4, 20))
