"""The vocoder's layers against sums in float64: odd sizes, spans inside larger buffers."""

import pytest
import torch
from torch.nn import functional as F

from omnirt import _core, ops
from omnirt.errors import EngineError
from omnirt.ops.reference.vocoder import TAPS

FIRST = 3  # of the spans: rows before and after are not to be read
MARK = 7.0  # in rows of the output that are not to be written


def _span(rows: int) -> torch.Tensor:
    return torch.tensor([FIRST, rows], dtype=torch.int32)


def _signal(randn, rows: int, channels: int) -> torch.Tensor:
    """A signal for ``_span(rows)`` whose other rows would show in any result."""
    x = torch.full((FIRST + rows + 2, channels), 1e6)
    x[FIRST : FIRST + rows] = randn(rows, channels)
    return x


def _inside(x: torch.Tensor, rows: int) -> torch.Tensor:  # [R, C] -> float64 [1, C, rows]
    return x[FIRST : FIRST + rows].double().T[None]


def _check(agree, name: str, args: tuple, want: torch.Tensor, error: float) -> None:
    """The op writes ``want`` within ``error`` of its peak, on both backends, and no further."""
    *_, out = args
    agree(name, *args, atol=error * want.abs().max().item(), rtol=0)
    before, rows = out.clone(), len(want)
    getattr(ops, name)(*args)
    assert ((out[:rows] - want).abs().max() <= error * want.abs().max()).item()
    assert torch.equal(out[rows:], before[rows:])


