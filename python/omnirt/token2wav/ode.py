"""Solvers of the flow's ordinary differential equation, from noise at t = 0 to mel at t = 1.

They are generators: each yields whenever the vector field does, so that a caller can stop or do
something else in between, and returns the solution.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt.types import FlowParams

Steps = Generator[None, None, Tensor]
Field = Callable[[float, Tensor], Steps]  # (t, y [T, mel]) -> dy/dt [T, mel]


@dataclass(frozen=True)
class Step:
    """One step of ``size`` in t; the field is asked at ``times``."""

    times: tuple[float, ...]
    size: float


def schedule(flow: FlowParams) -> list[Step]:
    """The steps of the grid u = t + sway * (cos(pi t / 2) - 1 + t), where t is even in [0, 1].

    Sway sampling is of F5-TTS (arXiv 2410.06885). Times are rounded to float32.
    """
    t = torch.linspace(0, 1, flow.points)
    t += flow.sway * (torch.cos(torch.pi / 2 * t) - 1 + t)
    steps = []
    for start, end in zip(t[:-1], t[1:], strict=True):
        size = end - start
        times = [start]
        if flow.solver == "rk4":
            times += [start + size * (1 / 3), start + size * (2 / 3), end]
        steps.append(Step(tuple(float(time) for time in times), float(size)))
    return steps


def solve(field: Field, y: Tensor, steps: list[Step]) -> Steps:
    """Integrate from y: float32 [T, mel]. Returns the value after the last step."""
    for step in steps:
        y = yield from (_euler if len(step.times) == 1 else _rk4)(field, y, step)
    return y


def _euler(field: Field, y: Tensor, step: Step) -> Steps:
    slope = yield from field(step.times[0], y)
    return y + step.size * slope


def _rk4(field: Field, y: Tensor, step: Step) -> Steps:
    """The 3/8-rule of Kutta (1901)."""
    h, (t1, t2, t3, t4) = step.size, step.times
    k1 = yield from field(t1, y)
    k2 = yield from field(t2, y + h * k1 * (1 / 3))
    k3 = yield from field(t3, y + h * (k2 - k1 * (1 / 3)))
    k4 = yield from field(t4, y + h * (k1 - k2 + k3))
    return y + (k1 + 3 * (k2 + k3) + k4) * h / 8
