"""Quantized weights in files: ours come back bit for bit, GPTQ's and AWQ's as others mean them."""

import pytest
import torch

from layouts import awq_file, dequantized, gptq_file, random_weight
from omnirt.errors import CheckpointError
from omnirt.formats import FORMATS, Integers, Quantized, pack, unpack
from omnirt.weights.awq import Awq
from omnirt.weights.gptq import Gptq, gptq_tensors
from omnirt.weights.quantized_files import Packed, restore, store

SHAPES = [(8, 128), (24, 264), (40, 96), (1048, 64)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_group = pytest.mark.parametrize("group", [32, 128])


def int4(group: int, symmetric: bool):
    return FORMATS[f"int4{'-32' * (group == 32)}{'-zero' * (not symmetric)}"]


def named(tensors: dict[str, torch.Tensor], stem: str = "a.b") -> dict[str, torch.Tensor]:
    return {f"{stem}.{part}": tensor for part, tensor in tensors.items()}


def rows(q, z, s, format) -> Integers:
    zeros = torch.from_numpy(z) if format.zero_point else None
    return Integers(format, torch.from_numpy(q), torch.from_numpy(s), zeros)


def equal(a: Quantized, b: Quantized) -> bool:
    pairs = ((a.data, b.data), (a.scales, b.scales), (a.zeros, b.zeros))
    same = all(x is y is None or torch.equal(x, y) for x, y in pairs)
    return same and (a.format, a.shape) == (b.format, b.shape)


@every_shape
@pytest.mark.parametrize("name", FORMATS)
def test_ours_comes_back_uncopied(shape, name):
    values = torch.randint(0, 16, shape, dtype=torch.uint8)
    format = FORMATS[name]
    groups = format.groups(shape[1])
    scales = torch.rand(shape[0], groups).to(torch.float32 if format.bits == 8 else torch.float16)
    zeros = torch.ones(shape[0], groups, dtype=torch.uint8) if format.zero_point else None
    values = values.view(torch.int8) if format.bits == 8 else values
    weight = pack(Integers(format, values, scales, zeros))
    tensors = store("a.b.weight", weight)
    specs = Packed(format).specs("a.b.weight", shape)
    assert {k: (tuple(t.shape), t.dtype) for k, t in tensors.items()} == {
        k: (spec.shape, spec.dtype) for k, spec in specs.items()
    }
    back = restore("a.b.weight", format, shape, tensors)
    assert equal(back, weight)
    assert back.data.data_ptr() == weight.data.data_ptr()


@pytest.mark.parametrize("part", ["data", "scales", "zeros"])
def test_ours_must_fit(part):
    weight = pack(rows(*random_weight(8, 64, 32, False), int4(32, False)))
    tensors = store("w", weight) | {f"w.{part}": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=rf"w\.{part}: is \[3\] of torch.float32, must be"):
        restore("w", weight.format, weight.shape, tensors)


@every_shape
@every_group
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("v2", [True, False])
def test_reads_gptq(shape, group, symmetric, v2):
    q, z, s = random_weight(*shape, group, symmetric)
    layout = Gptq(int4(group, symmetric), v2)
    weight = layout.read("a.b.weight", shape, named(gptq_file(q, z, s, group, v2)))
    assert torch.equal(weight.dequantize(), dequantized(q, z, s, group))
    assert equal(weight, pack(rows(q, z, s, layout.format)))


@every_shape
@every_group
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("v2", [True, False])
def test_writes_gptq(shape, group, symmetric, v2):
    q, z, s = random_weight(*shape, group, symmetric)
    written = gptq_tensors("a.b.weight", rows(q, z, s, int4(group, symmetric)), v2)
    want = named(gptq_file(q, z, s, group, v2))
    assert list(written) == list(want)
    assert all(torch.equal(written[name], want[name]) for name in want)
    specs = Gptq(int4(group, symmetric), v2).specs("a.b.weight", shape)
    assert {k: (tuple(t.shape), t.dtype) for k, t in written.items()} == {
        k: (spec.shape, spec.dtype) for k, spec in specs.items()
    }


@every_shape
@every_group
def test_reads_awq(shape, group):
    q, z, s = random_weight(*shape, group, symmetric=False)
    layout = Awq(int4(group, symmetric=False))
    tensors = named(awq_file(q, z, s))
    weight = layout.read("a.b.weight", shape, tensors)
    assert torch.equal(weight.dequantize(), dequantized(q, z, s, group))
    assert equal(weight, pack(rows(q, z, s, layout.format)))
    specs = layout.specs("a.b.weight", shape)
    assert {k: (tuple(t.shape), t.dtype) for k, t in tensors.items()} == {
        k: (spec.shape, spec.dtype) for k, spec in specs.items()
    }


def test_gptq_writes_the_second_version_where_there_are_zero_points():
    q, z, s = random_weight(8, 128, 128, symmetric=False)
    written = gptq_tensors("a.b.weight", rows(q, z, s, int4(128, False)))
    assert torch.equal(written["a.b.qzeros"], gptq_file(q, z, s, 128, v2=True)["qzeros"])


def test_gptq_without_group_indices():
    q, z, s = random_weight(8, 256, 128, symmetric=True)
    tensors = named(gptq_file(q, z, s, 128))
    layout = Gptq(int4(128, True))
    assert layout.optional("a.b.weight") == ("a.b.g_idx",)
    del tensors["a.b.g_idx"]
    weight = layout.read("a.b.weight", (8, 256), tensors)
    assert torch.equal(unpack(weight).values, torch.from_numpy(q))


def test_gptq_refuses_groups_out_of_order():
    q, z, s = random_weight(8, 256, 128, symmetric=True)
    tensors = named(gptq_file(q, z, s, 128))
    tensors["a.b.g_idx"] = tensors["a.b.g_idx"].flip(0)
    with pytest.raises(CheckpointError, match=r"a\.b\.g_idx: groups are out of order.*desc_act"):
        Gptq(int4(128, True)).read("a.b.weight", (8, 256), tensors)


def test_gptq_refuses_zero_points_in_symmetric_files():
    q, z, s = random_weight(8, 256, 128, symmetric=False)
    with pytest.raises(CheckpointError, match=r"a\.b\.qzeros: holds other zero-points than 8"):
        Gptq(int4(128, True)).read("a.b.weight", (8, 256), named(gptq_file(q, z, s, 128)))


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (Gptq(FORMATS["int4"]), (12, 64)),
        (Gptq(FORMATS["int4"]), (16, 60)),
        (Awq(int4(32, False)), (12, 64)),
    ],
)
def test_refuses_shapes_that_do_not_fill_words(layout, shape):
    with pytest.raises(CheckpointError, match=r"a\.b\.weight=.*multiples of 8"):
        layout.specs("a.b.weight", shape)
