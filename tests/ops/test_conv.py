"""Convolutions over time against their sums."""

import itertools

import pytest
import torch

from omnirt import ops

BACKENDS = ("reference", "cpu")


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
def test_conv1d_takes_bfloat16_weights_and_no_bias(backend):
    x, w = _randn(1, 5, 9), _randn(4, 5, 3, seed=1).bfloat16()
    with ops.use(backend):
        got = ops.conv1d(x, w, None)
    torch.testing.assert_close(got, _plain_conv(x, w.float(), torch.zeros(4), 1, 0, 1))
