"""Quantized weights: the layout bit for bit, products within the format's bound, replays."""

import pytest
import torch

from omnirt import _core, ops
from omnirt.formats import FORMATS, STEP, Format, Quantized, empty, pack, unpack

LONGEST = 512  # inputs whose products are summed before they are scaled
SHAPES = [(1, 1), (7, 5), (16, 32), (33, 130), (50, 288), (256, 256)]
FORMAT_NAMES = list(FORMATS)
every_format = pytest.mark.parametrize("name", FORMAT_NAMES)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def quantized(randn, name: str, shape: tuple[int, int], dtype=torch.float32) -> Quantized:
    with ops.use("reference"):
        return ops.quantize(randn(*shape, dtype=dtype), FORMATS[name])


def same(a: Quantized, b: Quantized) -> bool:
    parts = ((a.data, b.data), (a.scales, b.scales), (a.zeros, b.zeros))
    return all(x is y is None or torch.equal(x, y) for x, y in parts) and a.shape == b.shape


def part_of(weight: Quantized) -> int:
    """Inputs that share a scale when activations are rounded to 16 bits."""
    if weight.group <= LONGEST:
        return weight.group
    return LONGEST if weight.group % LONGEST == 0 or weight.group >= weight.shape[1] else STEP


def rounded(x: torch.Tensor, weight: Quantized) -> tuple[torch.Tensor, torch.Tensor]:
    """x as the kernels in force round it, and the step of each element; float64 [..., K].

    To 8 bits in blocks of 32, with tiles to 16 bits in parts of the weight's groups.
    """
    size, top = (part_of(weight), 127 * 256) if _core.isa() == "amx" else (STEP, 127)
    parts = torch.nn.functional.pad(x, (0, -x.shape[-1] % size)).unflatten(-1, (-1, size))
    most = parts.abs().amax(-1, keepdim=True)
    inverse = torch.tensor(float(top)) / most  # a number divided by a tensor is a reciprocal's
    numbers = (parts.double() * inverse.double()).round()
    near = torch.where(most > 0, numbers * (most / top).double(), 0.0)
    step = (most / top).double()
    return tuple(t.expand_as(parts).flatten(-2)[..., : x.shape[-1]] for t in (near, step))


@every_format
@every_shape
def test_unpacks_what_was_packed(randn, name, shape):
    weight = quantized(randn, name, shape)
    rows = unpack(weight)
    assert rows.values.shape == shape
    assert same(pack(rows), weight)


@every_format
@every_shape
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernel_quantizes_as_the_reference(isa, randn, name, shape, dtype):
    weight = randn(*shape, dtype=dtype)
    with ops.use("reference"):
        want = ops.quantize(weight, FORMATS[name])
    assert same(ops.quantize(weight, FORMATS[name]), want)


@every_format
@every_shape
def test_kernel_unpacks_as_the_reference(isa, randn, name, shape):
    weight = quantized(randn, name, shape)
    assert torch.equal(ops.embed(torch.arange(shape[0]), weight), weight.dequantize())


