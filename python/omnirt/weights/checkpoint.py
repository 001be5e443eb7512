"""A checkpoint in the released layout: its configuration, its tensors by mmap, its voices."""

import os
import re
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from omnirt.errors import CheckpointError
from omnirt.formats import Quantized

from .contents import Contents, zero_bias
from .hub import CONFIG_ONLY, locate
from .model_config import ModelConfig, read_json
from .names import expected_tensors, in_part
from .quantized_files import Layout
from .speakers import Speaker, read_speakers
from .tensor_files import TensorFiles

# Early revisions wrapped each convolution of the speaker encoder once more.
_WRAPPED = re.compile(r"(.*\.spk_encoder\..*)\.conv\.(weight|bias)")


class WeightsView:
    """Weights below a prefix, as models take them. dtype: convert what is stored in another one."""

    def __init__(
        self,
        load: Callable[[str], Tensor | Quantized],
        prefix: str = "",
        dtype: torch.dtype | None = None,
    ) -> None:
        self._load, self._prefix, self._dtype = load, prefix, dtype

    def __getitem__(self, name: str) -> Tensor | Quantized:
        """A view of the file where the dtype is the stored one, else a converted copy."""
        weight = self._load(self._prefix + name)
        if self._dtype is None or isinstance(weight, Quantized):
            return weight
        return weight.to(self._dtype)

    def scope(self, name: str) -> "WeightsView":
        return WeightsView(self._load, f"{self._prefix}{name}.", self._dtype)


class Checkpoint:
    """An opened checkpoint. Opening reads headers only; tensors are mapped when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = ModelConfig.from_file(path / "config.json")
        generation = path / "generation_config.json"
        self.generation_config = read_json(generation) if generation.exists() else {}
        self._files = TensorFiles(path)
        names = expected_tensors(self.config)
        self._found = {_current(name, names): name for name in self._files.stored}
        self._contents = Contents(self.config, self._found)

    @classmethod
    def open(cls, path_or_id: str | os.PathLike) -> "Checkpoint":
        """Open a folder or a hub name. Raises CheckpointError."""
        return cls(locate(path_or_id))

    @cached_property
    def speakers(self) -> dict[str, Speaker]:
        """The voices of spk_dict.pt. Raises CheckpointError."""
        return read_speakers(self.path, self.config)

    def verify(self, talker: bool = True) -> None:
        """Account for every tensor by the files' headers.

        Raises one CheckpointError that lists whatever is missing, unexpected, misshapen or of a
        wrong dtype. talker=False does not ask for the Talker and Token2Wav.
        """
        if talker and self.config.talker is None:
            raise CheckpointError(
                f"{self.path}: has no talker; load it with talker=False for text replies"
            )
        needed = expected_tensors(self.config, talker)
        stored = {name: self._files.stored[old] for name, old in self._found.items()}
        problems = self._contents.problems(needed, stored)
        if problems:
            listed = "\n  ".join(problems)
            raise CheckpointError(
                f"{self.path}: {len(problems)} tensors do not fit config.json; download the "
                f"checkpoint again, or mend config.json\n  {listed}"
            )

    @property
    def quantized(self) -> Mapping[str, Layout]:
        """The weights that are stored quantized, and how."""
        return self._contents.layouts

    def weight(self, name: str) -> Tensor | Quantized:
        """One weight as it is stored; quantized by another tool, packed anew. CheckpointError."""
        layout = self._contents.layouts.get(name)
        if layout is None:
            return self[name]
        extra = zero_bias(name)
        if extra not in self._contents.weights and extra in self and self[extra].any():
            raise CheckpointError(f"{self.path}: {extra} must be zeros, the model has no such bias")
        return layout.read(name, self._contents.weights[name].shape, self)

    def sources(self, name: str) -> list[Tensor]:
        """The tensors of the files that a weight is made of."""
        return [self[tensor] for tensor in self._contents.tensors(name) if tensor in self]

    def __contains__(self, tensor: object) -> bool:
        return tensor in self._found

    def __getitem__(self, tensor: str) -> Tensor:
        """A tensor of the files by its current name, mapped. Raises CheckpointError."""
        if tensor not in self:
            raise CheckpointError(f"{self.path}: has no tensor {tensor}; download it again")
        return self._files.load(self._found[tensor])

    def weights(self, prefix: str = "", dtype: torch.dtype | None = None) -> WeightsView:
        """Weights below ``prefix``; dtype converts each when it is asked for, None keeps them."""
        view = WeightsView(self.weight, "", dtype)
        return view.scope(prefix) if prefix else view

    def bytes(self, part: str) -> int:
        """Stored size of a part of a verified checkpoint, such as "talker" or "thinker.visual"."""
        return sum(self._files.stored[self._found[name]].nbytes for name in self.names(part))

    def names(self, part: str) -> list[str]:
        """The tensors of the files that belong to a part of a verified checkpoint."""
        return [name for name in self._found if in_part(name, part)]


def _current(stored: str, names: Collection[str]) -> str:
    """The name of today of a tensor of the files."""
    match = _WRAPPED.fullmatch(stored)
    unwrapped = ".".join(match.groups()) if match else stored
    return unwrapped if unwrapped in names else stored


def read_config(path_or_id: str | os.PathLike) -> ModelConfig:
    """Only the configuration; of a hub name, only config.json is downloaded."""
    return ModelConfig.from_file(locate(path_or_id, CONFIG_ONLY) / "config.json")
