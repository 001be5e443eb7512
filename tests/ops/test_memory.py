"""Reading memory, and advice on its pages."""

import pytest
import torch

from omnirt import _core


@pytest.mark.parametrize("parts", [1, 3])
def test_reads_every_byte(isa, randn, parts):
    data = randn(parts * 4096).view(torch.uint8)
    out, want = torch.empty(parts, dtype=torch.int32), []
    for part in data.view(torch.int32).view(parts, -1).tolist():
        total = 0
        for word in part:
            total ^= word
        want.append(total)
    _core.read_memory(data, out)
    assert out.tolist() == want


def test_huge_pages_are_advice():
    memory = torch.zeros(3 << 20, dtype=torch.uint8)
    _core.use_huge_pages(memory)
    _core.use_huge_pages(memory[:5])
    assert not memory.any()


def test_refuses_no_parts():
    with pytest.raises(ValueError, match="out is empty"):
        _core.read_memory(torch.zeros(64, dtype=torch.uint8), torch.zeros(0, dtype=torch.int32))
