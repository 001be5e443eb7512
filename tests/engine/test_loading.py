"""What loading leaves in memory, and what prompts give back."""

from pathlib import Path

import pytest
import torch

from memory import resident
from omnirt.engine.loader import load_models
from omnirt.weights.checkpoint import Checkpoint
from quantized_checkpoints import packed

linux = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's smaps")


@linux
@pytest.mark.parametrize("quantized", [True, False])
def test_encoders_leave_memory_between_prompts(checkpoint, tmp_path, quantized):
    folder = checkpoint("tiny-7b")
    if quantized:
        folder = packed(folder, tmp_path / "packed", {"thinker": "int8", "encoders": "int8"})
    models = load_models(Checkpoint.open(folder), True, "auto", {})
    rested = resident(folder)
    before = [tensor.clone() for tensor in models.rare]
    size = sum(tensor.nbytes for tensor in models.rare)
    assert resident(folder) > rested + size // 2
    models.rest()
    assert resident(folder) < rested + size // 4
    assert all(torch.equal(a, b) for a, b in zip(models.rare, before, strict=True))


def test_converted_weights_are_not_given_back(checkpoint):
    opened = Checkpoint.open(checkpoint("tiny"))
    assert load_models(opened, False, "auto", {}).rare
    assert not load_models(opened, False, "float32", {}).rare
    kept = load_models(opened, False, "auto", {"encoders": "int8", "thinker.embedding": "int4"})
    assert {tensor.ndim for tensor in kept.rare} <= {1, 3, 5}  # vectors and convolutions
