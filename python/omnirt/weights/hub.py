"""Finding a checkpoint: a local folder, or a name on the Hugging Face hub."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from omnirt.errors import CheckpointError

from .unfinished import is_unfinished

ALL_FILES = ("*.json", "*.safetensors", "merges.txt", "*.jinja", "spk_dict.pt")
CONFIG_ONLY = ("config.json",)

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def locate(path_or_id: str | os.PathLike, files: Sequence[str] = ALL_FILES) -> Path:
    """The folder of a checkpoint, after downloading what is missing if it is a hub name.

    huggingface_hub's own variables hold: HF_HOME, HF_HUB_OFFLINE, HF_TOKEN and the like. Raises
    CheckpointError if there is no such folder, or the hub or its cache does not have the files.
    """
    name, path = os.fspath(path_or_id), Path(path_or_id)
    if is_unfinished(path):
        raise CheckpointError(
            f"model={name!r}: it is not finished; give the same omnirt quantize command again to "
            "go on where it stopped"
        )
    if name and path.is_dir():
        return path
    if path.exists() or not _HUB_NAME.fullmatch(name):
        raise CheckpointError(
            f"model={name!r}: no such folder; use a checkpoint folder or a hub name like "
            "'Qwen/Qwen2.5-Omni-3B'"
        )
    return _download(name, files)


def _download(name: str, files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download  # slow to import, and folders do not need it

    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except (OSError, ValueError) as error:  # what the hub client derives its errors from
        raise CheckpointError(
            f"model={name!r}: neither a folder here nor to be had from the hub "
            f"({type(error).__name__}: {error}); check the name, the connection, HF_HUB_OFFLINE "
            "and HF_TOKEN, or give the path of a downloaded folder"
        ) from error
