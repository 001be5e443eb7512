"""The fake CUDA driver of tests/cpp as a library."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def libcuda(tmp_path_factory) -> Path:
    """Path of a libcuda whose streams are host threads; see tests/cpp/fake_cuda/control.h."""
    library = tmp_path_factory.mktemp("fake") / "libcuda.so"
    sources = sorted((ROOT / "tests/cpp/fake_cuda").glob("*.cc"))
    flags = ["-std=c++20", "-shared", "-fPIC", "-pthread", f"-I{ROOT / 'csrc'}"]
    compiler = os.environ.get("CXX", "c++")
    subprocess.run([compiler, *flags, *map(str, sources), "-o", str(library)], check=True)
    return library
