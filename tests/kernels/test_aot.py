"""Kernels compile without a GPU and spill nothing; entries tell a driver how to launch them."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
import torch

from omnirt.kernels import aot, entry, norm, registry

TARGETS = ("sm_87", "sm_90a")


def call():
    x = torch.empty(3, 64, device="meta")
    return norm.rms_norm(x, x[0], 1e-6, x)


def test_kernels_compile_and_do_not_spill(tmp_path):
    """One launch of each kernel; ``python -m omnirt.kernels.aot`` does all of them."""
    command = [sys.executable, "-m", "omnirt.kernels.aot", "--sample", "--targets", *TARGETS]
    command += ["--out", tmp_path / "cache", "--table", tmp_path / "table.json"]
    environment = os.environ | {"TRITON_INTERPRET": "0"}  # the interpreter's kernels do not compile
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads((tmp_path / "table.json").read_text())
    calls = {call.key: call for call in registry.distinct().values()}
    assert {row["kernel"] for row in rows} == {call.name for call in calls.values()}
    for row in rows:
        found = entry.read(tmp_path / "cache", row["target"], row["key"])
        assert found.args == list(calls[row["key"]].signature.items())
        assert found.registers > 0
        assert (tmp_path / "cache" / row["target"] / f"{row['key']}.cubin").stat().st_size > 0


def test_a_spill_needs_a_reason(monkeypatch):
    spilt = dataclasses.replace(entry.plain(call(), "sm_80"), spills=8, registers=255)
    assert aot.faults([entry.plain(call(), "sm_80")]) == []
    assert "spills 8 bytes on sm_80 (255 registers)" in aot.faults([spilt])[0]
    monkeypatch.setitem(aot.ALLOWED_SPILLS, ("_rms_norm_kernel", "sm_80"), "a test")
    assert aot.faults([spilt]) == []
    assert all(reason for reason in aot.ALLOWED_SPILLS.values())


def test_shared_memory_has_an_end():
    large = dataclasses.replace(entry.plain(call(), "sm_89"), shared=100 << 10)
    assert "needs 102400 bytes of shared memory, sm_89 has 99 KiB" in aot.faults([large])[0]


def test_an_entry_is_read_as_it_was_written(tmp_path):
    wanted = entry.plain(call())
    wanted.write(tmp_path)
    assert entry.read(tmp_path, entry.INTERPRETER, call().key) == wanted
    with pytest.raises(FileNotFoundError):
        entry.read(tmp_path, "sm_80", call().key)


def test_a_key_names_what_is_compiled():
    one = call()
    other = dataclasses.replace(one, args=one.args | {"BLOCK": 128})
    more_rows = dataclasses.replace(one, grid=(7,))
    assert one.key != other.key
    assert one.key == more_rows.key
    assert one.signature["x_ptr"] == "*fp32"
    assert one.constants == {"delta_ptr": None, "total_ptr": None, "BLOCK": 64}
    assert "eps" not in one.aligned
