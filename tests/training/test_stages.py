"""The whole training, short: every stage runs, and what it should lower is lowered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("espeakng_loader", reason="the training's voices need espeakng-loader")
pytest.importorskip("transformers", reason="training needs transformers")

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)
def test_a_short_training_beats_its_floors(tmp_path):
    """python -m training fails where a loss stays above its floor."""
    paths = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "training", "--short", "--out", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "at most" in done.stderr
    assert (tmp_path / "model" / "model.safetensors").stat().st_size < 32e6
    assert "## Scores" in (tmp_path / "model" / "README.md").read_text()
