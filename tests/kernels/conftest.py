"""What the tests of kernels share. They run in Triton's interpreter, on small shapes."""

import pytest
import torch

pytest.importorskip("triton", reason="the kernels need triton")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
