"""GPTQ and AWQ against rounding to nearest, on inputs that are correlated and uneven."""

import pytest
import torch
from torch import Tensor

from omnirt.formats import FORMATS, Integers, unpack
from omnirt.quantization.awq import awq, find_scale
from omnirt.quantization.gptq import gptq
from omnirt.quantization.methods import METHODS, round_weight
from omnirt.quantization.rtn import rtn
from omnirt.quantization.statistics import Statistics

FORMAT_NAMES = list(FORMATS)
every_format = pytest.mark.parametrize("name", FORMAT_NAMES)


def inputs(rows: int, k: int, seed: int = 0) -> Tensor:
    """Of rank k / 4 and noise, some inputs 20 times as large as others."""
    g = torch.Generator().manual_seed(seed)
    low = torch.randn(rows, max(k // 4, 1), generator=g)
    x = low @ torch.randn(low.shape[1], k, generator=g) + 0.3 * torch.randn(rows, k, generator=g)
    x[:, ::37] *= 20
    return x


def weights(n: int, k: int, seed: int = 1) -> Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


def observed(x: Tensor, slab: int = 4096) -> Statistics:
    statistics = Statistics(x.shape[1], slab)
    for part in x.split(100):
        statistics.add(part)
    return statistics


def error(found: Integers, weight: Tensor, x: Tensor) -> float:
    return float((x @ (found.dequantize() - weight).T).norm() / (x @ weight.T).norm())


@every_format
def test_gptq_is_better_than_rounding(name):
    weight, x, unseen = weights(70, 300), inputs(900, 300), inputs(900, 300)[450:]
    found = gptq(weight, observed(x), FORMATS[name])
    assert error(found, weight, unseen) < 0.6 * error(rtn(weight, FORMATS[name]), weight, unseen)


@every_format
def test_awq_is_better_than_rounding(name):
    weight, x, format = weights(70, 300), inputs(900, 300), FORMATS[name]
    seen = observed(x)
    scale = find_scale([weight], seen, format)
    found = awq(weight * scale, seen.scaled(scale), format)
    folded = error(found, weight * scale, x / scale)
    assert folded < 0.8 * error(rtn(weight, format), weight, x)


@pytest.mark.parametrize("name", [n for n in FORMAT_NAMES if n != "int8"])
def test_clipping_alone_helps(name):
    weight, x, format = weights(70, 300), inputs(900, 300), FORMATS[name]
    weight[::5, ::50] *= 4
    assert error(awq(weight, observed(x), format), weight, x) < error(
        rtn(weight, format), weight, x
    )


def test_slabs_count_correlations_inside_them():
    weight, x, format = weights(33, 512), inputs(900, 512), FORMATS["int4"]
    whole, halves = gptq(weight, observed(x), format), gptq(weight, observed(x, 256), format)
    rounded = error(rtn(weight, format), weight, x)
    assert error(whole, weight, x) < error(halves, weight, x) < 0.8 * rounded


@every_format
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (33, 130), (16, 257)], ids=str)
@pytest.mark.parametrize("method", [gptq, awq])
def test_odd_sizes(name, shape, method):
    weight, x = weights(*shape), inputs(50, shape[1])
    found = method(weight, observed(x), FORMATS[name])
    assert found.values.shape == shape
    assert error(found, weight, x) <= 1.01 * error(rtn(weight, FORMATS[name]), weight, x) + 1e-6


@every_format
@pytest.mark.parametrize("method", [gptq, awq])
def test_zero_rows_and_inputs_that_never_came(name, method):
    weight, x = weights(20, 200), inputs(100, 200)
    weight[3], weight[5, 64:] = 0, 0
    x[:, 150:] = 0
    found = method(weight, observed(x), FORMATS[name])
    assert (found.dequantize()[3] == 0).all()
    assert found.dequantize().isfinite().all()
    far = found.dequantize()[:, 150:] - weight[:, 150:]
    near = rtn(weight, FORMATS[name]).dequantize()[:, 150:] - weight[:, 150:]
    assert far.norm() < 1.6 * near.norm()


@every_format
@pytest.mark.parametrize("method", [gptq, awq])
def test_extreme_weights_stay_in_range(name, method):
    weight, x = weights(20, 256), inputs(100, 256)
    weight[:, 7], weight[2] = 1e4, -1e4
    found = method(weight, observed(x), FORMATS[name])
    low, high = (-127, 127) if FORMATS[name].bits == 8 else (0, 15)
    assert low <= int(found.values.min()) <= int(found.values.max()) <= high
    assert found.dequantize().isfinite().all()


def test_nothing_seen_is_rounding():
    weight, format = weights(9, 140), FORMATS["int4"]
    found = gptq(weight, Statistics(140), format)
    assert torch.equal(found.values, rtn(weight, format).values)


@pytest.mark.parametrize("method", METHODS)
def test_a_weight_is_rounded_a_few_rows_at_a_time(method, monkeypatch):
    weight, seen, format = weights(40, 300), observed(inputs(400, 300)), FORMATS["int4-32-zero"]
    whole = unpack(round_weight(weight, seen, format, method))
    monkeypatch.setattr("omnirt.quantization.methods.ROWS", 16)
    parts = unpack(round_weight(weight, seen, format, method))
    assert torch.equal(parts.zeros, whole.zeros)
    assert torch.equal(parts.scales, whole.scales)
    assert (parts.values == whole.values).float().mean() > 0.999
