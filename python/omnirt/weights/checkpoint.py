"""A checkpoint in the released layout: its configuration, its tensors by mmap, its voices."""

import os
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from omnirt.errors import CheckpointError

from .hub import CONFIG_ONLY, locate
from .model_config import ModelConfig, read_json
from .names import expected_tensors, in_part
from .speakers import Speaker, read_speakers
from .tensor_files import DTYPE_BYTES, StoredTensor, TensorFiles

# Early revisions wrapped each convolution of the speaker encoder once more.
_WRAPPED = re.compile(r"(.*\.spk_encoder\..*)\.conv\.(weight|bias)")


class WeightsView:
    """Tensors below a prefix, as models take them. dtype: convert what is stored in another one."""

    def __init__(
        self, load: Callable[[str], Tensor], prefix: str = "", dtype: torch.dtype | None = None
    ) -> None:
        self._load, self._prefix, self._dtype = load, prefix, dtype

    def __getitem__(self, name: str) -> Tensor:
        """A view of the file where the dtype is the stored one, else a converted copy."""
        tensor = self._load(self._prefix + name)
        return tensor if self._dtype is None else tensor.to(self._dtype)

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
        self._expected = expected_tensors(self.config)
        self._stored_name = {self._current_name(name): name for name in self._files.stored}

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
        found = self._stored_name.keys()
        problems = [f"missing: {name}" for name in needed if name not in found]
        problems += [f"unexpected: {name}" for name in sorted(found - self._expected.keys())]
        for name in self._expected:
            if name in found:
                problems += self._problems(name, self._stored(name))
        if problems:
            listed = "\n  ".join(problems)
            raise CheckpointError(
                f"{self.path}: {len(problems)} tensors do not fit config.json; download the "
                f"checkpoint again, or mend config.json\n  {listed}"
            )

    def weights(self, prefix: str = "", dtype: torch.dtype | None = None) -> WeightsView:
        """Tensors below ``prefix``; dtype converts each when it is asked for, None keeps them."""
        view = WeightsView(self._load, "", dtype)
        return view.scope(prefix) if prefix else view

    def bytes(self, part: str) -> int:
        """Stored size of a part of a verified checkpoint, such as "talker" or "thinker.visual"."""
        return sum(self._stored(name).nbytes for name in self.names(part))

    def names(self, part: str) -> list[str]:
        """The tensors of a part of a verified checkpoint."""
        return [name for name in self._stored_name if in_part(name, part)]

    def _problems(self, name: str, stored: StoredTensor) -> list[str]:
        shape, problems = self._expected[name].shape, []
        if stored.shape != shape:
            problems.append(f"misshapen: {name} is {list(stored.shape)}, must be {list(shape)}")
        if stored.dtype not in DTYPE_BYTES:
            problems.append(
                f"wrong dtype: {name} is {stored.dtype}, use {' or '.join(DTYPE_BYTES)}"
            )
        return problems

    def _load(self, name: str) -> Tensor:
        if name not in self._stored_name:
            raise CheckpointError(f"{self.path}: has no tensor {name}; download it again")
        return self._files.load(self._stored_name[name])

    def _stored(self, name: str) -> StoredTensor:
        return self._files.stored[self._stored_name[name]]

    def _current_name(self, stored: str) -> str:
        match = _WRAPPED.fullmatch(stored)
        unwrapped = ".".join(match.groups()) if match else stored
        return unwrapped if unwrapped in self._expected else stored


def read_config(path_or_id: str | os.PathLike) -> ModelConfig:
    """Only the configuration; of a hub name, only config.json is downloaded."""
    return ModelConfig.from_file(locate(path_or_id, CONFIG_ONLY) / "config.json")
