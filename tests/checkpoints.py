"""Random checkpoints that the tests share, each written once a session."""

import functools
from collections.abc import Callable
from pathlib import Path

from omnirt.weights.random_checkpoint import write_random_checkpoint


def checkpoint_factory(root: Path) -> Callable[[str], Path]:
    """preset name -> folder of its checkpoint. Tests that change files work on a copy."""
    return functools.cache(lambda preset: write_random_checkpoint(root / preset, preset))
