"""Normalisations."""

import pytest
import torch

from omnirt import _core

SHAPES = [(1, 1), (3, 7), (2, 3, 64), (40, 1030)]
DTYPES = [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm(agree, randn, shape, dtype):
    agree("rms_norm", randn(*shape), randn(shape[-1], dtype=dtype), 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_add_rms_norm(agree, randn, shape, dtype):
    agree("add_rms_norm", randn(*shape), randn(*shape), randn(shape[-1], dtype=dtype), 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_layer_norm(agree, randn, shape, dtype):
    dim = shape[-1]
    agree("layer_norm", randn(*shape) + 5, randn(dim, dtype=dtype), randn(dim, dtype=dtype), 1e-5)


def test_layer_norm_without_weights(agree, randn):
    agree("layer_norm", randn(5, 33), None, None, 1e-6)


def test_refuses_another_width(randn):
    with pytest.raises(ValueError, match=r"rms_norm: x has shape \[2, 5\].*D=4"):
        _core.rms_norm(randn(2, 5), randn(4), 1e-6, torch.empty(2, 5))
    out = torch.empty(2, 4)
    with pytest.raises(ValueError, match="add_rms_norm: delta has shape"):
        _core.add_rms_norm(randn(2, 4), randn(3, 4), randn(4), 1e-6, out, out)
