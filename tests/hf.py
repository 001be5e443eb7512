"""The released processor, as transformers 4.57.1 has it, for tests that compare with it.

torchvision's compiled ops need a CUDA runtime in some wheels, and its import fails without them:
two empty schemas are enough for the resizing that the processor uses.
"""

import importlib.util
from pathlib import Path

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="parity needs transformers 4.57.1")

_library = torch.library.Library("torchvision", "FRAGMENT")


def _define_missing_ops() -> None:
    """Only where the library does not load: a second definition would clash with its own."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        return
    try:
        torch.ops.load_library(str(Path(spec.origin).with_name("_C.so")))
    except OSError:
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


_define_missing_ops()
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
