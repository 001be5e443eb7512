"""What the extension links, and how its instruction set is chosen."""

import re
import shutil
import subprocess

import pytest

from omnirt import _core


def test_links_no_torch_cuda_or_openmp():
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("no readelf on this machine")
    text = subprocess.run(
        [readelf, "-d", _core.__file__], capture_output=True, text=True, check=True
    ).stdout
    needed = re.findall(r"NEEDED.*\[(.+)\]", text)
    assert needed
    assert not [name for name in needed if re.search("torch|c10|cuda|nv|omp", name)]


def test_instruction_set_can_be_forced(isa):
    assert _core.isa() == isa
    assert _core.isas()[0] == "generic"


def test_refuses_an_unknown_instruction_set():
    before = _core.isa()
    with pytest.raises(ValueError, match="isa 'mmx': this machine runs generic"):
        _core.set_isa("mmx")
    assert _core.isa() == before
