"""The solvers: their grid, their order, and that they can be left at any evaluation."""

import math

import pytest
import torch

from hf_token2wav import drain, released
from omnirt.token2wav import ode
from omnirt.types import FlowParams


def _decay(t: float, y: torch.Tensor):
    """dy/dt = -2 t y, whose solution is exp(-t^2)."""
    yield
    return -2 * t * y


def test_released_grid():
    """Ten points with sway -1 are 1 - cos(pi t / 2)."""
    steps = ode.schedule(FlowParams())
    starts = [step.times[0] for step in steps]
    want = [1 - math.cos(math.pi * i / 18) for i in range(9)]
    assert starts == pytest.approx(want, abs=2e-7)
    assert sum(step.size for step in steps) == pytest.approx(1, abs=1e-6)
    times = {t for step in steps for t in step.times}
    assert len(times) == 28
    assert steps[3].times == pytest.approx(
        [starts[3] + steps[3].size * f for f in (0, 1 / 3, 2 / 3, 1)], abs=1e-6
    )


def test_no_sway_is_an_even_grid():
    steps = ode.schedule(FlowParams(points=5, sway=0.0, solver="euler"))
    assert [step.times for step in steps] == [(0.0,), (0.25,), (0.5,), (0.75,)]
    assert [step.size for step in steps] == [0.25] * 4


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("rk4", 4)])
def test_error_falls_with_the_order(solver, order):
    def error(points: int) -> float:
        flow = FlowParams(points=points, solver=solver, sway=0.0)
        y = drain(ode.solve(_decay, torch.ones(1, 1, dtype=torch.float64), ode.schedule(flow)))
        return abs(float(y) - math.exp(-1))

    assert math.log2(error(9) / error(17)) == pytest.approx(order, abs=0.55)


def test_rk4_is_the_released_solver():
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    start = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))

    def slope(t, y):
        return torch.tanh(y @ matrix) * (1 + t)

    def field(t, y):
        yield
        return slope(t, y)

    flow = FlowParams()
    grid = torch.linspace(0, 1, 10)
    grid += -1.0 * (torch.cos(torch.pi / 2 * grid) - 1 + grid)
    want = released.RungeKutta4ODESolver(function=slope, initial_value=start).integrate(grid)[-1]
    torch.testing.assert_close(drain(ode.solve(field, start, ode.schedule(flow))), want)


@pytest.mark.parametrize(("solver", "evaluations"), [("euler", 9), ("rk4", 36)])
def test_yields_between_evaluations(solver, evaluations):
    steps = ode.schedule(FlowParams(solver=solver))
    assert len(list(ode.solve(_decay, torch.ones(1, 1), steps))) == evaluations
