"""Fixtures for every test.

The models of the tests are small: more than one thread of torch would mostly wait for the others.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMNIRT_THREADS", "1")
os.environ.setdefault("TRITON_INTERPRET", "1")  # Triton reads it once, when it is imported

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import hypothesis
import pytest

from checkpoints import checkpoint_factory

hypothesis.settings.register_profile("omnirt", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("omnirt")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Callable[[str], Path]:
    """checkpoint("tiny"): the folder of a random checkpoint; do not change it."""
    return checkpoint_factory(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of the media files that ship with the package."""
    return Path(str(resources.files("omnirt"))) / "assets"
