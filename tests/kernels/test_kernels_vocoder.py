"""The vocoder's Triton kernels and convolutions in Triton's interpreter, against the references."""

import pytest
import torch

pytest.importorskip("triton", reason="the kernels need triton")

from omnirt.kernels import conv, vocoder_conv, vocoder_pointwise, vocoder_snake, vocoder_upsample
from omnirt.ops import reference
from omnirt.ops.packed_conv import pack_conv, pack_conv_transpose

CAPACITY = 90
LOW = {torch.float32: 1e-5, torch.bfloat16: 3e-2}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def _span(first: int, rows: int) -> torch.Tensor:
    return torch.tensor([first, rows], dtype=torch.int32)


def _close(got, want, tolerance=1e-5):
    torch.testing.assert_close(got.float(), want.float(), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("channels", "outputs", "taps", "dilation", "span"),
    [
        (24, 24, 3, 1, (3, 70)),
        (5, 1, 7, 1, (0, 66)),
        (35, 70, 3, 5, (20, 7)),
        (1, 9, 11, 3, (1, 64)),
        (3, 3, 1, 1, (0, 1)),
    ],
)
def test_conv(channels, outputs, taps, dilation, span, dtype):
    """Also what is added to, and what lies behind the span: nothing touches it."""
    weight = (torch.randn(outputs, channels, taps) / 4).to(dtype)
    x, out = torch.randn(CAPACITY, channels).to(dtype), torch.randn(CAPACITY, outputs)
    span, want = _span(*span), out.clone()
    stored, packed = vocoder_conv.by_taps(weight), pack_conv(weight)
    for add, bias in ((False, torch.randn(outputs)), (True, None)):
        reference.vocoder.vocoder_conv(span, x.float(), packed, bias, dilation, want, add)
        vocoder_conv.vocoder_conv(span, x, stored, bias, dilation, out, add, "ieee").run()
    _close(out, want, LOW[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("channels", "outputs", "rate", "padding", "span"),
    [(24, 12, 5, 3, (2, 15)), (35, 17, 3, 2, (0, 9)), (6, 3, 2, 1, (1, 40)), (2, 1, 1, 0, (0, 3))],
)
def test_upsample(channels, outputs, rate, padding, span, dtype):
    weight = (torch.randn(channels, outputs, rate + 2 * padding) / 4).to(dtype)
    x, out = torch.randn(CAPACITY, channels).to(dtype), torch.randn(CAPACITY, outputs)
    bias, span, want = torch.randn(outputs), _span(*span), out.clone()
    packed = pack_conv_transpose(weight)
    reference.vocoder.vocoder_upsample(span, x.float(), packed, bias, rate, padding, want)
    stored = vocoder_conv.by_taps(weight, transposed=True)
    vocoder_upsample.vocoder_upsample(span, x, stored, bias, rate, padding, out, "ieee").run()
    _close(out, want, LOW[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [8, 5])
@pytest.mark.parametrize("span", [(0, 90), (4, 33), (2, 17), (7, 5), (3, 1)])
def test_snake(channels, span, dtype):
    x, out = (torch.randn(CAPACITY, channels) * 3).to(dtype), torch.randn(CAPACITY, channels)
    alpha, beta = torch.randn(2, channels)
    span, want = _span(*span), out.clone()
    reference.vocoder.vocoder_snake(span, x.float(), alpha, beta, want)
    vocoder_snake.vocoder_snake(span, x, alpha, beta, out).run()
    _close(out, want, 2e-5)


def test_the_filter_is_the_references():
    once, twice = ([getattr(vocoder_snake, f"_{k}{i}").value for i in range(6)] for k in "FU")
    assert (*once, *once[::-1]) == reference.vocoder.TAPS
    assert twice == [2 * tap for tap in once]


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_mean_and_clamp(parts):
    span, given = _span(5, 61), [torch.randn(CAPACITY, 19) for _ in range(parts)]
    out = torch.randn(CAPACITY, 19)
    want = out.clone()
    reference.vocoder.vocoder_mean(span, given, want)
    vocoder_pointwise.vocoder_mean(span, given, out).run()
    _close(out, want)
    reference.vocoder.vocoder_clamp(span, given[0], 0.7, 0.2, want)
    vocoder_pointwise.vocoder_clamp(span, given[0], 0.7, 0.2, out).run()
    _close(out, want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("batch", "channels", "outputs", "taps", "settings"),
    [
        (2, 20, 33, 3, {"padding": 1}),
        (1, 7, 65, 3, {"padding": 1, "stride": 2}),
        (1, 33, 5, 5, {"dilation": 3}),
        (1, 1, 1, 1, {}),
    ],
)
def test_conv1d(batch, channels, outputs, taps, settings, dtype):
    x, weight = torch.randn(batch, channels, 71), torch.randn(outputs, channels, taps) / 4
    x, weight, bias = x.to(dtype), weight.to(dtype), torch.randn(outputs)
    want = reference.conv.conv1d(x, weight, bias, **settings)
    out = torch.empty_like(want)
    conv.conv1d(x, weight, bias, out, precision="ieee", **settings).run()
    _close(out, want, LOW[dtype])


def test_refusals():
    span, x, out = _span(0, 9), torch.randn(9, 4), torch.randn(9, 4)
    weight, vector = torch.randn(3, 4, 4), torch.randn(4)
    with pytest.raises(ValueError, match="2 taps"):
        vocoder_conv.vocoder_conv(span, x, weight[:2], None, 1, out)
    with pytest.raises(ValueError, match="span is torch.int64"):
        vocoder_conv.vocoder_conv(span.long(), x, weight, None, 1, out)
    with pytest.raises(ValueError, match="weight is torch.float64"):
        vocoder_conv.vocoder_conv(span, x, weight.double(), None, 1, out)
    with pytest.raises(ValueError, match="3 taps, rate 2, padding 1"):
        vocoder_upsample.vocoder_upsample(span, x, weight, None, 2, 1, out)
    with pytest.raises(ValueError, match="alpha"):
        vocoder_snake.vocoder_snake(span, x, vector[:3], vector, out)
    with pytest.raises(ValueError, match="4 parts"):
        vocoder_pointwise.vocoder_mean(span, [x] * 4, out)
    with pytest.raises(ValueError, match="stride=0"):
        conv.conv1d(x[None], weight, None, out[None], stride=0)
