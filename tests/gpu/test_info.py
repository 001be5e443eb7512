"""What `omnirt info` says of a GPU, on drivers with every kind of trouble."""

import os
import subprocess
import sys

import pytest

GIB = 2**30


def info(libcuda, *arguments: str, **variables: str) -> str:
    """Output of `omnirt info` with this driver: its own process, as a driver is loaded once."""
    done = subprocess.run(
        [sys.executable, "-m", "omnirt", "info", *arguments],
        env={**os.environ, "OMNIRT_LIBCUDA": str(libcuda), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_names_the_device(libcuda, checkpoint):
    shown = info(libcuda, str(checkpoint("tiny")))
    assert "gpu       Fake GPU (sm_80), 8.0 of 8.0 GiB free, driver for CUDA 13.0" in shown
    assert "the plan fits Fake GPU" in shown


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"FAKE_CUDA_DEVICES": "0"}, "device 0: the CUDA driver shows 0 devices; see nvidia-smi"),
        (
            {"FAKE_CUDA_VERSION": "11080"},
            "the CUDA driver is too old: it supports CUDA 11.8, omnirt needs 12.0 or newer",
        ),
        (
            {"FAKE_CUDA_FAIL": "cuDevicePrimaryCtxRetain=46"},
            "cuDevicePrimaryCtxRetain: CUDA_ERROR_DEVICE_UNAVAILABLE",
        ),
        (
            {"FAKE_CUDA_WITHOUT": "cuGraphLaunch"},
            "the CUDA driver (13.0) has no cuGraphLaunch: update NVIDIA's driver",
        ),
    ],
)
def test_says_why_there_is_no_gpu(libcuda, variables, sentence):
    shown = info(libcuda, **variables)
    assert f"gpu       none: {sentence}" in shown
    assert "kernels" in shown


def test_no_driver_at_all(tmp_path):
    missing = tmp_path / "libcuda.so.1"
    assert f"gpu       none: no CUDA driver: {missing}" in info(missing)


def test_too_little_memory_for_the_model(libcuda, checkpoint):
    shown = info(libcuda, str(checkpoint("tiny")), FAKE_CUDA_MEMORY=str(GIB // 1024))
    assert "too little memory: the plan needs " in shown
    assert "Fake GPU has 0.0 GiB free; use int8 or int4, a shorter context, or the CPU" in shown
