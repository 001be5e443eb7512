"""Lookups and the ring: kernels against the reference."""

import pytest
import torch

from omnirt import formats
from omnirt.kernels import embedding
from omnirt.ops import reference
from omnirt.ops.state import ROW, SLOT, TEXT_ROWS, TOKEN, new_states

WIDTH = 40
KINDS = ["float32", "bfloat16", *formats.FORMATS]


def table_of(kind: str):
    values = torch.randn(37, WIDTH)
    if kind in formats.FORMATS:
        return reference.quantize.quantize(values, formats.FORMATS[kind])
    return values.to(getattr(torch, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_embed(kind):
    table, ids, out = table_of(kind), torch.tensor([36, 0, 17]), torch.empty(3, WIDTH)
    embedding.embed(ids, table, out).run()
    torch.testing.assert_close(out, reference.embedding.embed(ids, table))


def test_embed_of_states():
    states, table, out = new_states(2), table_of("int4"), torch.empty(2, WIDTH)
    states[:, TOKEN] = torch.tensor([3, 36])
    embedding.embed(states[:, TOKEN], table, out).run()
    torch.testing.assert_close(out, reference.embedding.state_embed(states, table))


@pytest.mark.parametrize("kind", ["bfloat16", "int8", "int4-32-zero"])
def test_talker_input(kind):
    states, table, ring = new_states(4), table_of(kind), torch.randn(2, 5, WIDTH)
    states[:, TOKEN], states[:, SLOT] = torch.tensor([1, 2, 3, 36]), torch.tensor([0, 1, 0, 1])
    states[:, ROW], states[:, TEXT_ROWS] = torch.tensor([7, 4, 4, 9]), torch.tensor([8, 9, 4, 4])
    eos, pad = torch.randn(2, WIDTH)
    out = torch.empty(4, WIDTH)
    embedding.talker_input(states, table, ring, eos, pad, out).run()
    want = reference.embedding.talker_input(states, table, ring, eos, pad)
    torch.testing.assert_close(out, want)


def test_ring_append():
    states, ring = new_states(2), torch.zeros(3, 5, WIDTH)
    states[:, SLOT], states[:, ROW] = torch.tensor([2, 0]), torch.tensor([13, 4])
    h, e = torch.randn(2, 2, WIDTH)
    want = ring.clone()
    reference.embedding.ring_append(states, h, e, want)
    embedding.ring_append(states, h, e, ring).run()
    torch.testing.assert_close(ring, want)


def test_refusals():
    x, states = torch.randn(2, WIDTH), new_states(2)
    with pytest.raises(ValueError, match="columns"):
        embedding.embed(torch.zeros(2), torch.randn(3, 7), x)
    with pytest.raises(ValueError, match="ids"):
        embedding.embed(torch.zeros(3), x, x)
    with pytest.raises(ValueError, match="ring"):
        embedding.talker_input(states, x, torch.randn(1, 2, 3), x[0], x[0], x)
    with pytest.raises(ValueError, match="ring"):
        embedding.ring_append(states, x, x[:1], torch.randn(1, 2, WIDTH))
