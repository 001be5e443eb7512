"""What the tests of the Thinker share."""

import importlib

import pytest


@pytest.fixture(scope="session")
def modeling():
    """The released model's code as transformers 4.57.1 has it; skips where it is not installed."""
    importlib.import_module("hf")  # mends the import of a torchvision without compiled ops
    return pytest.importorskip("transformers.models.qwen2_5_omni.modeling_qwen2_5_omni")