CONVS = [
    # channels, outputs, taps, dilation, rows
    (1, 1, 1, 1, 1),
    (3, 24, 3, 1, 2),
    (24, 24, 3, 5, 50),
    (24, 1, 7, 1, 33),
    (30, 17, 5, 3, 7),
    (30, 30, 1, 1, 40),
    (96, 96, 7, 5, 21),
    (96, 130, 11, 5, 50),
    (200, 24, 11, 3, 4),
    (3, 3, 11, 1, 300),
]


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(("channels", "outputs", "taps", "dilation", "rows"), CONVS)
def test_conv_is_the_sum(agree, randn, channels, outputs, taps, dilation, rows, with_bias):
    x, weight = _signal(randn, rows, channels), randn(outputs, channels, taps)
    bias = randn(outputs) if with_bias else None
    padding = dilation * (taps // 2)
    want = F.conv1d(_inside(x, rows), weight.double(), None, 1, padding, dilation)[0].T
    want = want if bias is None else want + bias
    out = torch.full((rows + 3, outputs), MARK)
    args = (_span(rows), x, ops.pack_conv(weight), bias, dilation, out)
    _check(agree, "vocoder_conv", args, want, 4e-6)


def test_conv_adds_to_what_is_there(isa, randn):
    rows, channels = 19, 24
    x, packed = _signal(randn, rows, channels), ops.pack_conv(randn(channels, channels, 3))
    alone, residual = torch.zeros(rows, channels), randn(rows, channels)
    ops.vocoder_conv(_span(rows), x, packed, None, 1, alone)
    out = residual.clone()
    assert ops.vocoder_conv(_span(rows), x, packed, None, 1, out, add=True) is out
    torch.testing.assert_close(out, residual + alone)


@pytest.mark.parametrize("weight_shape", [(30, 24, 7), (1, 3, 1), (16, 5, 3), (40, 2, 11)])
def test_packed_weights_come_back(randn, weight_shape):
    weight = randn(*weight_shape)
    torch.testing.assert_close(ops.pack_conv(weight).dense(), weight, atol=1e-6, rtol=0)
    assert torch.equal(ops.pack_conv_transpose(weight).dense(), weight)


@pytest.mark.parametrize("pack", [ops.pack_conv, ops.pack_conv_transpose])
def test_packing_takes_stored_weights(randn, pack):
    weight = randn(20, 6, 5, dtype=torch.bfloat16)
    torch.testing.assert_close(pack(weight).dense(), weight.float(), atol=1e-6, rtol=0)


def test_packing_refuses_what_is_no_convolution(randn):
    for weight in (randn(4, 4, 2), randn(4, 4)):
        with pytest.raises(EngineError, match="odd K"):
            ops.pack_conv(weight)
    with pytest.raises(EngineError, match=r"\[C, O, K\]"):
        ops.pack_conv_transpose(randn(4, 4))


@pytest.mark.parametrize("rows", [1, 2, 13, 50])
@pytest.mark.parametrize(
    ("channels", "outputs", "taps", "rate"), [(30, 17, 11, 5), (24, 96, 7, 3), (100, 1, 4, 2)]
)
def test_upsample_spreads_each_row(agree, randn, channels, outputs, taps, rate, rows):
    x, weight, bias = _signal(randn, rows, channels), randn(channels, outputs, taps), randn(outputs)
    padding = (taps - rate) // 2
    want = F.conv_transpose1d(_inside(x, rows), weight.double(), None, rate, padding)[0].T + bias
    out = torch.full((rows * rate + 3, outputs), MARK)
    args = (_span(rows), x, ops.pack_conv_transpose(weight), bias, rate, padding, out)
    _check(agree, "vocoder_upsample", args, want, 1e-6)


def _snake(x, alpha, beta):  # [rows, C], in float64; indices beyond the ends are clamped
    """Sample by sample."""

    def at(signal, i):
        return signal[min(max(i, 0), len(signal) - 1)]

    v = []
    for n in range(len(x)):
        v.append(2 * sum(at(x, n + d) * TAPS[5 - 2 * d] for d in range(-3, 3)))
        v.append(2 * sum(at(x, n + d) * TAPS[6 - 2 * d] for d in range(-2, 4)))
    v = torch.stack(v)
    v = v + (alpha.exp() * v).sin() ** 2 / (beta.exp() + 1e-9)
    return torch.stack(
        [sum(TAPS[k] * at(v, 2 * n + k - 5) for k in range(12)) for n in range(len(x))]
    )


@pytest.mark.parametrize("channels", [1, 3, 24, 200])
@pytest.mark.parametrize("rows", [1, 2, 5, 12, 13, 50, 150])
def test_snake_is_the_formula(agree, randn, rows, channels):
    x, alpha, beta = _signal(randn, rows, channels), 0.5 * randn(channels), 0.5 * randn(channels)
    want = _snake(x[FIRST : FIRST + rows].double(), alpha.double(), beta.double())
    out = torch.full((rows + 3, channels), MARK)
    _check(agree, "vocoder_snake", (_span(rows), x, alpha, beta, out), want, 1.5e-6)


def test_snake_takes_large_signals(agree, randn):
    x = 1000 * randn(40, 24)
    span = torch.tensor([0, 40], dtype=torch.int32)
    want = _snake(x.double(), torch.ones(24).double(), -torch.ones(24).double())
    args = (span, x, torch.ones(24), -torch.ones(24), torch.zeros(40, 24))
    _check(agree, "vocoder_snake", args, want, 1e-6)


def test_mean_and_clamp(agree, randn):
    rows, out = 21, torch.full((30, 5), MARK)
    parts = [_signal(randn, rows, 5) for _ in range(3)]
    want = sum(_inside(part, rows)[0].T for part in parts) / 3
    _check(agree, "vocoder_mean", (_span(rows), parts, out), want, 1e-6)
    want = (_inside(parts[0], rows)[0].T * 0.7 + 0.1).clamp(-1, 1)
    _check(agree, "vocoder_clamp", (_span(rows), parts[0], 0.7, 0.1, out), want, 1e-6)


class Layers:
    """Every op once, from one span."""

    def __init__(self, randn) -> None:
        self.span, self.x = _span(20), randn(40, 24)
        self.up, self.conv = (
            ops.pack_conv_transpose(randn(24, 24, 4)),
            ops.pack_conv(randn(24, 24, 7)),
        )
        self.out = [torch.zeros(80, 24) for _ in range(5)]

    def __call__(self) -> None:
        ops.vocoder_clamp(self.span, self.x, 0.5, 0.1, self.out[0])
        ops.vocoder_upsample(self.span, self.x, self.up, None, 2, 1, self.out[1])
        ops.vocoder_snake(self.span, self.x, self.x[0], self.x[1], self.out[2])
        ops.vocoder_conv(self.span, self.x, self.conv, self.x[2], 3, self.out[3])
        ops.vocoder_mean(self.span, [self.x, self.x], self.out[4])


def test_a_recorded_plan_follows_its_span(isa, randn):
    layers, plan = Layers(randn), _core.Plan("layers")
    with plan.recording():
        layers()
    for first, rows in [(0, 40), (5, 3), (17, 1), (4, 0)]:
        layers.span.copy_(torch.tensor([first, rows]))
        for out in layers.out:
            out.zero_()
        layers()
        eager = [out.clone() for out in layers.out]
        for out in layers.out:
            out.zero_()
        plan.run()
        assert all(torch.equal(a, b) for a, b in zip(eager, layers.out, strict=True))
        assert not any(out[rows * 2 :].any() for out in layers.out)


def test_windows_of_one_signal_agree(isa, randn):
    x, packed, rows = randn(120, 48), ops.pack_conv(randn(48, 48, 7)), 60
    whole, part = torch.zeros(120, 48), torch.zeros(120, 48)
    ops.vocoder_conv(torch.tensor([0, 120], dtype=torch.int32), x, packed, None, 3, whole)
    ops.vocoder_conv(torch.tensor([33, rows], dtype=torch.int32), x, packed, None, 3, part)
    reach = 9
    difference = part[reach : rows - reach] - whole[33 + reach : 33 + rows - reach]
    assert difference.abs().max() < 4e-6 * whole.abs().max()


@pytest.mark.parametrize("span", [(-1, 5), (0, 11), (8, 3), (0, 10)])
def test_spans_beyond_the_buffers_are_refused(randn, span):
    x, out = randn(10, 3), torch.zeros(9, 3)
    with pytest.raises(ValueError, match=r"vocoder_clamp: span \("):
        ops.vocoder_clamp(torch.tensor(span, dtype=torch.int32), x, 1.0, 0.0, out)


def test_what_does_not_fit_is_refused(randn):
    span, x, out = _span(4), randn(10, 8), torch.zeros(40, 8)
    with pytest.raises(ValueError, match="reach too far"):
        ops.vocoder_conv(span, x, ops.pack_conv(randn(8, 8, 11)), None, 40, out)
    with pytest.raises(ValueError, match="packed for other outputs"):
        ops.vocoder_conv(span, x, ops.pack_conv(randn(20, 8, 3)), None, 1, out)
    with pytest.raises(ValueError, match="do not fit a kernel of 4 taps"):
        ops.vocoder_upsample(span, x, ops.pack_conv_transpose(randn(8, 8, 4)), None, 3, 1, out)
    with pytest.raises(ValueError, match="5 parts"):
        ops.vocoder_mean(span, [x] * 5, out)
