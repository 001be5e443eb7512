"""Weights on their way from files to models: read ahead, converted, quantized."""

import torch
from torch import Tensor
from tqdm import tqdm

from omnirt import _core, ops
from omnirt.formats import Quantized
from omnirt.weights.checkpoint import Checkpoint
from omnirt.weights.precisions import Precisions

PAGE = 4096  # bytes; touching one of each makes the system read them all


class Loading:
    """The weights of a checkpoint below a prefix, each read whole when it is asked for, so that no
    request waits for it.

    dtype: of what is not quantized; None keeps it, but float16, which no kernel takes, becomes
    bfloat16, its vectors float32 (official float16 releases came from bfloat16, and packers scale
    vectors only). A weight that is not used as it lies in the files gives their memory back. Used
    as they lie are the tensors of ``mapped``.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        precisions: Precisions,
        dtype: torch.dtype | None,
        bar: tqdm,
    ) -> None:
        self._checkpoint, self._precisions, self._dtype = checkpoint, precisions, dtype
        self._bar, self._prefix = bar, ""
        self.mapped: dict[str, list[Tensor]] = {}

    def scope(self, name: str) -> "Loading":
        view = Loading(self._checkpoint, self._precisions, self._dtype, self._bar)
        view._prefix, view.mapped = f"{self._prefix}{name}.", self.mapped
        return view

    def __getitem__(self, name: str) -> Tensor | Quantized:
        name = self._prefix + name
        sources = self._checkpoint.sources(name)
        for source in sources:
            source.view(-1).view(torch.uint8)[::PAGE].max()
        weight = self._made(name, self._checkpoint.weight(name))
        data = weight.data if isinstance(weight, Quantized) else weight
        if any(data.data_ptr() == source.data_ptr() for source in sources):
            self.mapped[name] = sources
        else:
            release(sources)
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


def release(tensors: list[Tensor]) -> None:
    """Give the memory behind mapped tensors back; they are read again where they are touched."""
    for tensor in tensors:
        _core.release_pages(tensor)