@every_format
def test_the_layout_is_as_drawn(name):
    """One known element per weight, found where the module's diagram puts it."""
    format, shape = FORMATS[name], (40, 288)
    n, k = 37, 262
    weight = torch.zeros(shape)
    weight[n, k] = 1.0
    with ops.use("reference"):
        packed = ops.quantize(weight, format)
    panel, output = divmod(n, 16)
    if format.bits == 8:
        assert packed.data[panel, k // 4, 4 * output + k % 4] == 127
        assert packed.data.count_nonzero() == 1
    else:
        byte = packed.data[panel, k // 8, 4 * output + k % 4]
        nibble = byte >> 4 if k % 8 >= 4 else byte & 15
        assert nibble == (15 if format.zero_point else 0)
        assert packed.scales[panel, k // format.group, output] != 0
    assert packed.scales.count_nonzero() == 1


@every_format
def test_rounds_to_the_nearest(randn, name):
    weight, format = randn(40, 300), FORMATS[name]
    packed = ops.quantize(weight, format)
    error = (packed.dequantize() - weight).abs()
    steps = unpack(packed).scales.float().abs().repeat_interleave(format.group or 300, 1)[:, :300]
    clipped = 0.5 if format.bits == 8 or format.zero_point else 1.0  # 7 steps above the middle
    assert (error <= steps * (clipped + 0.01)).all()
    assert (error <= steps * 0.51).float().mean() > 0.98


@every_format
@every_shape
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 16, 101])
def test_product_is_within_the_bound(isa, randn, name, shape, rows):
    weight, x, bias = quantized(randn, name, shape), randn(rows, shape[1]), randn(shape[0])
    exact_weight = weight.dequantize().double()
    near, step = rounded(x, weight)
    got = ops.linear(x, weight, bias).double() - bias.double()
    torch.testing.assert_close(got, near @ exact_weight.T, atol=2e-4, rtol=1e-5)
    bound = step / 2 @ exact_weight.abs().T + 2e-4
    assert ((got - x.double() @ exact_weight.T).abs() <= bound).all()


@every_format
def test_does_not_depend_on_threads_or_neighbours(agree, randn, name):
    weight, x = quantized(randn, name, (1100, 600)), randn(101, 600)
    before = _core.cores()
    results = []
    for cores in (1, 2):
        _core.set_cores(cores)
        results.append(ops.linear(x, weight))
    _core.set_cores(before)
    assert torch.equal(*results)
    for rows in (slice(0, 1), slice(1, 3), slice(3, 7), slice(90, 101)):
        assert torch.equal(ops.linear(x[rows], weight), results[0][rows])


@pytest.mark.parametrize("group", [96, 512, 640, 1024, None])
@pytest.mark.parametrize("rows", [1, 7])
def test_any_group(isa, randn, group, rows):
    with ops.use("reference"):
        weight = ops.quantize(randn(20, 1100), Format(4, group, zero_point=True))
    x = randn(rows, 1100)
    want = rounded(x, weight)[0] @ weight.dequantize().double().T
    torch.testing.assert_close(ops.linear(x, weight).double(), want, atol=2e-4, rtol=1e-5)


@every_format
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_extreme_values_do_not_saturate(isa, name, sign):
    """All weights and activations at the ends of their ranges, where 16-bit sums come closest."""
    format, k = FORMATS[name], 256
    weight = pack(_extreme(empty(format, (20, k))))
    x = torch.full((4, k), 1e3 * sign)
    x[1::2, ::2] *= -1
    want = x.double() @ weight.dequantize().double().T
    torch.testing.assert_close(ops.linear(x, weight).double(), want, atol=1e-2, rtol=1e-6)


def _extreme(weight: Quantized):
    rows = unpack(weight)
    low, high = (-127, 127) if weight.bits == 8 else (0, 15)
    rows.values[:], rows.values[::2], rows.values[::3, ::2] = low, high, low
    rows.scales[:] = 0.5
    if rows.zeros is not None:
        rows.zeros[:], rows.zeros[1::2] = 0, 15
    return rows


@every_format
def test_groups_of_zeros_and_tiny_numbers(isa, name):
    weight = torch.zeros(3, 300)
    weight[1] = 1e-30
    weight[2, 0] = 2.0
    packed = ops.quantize(weight, FORMATS[name])
    with ops.use("reference"):
        assert same(packed, ops.quantize(weight, FORMATS[name]))
    assert packed.dequantize().isfinite().all()
    assert (ops.linear(torch.zeros(2, 300), packed) == 0).all()


@every_format
@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_what_is_not_finite_is_seen(isa, randn, name, bad):
    weight = randn(4, 64)
    weight[2, 40] = bad
    assert not ops.quantize(weight, FORMATS[name]).scales.isfinite().all()
    x = randn(1, 64)
    x[0, 5] = bad
    assert ops.linear(x, quantized(randn, name, (4, 64))).isnan().all()


@every_format
def test_replays(isa, randn, name):
    weight, x, plan = quantized(randn, name, (50, 64)), randn(2, 64), _core.Plan("p")
    ids = torch.tensor([3, 49])
    with plan.recording():
        out, rows = ops.linear(x, weight), ops.embed(ids, weight)
    x.mul_(-2)
    ids.fill_(7)
    want = ops.linear(x, weight)
    plan.run()
    assert torch.equal(out, want)
    assert torch.equal(rows, weight.dequantize()[[7, 7]])


def test_leading_axes(isa, randn):
    weight = quantized(randn, "int8", (5, 9))
    assert ops.linear(randn(2, 3, 9), weight).shape == (2, 3, 5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("shape", (40, 64), "data has shape"),
        ("shape", (20, 640), "data has shape"),
        ("scales", torch.zeros(2, 1, 16), "scales is float32, expected float16"),
        ("scales", torch.zeros(2, 3, 16).half(), r"scales has shape \[2, 3, 16\]"),
        ("zeros", torch.zeros(2, 1, 4, dtype=torch.uint8), r"zeros has shape \[2, 1, 4\]"),
        ("data", torch.zeros(2, 8, 64), "data is float32, expected uint8"),
    ],
)
def test_refuses_parts_that_do_not_fit(randn, field, value, message):
    parts = dict(vars(quantized(randn, "int4-zero", (20, 64)))) | {field: value}
    with pytest.raises(ValueError, match=message):
        _core.quant_linear(
            torch.zeros(1, parts["shape"][1]),
            Quantized(**parts),
            None,
            torch.zeros(1, _core.rounded_bytes(parts["shape"][1]), dtype=torch.uint8),
            torch.zeros(1, parts["shape"][0]),
        )
