"""Triton kernels in Triton's interpreter, against the reference."""

import pytest
import torch

pytest.importorskip("triton", reason="the kernels need triton")

from omnirt.kernels import activation, norm
from omnirt.ops import reference

SHAPES = [(1, 1), (3, 7), (2, 5, 130), (4, 2048)]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm(shape):
    x, weight = torch.randn(shape), torch.randn(shape[-1])
    want = reference.norm.rms_norm(x, weight, 1e-6)
    torch.testing.assert_close(norm.rms_norm(x, weight, 1e-6), want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_add_rms_norm(shape):
    x, delta, weight = torch.randn(shape), torch.randn(shape), torch.randn(shape[-1])
    want = reference.norm.add_rms_norm(x, delta, weight, 1e-6)
    got = norm.add_rms_norm(x, delta, weight, 1e-6)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [*SHAPES, (3, 1000)])
def test_silu_mul(shape):
    gate, up = torch.randn(shape) * 5, torch.randn(shape)
    want = reference.activation.silu_mul(gate, up)
    torch.testing.assert_close(activation.silu_mul(gate, up), want, atol=1e-5, rtol=1e-5)


def test_refusals():
    x = torch.randn(4, 6)
    with pytest.raises(ValueError, match="weight"):
        norm.rms_norm(x, torch.randn(5), 1e-6)
    with pytest.raises(ValueError, match="contiguous"):
        norm.rms_norm(x.T, torch.randn(4), 1e-6)
    with pytest.raises(ValueError, match="delta"):
        norm.add_rms_norm(x, torch.randn(4, 5), torch.randn(6), 1e-6)
    with pytest.raises(ValueError, match="up"):
        activation.silu_mul(x, torch.randn(3, 6))
