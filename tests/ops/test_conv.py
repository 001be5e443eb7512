"""Convolutions and the alias-free snake against their sums and against transformers 4.57.1."""

import itertools

import pytest
import torch

from omnirt import ops
from omnirt.errors import EngineError
from omnirt.ops.reference.conv import TAPS

BACKENDS = ("reference", "cpu")
LENGTHS = (1, 2, 3, 5, 6, 11, 12, 13, 64, 101)


def _randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _plain_conv(x, w, b, stride, padding, dilation):
    length = (x.shape[2] + 2 * padding - dilation * (w.shape[2] - 1) - 1) // stride + 1
    y = b[None, :, None].repeat(x.shape[0], 1, length)
    for t, k in itertools.product(range(length), range(w.shape[2])):
        source = t * stride + k * dilation - padding
        if 0 <= source < x.shape[2]:
            y[:, :, t] += x[:, :, source] @ w[:, :, k].T
    return y


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 3, 1), (2, 1, 1), (1, 15, 5)])
def test_conv1d_is_the_sum(backend, stride, padding, dilation):
    x, w, b = _randn(2, 5, 23), _randn(4, 5, 7, seed=1), _randn(4, seed=2)
    with ops.use(backend):
        got = ops.conv1d(x, w, b, stride=stride, padding=padding, dilation=dilation)
    torch.testing.assert_close(got, _plain_conv(x, w, b, stride, padding, dilation))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("rate", "kernel"), [(5, 11), (3, 7), (2, 4)])
def test_conv_transpose1d_spreads_each_sample(backend, rate, kernel):
    x, w, b = _randn(1, 6, 13), _randn(6, 3, kernel, seed=1), _randn(3, seed=2)
    padding = (kernel - rate) // 2
    want = torch.zeros(1, 3, 12 * rate + kernel)
    for t, k in itertools.product(range(13), range(kernel)):
        want[:, :, t * rate + k] += x[:, :, t] @ w[:, :, k]
    with ops.use(backend):
        got = ops.conv_transpose1d(x, w, b, rate, padding)
    assert got.shape[2] == 13 * rate
    torch.testing.assert_close(got, want[..., padding : padding + 13 * rate] + b[:, None])


@pytest.mark.parametrize("backend", BACKENDS)
def test_conv1d_takes_bfloat16_weights_and_no_bias(backend):
    x, w = _randn(1, 5, 9), _randn(4, 5, 3, seed=1).bfloat16()
    with ops.use(backend):
        got = ops.conv1d(x, w, None)
    torch.testing.assert_close(got, _plain_conv(x, w.float(), torch.zeros(4), 1, 0, 1))


def _plain_snake(x, alpha, beta):
    """One channel, sample by sample, in float64. Indices beyond the ends are clamped."""

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


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("length", LENGTHS)
def test_snake_is_the_formula(backend, length):
    x, alpha, beta = _randn(2, 3, length), _randn(3, seed=1) * 0.5, _randn(3, seed=2) * 0.5
    rows = [
        torch.stack([_plain_snake(*c) for c in zip(b, alpha.double(), beta.double(), strict=True)])
        for b in x.double()
    ]
    with ops.use(backend):
        got = ops.snake(x, alpha, beta)
    torch.testing.assert_close(got, torch.stack(rows).float(), atol=3e-6, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("length", LENGTHS)
def test_snake_is_the_released_one(backend, length):
    from hf_token2wav import released

    x, alpha, beta = _randn(1, 7, length), _randn(7, seed=1) * 0.5, _randn(7, seed=2) * 0.5
    theirs = released.TorchActivation1d(activation=released.SnakeBeta(7))
    theirs.act.alpha.data, theirs.act.beta.data = alpha, beta
    assert theirs.upsample.filter.flatten().tolist() == torch.tensor(TAPS).tolist()
    assert theirs.downsample.filter.flatten().tolist() == torch.tensor(TAPS).tolist()
    with ops.use(backend):
        got = ops.snake(x, alpha, beta)
    with torch.no_grad():
        torch.testing.assert_close(got, theirs(x), atol=3e-6, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("x", "alpha", "beta"), [((3, 9), 3, 3), ((1, 3, 9), 9, 3), ((1, 3, 9), 3, 1)]
)
def test_snake_refuses_other_shapes(backend, x, alpha, beta):
    with ops.use(backend), pytest.raises(EngineError, match=r"alpha, beta \[C\]"):
        ops.snake(_randn(*x), _randn(alpha), _randn(beta))
