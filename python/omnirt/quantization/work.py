"""A checkpoint that grows shard by shard in a hidden folder and appears when it is complete.

beside DST:  .DST.unfinished/unfinished.json   what is being made, from what
                            /sums.json         SHA-256 of the shards that are done
                            /model/            becomes DST; config.json is written last
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from omnirt.errors import InputError
from omnirt.weights.shards import write_shard
from omnirt.weights.tensor_files import INDEX_FILE
from omnirt.weights.unfinished import RUN_FILE, work_folder

SUMS_FILE = "sums.json"
_PIECE = 1 << 20
log = logging.getLogger("omnirt")


class Work:
    """The folder and what is in it. ``run`` identifies the work: it goes on only if it is equal."""

    def __init__(self, target: Path, run: dict, shards: int) -> None:
        """Raises InputError if the target exists, or if other work on it is unfinished."""
        if target.exists():
            raise InputError(f"DST={str(target)!r}: is there already; remove it or name another")
        self.target, self.shards = target, shards
        self.folder = work_folder(target)
        self.model = self.folder / "model"
        with self.writing():
            self._open(run)
        self._sums = self._read_sums()

    def _open(self, run: dict) -> None:
        marker = self.folder / RUN_FILE
        if not (self.folder / SUMS_FILE).exists():  # nothing is done yet
            found = json.loads(marker.read_text()) if marker.exists() else None
            if found != run:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.model.mkdir(parents=True)
                _write(marker, json.dumps(run, indent=1))
        found = json.loads(marker.read_text())
        if found != run:
            names = ", ".join(sorted(n for n in run if found.get(n) != run[n]))
            raise InputError(
                f"DST={str(self.target)!r}: unfinished with another choice of {names}; give the "
                f"same again, or remove {self.folder}"
            )

    def path(self, shard: int) -> Path:
        """The file of shard 0, 1, ..."""
        return self.model / f"model-{shard + 1:05d}-of-{self.shards:05d}.safetensors"

    def verified(self, shard: int) -> bool:
        """Whether the shard is there and is what was written."""
        path = self.path(shard)
        if path.name not in self._sums or not path.exists():
            return False
        if _digest(path) != self._sums[path.name]:
            log.warning("%s: damaged, made anew", path)
            return False
        return True

    def write(self, shard: int, tensors: Mapping[str, Tensor]) -> None:
        """Write a shard; it counts once its sum is stored. Raises InputError for a full disk."""
        path = self.path(shard)
        with self.writing():
            write_shard(path, tensors)
            self._sums[path.name] = _digest(path)
            _write(self.folder / SUMS_FILE, json.dumps(self._sums, indent=1))

    def finish(self, weight_map: Mapping[str, str], total: int, files: list[Path], config: dict):
        """Add the other files and let the checkpoint appear under its name."""
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        with self.writing():
            for path in files:
                shutil.copyfile(path, self.model / path.name)
            _write(self.model / INDEX_FILE, json.dumps(index, indent=1))
            _write(self.model / "config.json", json.dumps(config, indent=2))
            self.model.rename(self.target)
        shutil.rmtree(self.folder)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what the system refuses into an InputError about DST."""
        try:
            yield
        except OSError as error:
            raise InputError(
                f"DST={str(self.target)!r}: {error.strerror}; give it room or rights and the same "
                f"command again: what is done is kept in {self.folder}"
            ) from error

    def _read_sums(self) -> dict[str, str]:
        path = self.folder / SUMS_FILE
        return json.loads(path.read_text()) if path.exists() else {}


def _write(path: Path, text: str) -> None:
    """All or nothing."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
