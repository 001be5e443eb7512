"""A checkpoint that grows shard by shard in a hidden folder and appears when it is complete.

beside DST:  .DST.unfinished/unfinished.json   what is being made, from what
                            /sums.json         SHA-256 of the shards that are done
                            /replies.json      what calibration listened to
                            /model/            becomes DST; config.json is written last
"""

import fcntl
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
    """The folder and what is in it, open inside of a ``with`` block, for one process at a time.

    run: identifies the work, which goes on only if it is equal.
    """

    def __init__(self, target: Path, run: dict, shards: int) -> None:
        """Raises InputError if the target exists."""
        if target.exists():
            raise InputError(f"DST={str(target)!r}: is there already; remove it or name another")
        self.target, self.shards = target, shards
        self.folder = work_folder(target)
        self.model, self.kept = self.folder / "model", self.folder / "replies.json"
        self._run = run
        self._sums: dict[str, str] = {}

    def __enter__(self) -> "Work":
        """Raises InputError if other work on the target is unfinished, or goes on."""
        with self.writing():
            self.model.mkdir(parents=True, exist_ok=True)
            self._marker = (self.folder / RUN_FILE).open("a+", encoding="utf-8")
        try:
            self._join()
        except BaseException:
            self._marker.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._marker.close()

    def _join(self) -> None:
        """Take the lock, and up what is done."""
        name = f"DST={str(self.target)!r}"
        try:
            fcntl.flock(self._marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{name}: another run is writing it; wait for it or end it") from None
        sums = self.folder / SUMS_FILE
        self._sums = json.loads(sums.read_text()) if sums.exists() else {}
        self._marker.seek(0)
        found = self._marker.read()
        other = self._differences(json.loads(found)) if found else []
        if other and self._sums:
            raise InputError(
                f"{name}: unfinished with another choice of {', '.join(other)}; give the same "
                f"again, or remove {self.folder}"
            )
        if other or not found:
            self.kept.unlink(missing_ok=True)
            self._marker.truncate(0)
            self._marker.write(json.dumps(self._run, indent=1))
            self._marker.flush()

    def _differences(self, found: dict) -> list[str]:
        return sorted(key for key in self._run if found.get(key) != self._run[key])

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
