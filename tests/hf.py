"""The released processor, as transformers 4.57.1 has it, for tests that compare with it.

torchvision is imported as the training does it, where its compiled ops may not load.
"""

import pytest
import torch

from training import torchvision_ops  # noqa: F401  before torchvision

transformers = pytest.importorskip("transformers", reason="parity needs transformers 4.57.1")

torchvision = pytest.importorskip("torchvision", reason="the reference resizes with torchvision")


def load_processor(folder):
    """transformers' Qwen2_5OmniProcessor of a checkpoint folder (slow image processor)."""
    return transformers.Qwen2_5OmniProcessor.from_pretrained(str(folder), use_fast=False)


def resize_frames(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """uint8 [T, 3, H, W] -> float32 of the new size, as qwen-omni-utils 0.0.9 calls torchvision."""
    from torchvision import transforms

    bicubic = transforms.InterpolationMode.BICUBIC
    resize = transforms.functional.resize
    return resize(frames, [height, width], interpolation=bicubic, antialias=True).float()
