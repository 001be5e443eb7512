"""The small files of a checkpoint folder, as text or JSON."""

import json
from pathlib import Path

from omnirt.errors import CheckpointError


def read_text(path: Path) -> str:
    """A UTF-8 file. Raises CheckpointError if it is absent or damaged."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CheckpointError(f"{path}: not found, the checkpoint is incomplete") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: not readable ({error}); download it again") from None


def read_object(path: Path) -> dict:
    """The object in a JSON file. Raises CheckpointError if it is absent or damaged."""
    text = read_text(path)
    try:
        values = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path}: not valid JSON ({error}); download it again") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds no JSON object; download it again")
    return values
