"""Activations, over the whole range where exp, tanh and erf bend."""

import pytest
import torch

from omnirt import ops

SHAPES = [(1, 1), (3, 5, 7), (2, 20000)]


@pytest.mark.parametrize("shape", SHAPES)
def test_silu_mul(agree, randn, shape):
    agree("silu_mul", 30 * randn(*shape), randn(*shape), atol=1e-6)


@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_gelu(agree, randn, shape, tanh):
    agree("gelu", 4 * randn(*shape), tanh, atol=2e-6)


def test_extremes(agree):
    x = torch.tensor([-1e30, -200.0, -88.0, -0.0, 0.0, 1e-30, 88.0, 200.0, 1e30])
    agree("silu_mul", x, torch.ones(9), atol=1e-6)
    agree("gelu", x, False, atol=1e-6)
    agree("gelu", x[1:-1], True, atol=1e-6)


def test_nan_stays_nan(isa):
    x = torch.tensor([torch.nan] * 9)
    assert ops.silu_mul(x, torch.ones(9)).isnan().all()
    assert ops.gelu(x).isnan().all()


def test_refuses_unequal_shapes(randn):
    with pytest.raises(ValueError, match="silu_mul: up has shape"):
        ops.silu_mul(randn(2, 4), randn(2, 5))
