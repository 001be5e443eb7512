"""A small checkpoint folder, our processor and the released one on it, and media files."""

import os
from pathlib import Path

import pytest

from omnirt.inputs import Processor
from omnirt.weights.presets import SMALL_PLAIN_TOKENS
from omnirt.weights.random_tokenizer import write_tokenizer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    write_tokenizer(path, first_special=SMALL_PLAIN_TOKENS)
    return path


@pytest.fixture(scope="session")
def processor(folder) -> Processor:
    return Processor.from_folder(folder)


@pytest.fixture(scope="session")
def released(folder):
    import hf

    return hf.load_processor(folder)


@pytest.fixture(scope="session")
def assets() -> Path:
    return ROOT / "python" / "omnirt" / "assets"


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Real recordings, where this machine has them (OMNIRT_MEDIA names their folder)."""
    path = Path(os.environ.get("OMNIRT_MEDIA", ROOT.parent / "shared" / "media"))
    if not path.is_dir():
        pytest.skip(f"no real media at {path}")
    return path
