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


def close(got, want, tolerance=1e-5):
    torch.testing.assert_close(got.float(), want, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rms_norm(shape, dtype):
    x, weight = torch.randn(shape).to(dtype), torch.randn(shape[-1])
    out = torch.empty(shape)
    norm.rms_norm(x, weight, 1e-6, out).run()
    close(out, reference.norm.rms_norm(x, weight, 1e-6))


@pytest.mark.parametrize("shape", SHAPES)
def test_add_rms_norm(shape):
    x, delta, weight = torch.randn(shape), torch.randn(shape), torch.randn(shape[-1])
    total, want = reference.norm.add_rms_norm(x, delta, weight, 1e-6)
    out = torch.empty(shape, dtype=torch.bfloat16)
    norm.add_rms_norm(x, delta, weight, 1e-6, x, out).run()  # in place
    close(x, total)
    close(out, want.bfloat16().float())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm(shape, affine):
    x, out = torch.randn(shape) + 3, torch.empty(shape)
    weight, bias = torch.randn(2, shape[-1]) if affine else (None, None)
    norm.layer_norm(x, weight, bias, 1e-5, out).run()
    close(out, reference.norm.layer_norm(x, weight, bias, 1e-5))


@pytest.mark.parametrize("shape", [(1, 1), (3, 1030), (5, 64)])
def test_silu_mul(shape):
    both = torch.randn(shape[0], 2 * shape[1]) * 5
    gate, up = both[:, : shape[1]], both[:, shape[1] :]
    out = torch.empty(shape)
    activation.silu_mul(gate, up, out).run()
    close(out, reference.activation.silu_mul(gate, up))


@pytest.mark.parametrize("shape", [(1, 1), (3, 1030)])
def test_gelu(shape):
    x, out = torch.randn(shape) * 3, torch.empty(shape)
    activation.gelu(x, out).run()
    close(out, reference.activation.gelu(x))


def test_refusals():
    x, y = torch.randn(4, 6), torch.empty(4, 6)
    with pytest.raises(ValueError, match="weight"):
        norm.rms_norm(x, torch.randn(5), 1e-6, y)
    with pytest.raises(ValueError, match="x is"):
        norm.rms_norm(x.T, torch.randn(4), 1e-6, y)
    with pytest.raises(ValueError, match="delta"):
        norm.add_rms_norm(x, torch.randn(4, 5), torch.randn(6), 1e-6, x, y)
    with pytest.raises(ValueError, match="up"):
        activation.silu_mul(x, torch.randn(3, 6), y)
