"""The solvers: their grid, their order, and that RK4 is the released one."""

import math

import pytest
import torch

from hf_token2wav import released
from omnirt.token2wav.ode import evaluations
from omnirt.types import WaveSchedule

RELEASED = WaveSchedule.preset("exact")


def _solve(slope, y: torch.Tensor, schedule: WaveSchedule) -> torch.Tensor:
    """Run the flat list as its docstring says."""
    k = []
    for evaluation in evaluations(schedule):
        at = y + sum(f * v for f, v in zip(evaluation.inputs, k, strict=False))
        k.append(slope(evaluation.time, at))
        if evaluation.last:
            y, k = y + sum(f * v for f, v in zip(evaluation.outputs, k, strict=False)), []
    return y


def test_released_grid():
    """Ten points with sway -1 are 1 - cos(pi t / 2)."""
    found = evaluations(RELEASED)
    starts = [e.time for e in found[::4]]
    want = [1 - math.cos(math.pi * i / 18) for i in range(10)]
    assert starts == pytest.approx(want[:9], abs=2e-7)
    assert len({e.time for e in found}) == 28
    size = want[4] - want[3]
    assert [e.time for e in found[12:16]] == pytest.approx(
        [want[3] + size * f for f in (0, 1 / 3, 2 / 3, 1)], abs=1e-6
    )
    assert sum(sum(e.outputs) for e in found) == pytest.approx(1, abs=1e-6)


def test_no_sway_is_an_even_grid():
    found = evaluations(WaveSchedule(points=5, sway=0.0))
    assert [e.time for e in found] == [0.0, 0.25, 0.5, 0.75]
    assert all(e.last and e.outputs == (0.25, 0, 0, 0) for e in found)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("rk4", 4)])
def test_error_falls_with_the_order(solver, order):
    def error(points: int) -> float:
        """Of dy/dt = -2 t y, whose solution is exp(-t^2)."""
        schedule = WaveSchedule(points=points, solver=solver, sway=0.0)
        y = _solve(lambda t, y: -2 * t * y, torch.ones(1, 1, dtype=torch.float64), schedule)
        return abs(float(y) - math.exp(-1))

    assert math.log2(error(9) / error(17)) == pytest.approx(order, abs=0.55)


def test_rk4_is_the_released_solver():
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    start = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))

    def slope(t, y):
        return torch.tanh(y @ matrix) * (1 + t)

    grid = torch.linspace(0, 1, 10)
    grid += -1.0 * (torch.cos(torch.pi / 2 * grid) - 1 + grid)
    want = released.RungeKutta4ODESolver(function=slope, initial_value=start).integrate(grid)[-1]
    torch.testing.assert_close(_solve(slope, start, RELEASED), want)


@pytest.mark.parametrize(("solver", "count"), [("euler", 9), ("rk4", 36)])
def test_a_schedule_knows_its_evaluations(solver, count):
    schedule = WaveSchedule(solver=solver, points=10)
    assert schedule.evaluations == count == len(evaluations(schedule))
