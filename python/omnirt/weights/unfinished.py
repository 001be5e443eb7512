"""What marks a checkpoint that is still being written, so that none of it loads."""

from pathlib import Path

RUN_FILE = "unfinished.json"


def work_folder(target: Path) -> Path:
    """Where ``target`` is written until it is complete: hidden, beside it."""
    return target.with_name(f".{target.name}.unfinished")


def is_unfinished(path: Path) -> bool:
    """Whether ``path`` is to become a checkpoint, or is what is there of one so far."""
    begun = path.name and not path.exists() and (work_folder(path) / RUN_FILE).exists()
    return bool(begun) or any((folder / RUN_FILE).exists() for folder in (path, path.parent))
