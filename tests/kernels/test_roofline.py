"""The roofline's arithmetic, on a launch whose answer is known."""

import dataclasses

import pytest
import torch

import roofline
from omnirt.kernels import norm
from omnirt.kernels.call import Work

H100 = roofline.DEVICES["H100"]


def judged(work: Work, programs: int, registers: int = 64, shared: int = 0):
    x = torch.empty(3, 64, device="meta")
    call = dataclasses.replace(norm.rms_norm(x, x[0], 1e-6, x), grid=(programs,), work=work)
    return roofline.judge(call, dict(registers=registers, shared=shared, warps=4), H100)


def test_enough_in_flight_reaches_the_bandwidth():
    found = judged(Work(moved=10**9, in_flight=1 << 20), 132)
    assert found["floor_us"] == pytest.approx(1e15 / 3.35e12, abs=1e-3)
    assert (found["verdict"], found["reach"], found["bound"]) == ("ok", 1.0, "memory")


def test_little_in_flight_is_slow():
    needed = H100.bandwidth * roofline.LATENCY
    found = judged(Work(moved=10**9, in_flight=int(needed / 4)), 1)
    assert found["verdict"] == "low"
    assert found["reach"] == pytest.approx(0.25, abs=0.01)


def test_what_fits_a_multiprocessor():
    assert roofline.resident(H100, 64, 0, 4) == 8
    assert roofline.resident(H100, 33, 0, 4) == 12  # 40 registers are given out
    assert roofline.resident(H100, 32, 100 << 10, 4) == 2


def test_the_last_programs_are_fewer():
    each = int(H100.bandwidth * roofline.LATENCY / 132 / 8)  # what just fills the memory's pipe
    assert judged(Work(moved=10**9, in_flight=each), 8 * 132)["reach"] == pytest.approx(1, abs=0.01)
    found = judged(Work(moved=10**9, in_flight=each), 8 * 132 + 1)
    assert found["reach"] == pytest.approx(0.5, abs=0.01)  # one program alone takes as long


def test_products_wait_for_the_last_multiprocessor():
    found = judged(Work(moved=1000, flops=10**12, type="bf16"), 133)
    assert found["reach"] == pytest.approx(133 / 264, abs=0.01)
    assert found["bound"] == "products"


def test_instructions_bound_too():
    lanes = int(1e-3 * roofline.LANES * H100.processors * H100.clock)
    found = judged(Work(moved=335 * 10**6, in_flight=1 << 20, lanes=lanes * 2), 132)
    assert found["reach"] == pytest.approx(0.05, abs=0.01)
    assert judged(Work(moved=1000), 132)["verdict"] == "launch"
