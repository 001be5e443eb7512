"""Fixtures for every test."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from checkpoints import checkpoint_factory


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Callable[[str], Path]:
    """checkpoint("tiny"): the folder of a random checkpoint; do not change it."""
    return checkpoint_factory(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of the media files that ship with the package."""
    return Path(str(resources.files("omnirt"))) / "assets"
