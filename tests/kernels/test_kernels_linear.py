"""Products with dense and packed weights: kernels against the reference."""

import pytest
import torch

from omnirt import formats
from omnirt.kernels import gemm, gemv, split
from omnirt.ops import reference


def weights(name: str, n: int, k: int):
    """A weight of a format, or of a dtype, and float32 what it stands for."""
    values = torch.randn(n, k)
    if name in formats.FORMATS:
        packed = reference.quantize.quantize(values, formats.FORMATS[name])
        return packed, packed.dequantize()
    values = values.to(getattr(torch, name))
    return values, values.float()


KINDS = ["float32", "bfloat16", *formats.FORMATS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "k", "programs"), [(5, 40, 1), (37, 600, 8)])
def test_gemv(kind, n, k, programs, monkeypatch):
    monkeypatch.setattr(split, "PROGRAMS", programs)
    monkeypatch.setattr(gemv, "CHUNKS", 32)
    monkeypatch.setattr(gemv, "INPUTS", 128)
    weight, dense = weights(kind, n, k)
    x, bias, out = torch.randn(1, k), torch.randn(n), torch.empty(1, n)
    scratch = split.new_scratch(n)
    for _ in range(2):  # the counters are left at 0
        gemv.gemv(x, weight, bias, out, scratch).run()
        torch.testing.assert_close(out, x @ dense.T + bias, atol=1e-3, rtol=1e-4)
    assert not scratch.counts.any()


@pytest.mark.parametrize("kind", ["bfloat16", "int8", "int4-zero"])
def test_gated_gemv(kind):
    weight, dense = weights(kind, 64, 600)
    x, out = torch.randn(1, 600), torch.empty(1, 32)
    gemv.gemv(x, weight, None, out, split.new_scratch(64), gated=True).run()
    gate, up = (x @ dense.T).chunk(2, 1)
    want = reference.activation.silu_mul(gate, up)
    torch.testing.assert_close(out, want, atol=1e-2, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "programs"), [(3, 8), (20, 1)])
def test_gemm(kind, rows, programs, monkeypatch):
    monkeypatch.setattr(split, "PROGRAMS", programs)
    monkeypatch.setattr(gemm, "SIZES", {True: (32, 16, 4, 2), False: (32, 16, 4, 2)})
    n, k = 37, 300
    weight, dense = weights(kind, n, k)
    dtype = torch.float32 if kind == "float32" else torch.bfloat16
    x = torch.randn(rows, k).to(dtype)
    bias, out, scratch = torch.randn(n), torch.empty(rows, n), split.new_scratch(n, rows)
    laid = x
    if isinstance(weight, formats.Quantized):
        laid = torch.empty(rows, gemm.arranged_width(weight), dtype=dtype)
        gemm.arrange(x, weight, laid).run()
    gemm.gemm(laid, weight, bias, out, scratch).run()
    if "int4" in kind:
        dense = dense.to(dtype).float()  # unpacked into the matrix instructions' dtype
    torch.testing.assert_close(out, x.float() @ dense.T + bias, atol=1e-3, rtol=1e-4)
    assert not scratch.counts.any()


def test_refusals():
    weight, scratch = torch.randn(12, 8), split.new_scratch(12)
    with pytest.raises(ValueError, match="x is"):
        gemv.gemv(torch.randn(2, 8), weight, None, torch.empty(2, 12), scratch)
    with pytest.raises(ValueError, match="halves"):
        gemv.gemv(torch.randn(1, 8), weight, None, torch.empty(1, 6), scratch, gated=True)
    small = split.Scratch(torch.empty(1), torch.zeros(0))
    with pytest.raises(ValueError, match="scratch"):
        gemv.gemv(torch.randn(1, 8), weight, None, torch.empty(1, 12), small)


def test_gemm_refusals():
    scratch, out = split.new_scratch(12), torch.empty(2, 12)
    packed, _ = weights("int8", 12, 40)
    with pytest.raises(ValueError, match="must have 64 columns"):
        gemm.gemm(torch.randn(2, 40), packed, None, out, scratch)
    with pytest.raises(ValueError, match="out is"):
        gemm.gemm(torch.randn(2, 40), torch.randn(9, 40), None, out, scratch)
    with pytest.raises(ValueError, match="arrange: out"):
        gemm.arrange(torch.randn(2, 40), packed, out)
    with pytest.raises(ValueError, match="the weight"):
        gemm.arrange(torch.randn(2, 39), packed, out)
