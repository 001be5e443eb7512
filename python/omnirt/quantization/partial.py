"""A checkpoint on its way: what is done comes from the new files, the rest from the source."""

from collections.abc import Iterable
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from omnirt.engine.loading import release
from omnirt.formats import Quantized
from omnirt.weights.checkpoint import Checkpoint, WeightsView

from .plan import Plan


class Partial:
    """Weights by name, as a model built over the checkpoint that is made would have them."""

    def __init__(self, source: Checkpoint, plan: Plan) -> None:
        self._source, self._plan = source, plan
        self._files: dict[str, _File] = {}

    def done(self, names: Iterable[str], path: Path) -> None:
        """From now on ``names`` come from the file at ``path``."""
        self._files |= dict.fromkeys(names, _File(path))

    def weights(self, prefix: str = "") -> WeightsView:
        view = WeightsView(self._weight)
        return view.scope(prefix) if prefix else view

    def stored_bytes(self, name: str) -> int:
        """Size of a weight in the source."""
        return sum(tensor.nbytes for tensor in self._source.sources(name))

    def bytes(self, name: str) -> int:
        """Size of a weight in the new files."""
        if self._plan.layout(name) is None:
            return self.stored_bytes(name)
        return sum(spec.nbytes for spec in self._plan.tensors(name).values())

    def release(self, names: Iterable[str]) -> None:
        """Give the memory of the source's weights back; they are read again if asked for."""
        for name in names:
            release(self._source.sources(name))

    def _weight(self, name: str) -> Tensor | Quantized:
        file, layout = self._files.get(name), self._plan.layout(name)
        if file is None:
            return self._source.weight(name)
        if layout is None:
            return file[name]
        return layout.read(name, self._plan.weights[name].shape, file)


class _File:
    def __init__(self, path: Path) -> None:
        self._file = safe_open(path, framework="pt", device="cpu")
        self._names = set(self._file.keys())

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> Tensor:
        return self._file.get_tensor(name)
