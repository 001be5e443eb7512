"""Weights on their way from files to models: read ahead, converted, quantized."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from omnirt import _core, ops
from omnirt.formats import Quantized
from omnirt.weights.checkpoint import Checkpoint
from omnirt.weights.names import in_part
from omnirt.weights.precisions import Precisions

LARGE = 1 << 20  # bytes that are worth a call
# What a step hardly touches; where it lies in mapped files it leaves memory between prompts.
RARE = ("thinker.audio_tower", "thinker.visual", "thinker.model.embed_tokens")
PAGE = 4096  # bytes; touching one of each makes the system read them all


class Loading:
    """The weights of a checkpoint below a prefix, each read whole when it is asked for, so that no
    request waits for it.

    dtype: of what is not quantized; None keeps it, but float16, which no kernel takes, becomes
    bfloat16, its vectors float32 (official float16 releases came from bfloat16, and packers scale
    vectors only). passing: models only make copies, so a weight gives its memory back when the next
    one is asked for; others do when they are not used as they lie in the files. ``rare`` are those
    that are used so, of ``RARE``: they leave memory until they are touched.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        precisions: Precisions,
        dtype: torch.dtype | None,
        bar: tqdm,
        passing: bool = False,
    ) -> None:
        self._checkpoint, self._precisions, self._dtype = checkpoint, precisions, dtype
        self._bar, self._passing, self._prefix = bar, passing, ""
        self.rare: list[Tensor] = []
        self._served: list[Tensor] = []

    def scope(self, name: str) -> "Loading":
        view = copy.copy(self)  # its lists are this one's
        view._prefix = f"{self._prefix}{name}."
        return view

    def __getitem__(self, name: str) -> Tensor | Quantized:
        name = self._prefix + name
        sources = self._checkpoint.sources(name)
        for source in sources:
            source.view(-1).view(torch.uint8)[::PAGE].max()
        weight = self._made(name, self._checkpoint.weight(name))
        data = weight.data if isinstance(weight, Quantized) else weight
        if self._passing:
            _drop(self._served)
            self._served[:] = sources
        elif not any(data.data_ptr() == source.data_ptr() for source in sources):
            _drop(sources)
        elif any(in_part(name, part) for part in RARE):
            release(sources)
            self.rare += sources
        self._bar.update(sum(source.nbytes for source in sources))
        return weight

    def _made(self, name: str, weight: Tensor | Quantized) -> Tensor | Quantized:
        if isinstance(weight, Quantized):
            return weight
        half = weight.dtype == torch.float16
        format = self._precisions.format(name, tuple(weight.shape))
        if format is not None:
            return ops.quantize(weight.float() if half else weight, format)
        if self._dtype is None and half:
            return weight.to(torch.float32 if weight.ndim == 1 else torch.bfloat16)
        return weight if self._dtype is None else weight.to(self._dtype)


def release(tensors: Sequence[Tensor]) -> None:
    """Give the memory behind mapped tensors back; they are read again where they are touched."""
    for tensor in tensors:
        _core.release_pages(tensor)


def _drop(tensors: Sequence[Tensor]) -> None:
    """Also what it took to make something else of them."""
    release(tensors)
    if any(tensor.nbytes >= LARGE for tensor in tensors):
        _core.return_freed()
