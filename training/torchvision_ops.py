"""Importing this lets transformers' classes import torchvision where its compiled ops do not load.

Some wheels need a CUDA runtime. Nothing here or in the tests calls those ops, so empty schemas do.
"""

import importlib.util
from pathlib import Path

import torch

_library = torch.library.Library("torchvision", "FRAGMENT")


def _define_missing() -> None:
    """Only where the library does not load: a second definition would clash with its own."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        return
    try:
        torch.ops.load_library(str(Path(spec.origin).with_name("_C.so")))
    except OSError:
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


_define_missing()
