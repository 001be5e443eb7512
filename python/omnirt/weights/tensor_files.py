"""The safetensors files of a checkpoint, mapped into memory."""

import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from omnirt.errors import CheckpointError

from .model_config import read_json
from .tensor_spec import CODES

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_BYTES = {code: dtype.itemsize for dtype, code in CODES.items()}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a file's header describes it; dtype is the file's code, such as "BF16"."""

    shape: tuple[int, ...]
    dtype: str
    file: Path

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * _BYTES[self.dtype]


class TensorFiles:
    """Every tensor of a folder by name. Headers are read at once, data when it is touched."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError for a file that is absent, truncated or damaged."""
        self._files = {path: _open(path) for path in _paths(folder)}
        self.stored = {
            name: StoredTensor(tuple(entry.get_shape()), entry.get_dtype(), path)
            for path, file in self._files.items()
            for name in file.keys()  # noqa: SIM118 (not a dict)
            for entry in [file.get_slice(name)]
        }

    def load(self, name: str) -> Tensor:
        """The tensor in its stored dtype: a view of the mapped file, not a copy."""
        return self._files[self.stored[name].file].get_tensor(name)


def _paths(folder: Path) -> list[Path]:
    if (folder / SINGLE_FILE).exists():
        return [folder / SINGLE_FILE]
    index = folder / INDEX_FILE
    if not index.exists():
        raise CheckpointError(
            f"{folder}: has neither {SINGLE_FILE} nor {INDEX_FILE}; download the checkpoint again"
        )
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(v, str) for v in names.values()):
        raise CheckpointError(f"{index}: weight_map must map tensor names to files; download again")
    paths = [folder / name for name in sorted(set(names.values()))]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        raise CheckpointError(
            f"{index}: names files that are not there: {', '.join(absent)}; download them again"
        )
    return paths


def _open(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: truncated or not a safetensors file ({error}); download it again"
        ) from error
