"""Solvers of the flow's ordinary differential equation, from noise at t = 0 to mel at t = 1.

A solver is a flat list of evaluations of the velocity, so that whoever runs it can stop or do
something else after each.
"""

from dataclasses import dataclass

import torch

from omnirt.types import WaveSchedule

Factors = tuple[float, float, float, float]
_NONE: Factors = (0.0, 0.0, 0.0, 0.0)
_THIRD = 1 / 3


@dataclass(frozen=True)
class Evaluation:
    """The velocity at ``time`` and at y + sum inputs[j] * k_j is the step's next k.

    k_j: the velocities of the step's evaluations so far. After the ``last`` one of a step
    y += sum outputs[j] * k_j.
    """

    time: float
    inputs: Factors
    last: bool
    outputs: Factors


def evaluations(schedule: WaveSchedule) -> list[Evaluation]:
    """On the grid u = t + sway * (cos(pi t / 2) - 1 + t), where t is even in [0, 1].

    Sway sampling is of F5-TTS (arXiv 2410.06885). Times are rounded to float32.
    """
    t = torch.linspace(0, 1, schedule.points)
    t += schedule.sway * (torch.cos(torch.pi / 2 * t) - 1 + t)
    step = _rk4 if schedule.solver == "rk4" else _euler
    return [e for start, end in zip(t[:-1], t[1:], strict=True) for e in step(start, end)]


def _euler(start: torch.Tensor, end: torch.Tensor) -> list[Evaluation]:
    return [Evaluation(float(start), _NONE, True, (float(end - start), 0.0, 0.0, 0.0))]


def _rk4(start: torch.Tensor, end: torch.Tensor) -> list[Evaluation]:
    """The 3/8-rule of Kutta (1901)."""
    h = float(end - start)
    times = (start, start + (end - start) * _THIRD, start + (end - start) * (2 * _THIRD), end)
    inputs = (_NONE, (h / 3, 0.0, 0.0, 0.0), (-h / 3, h, 0.0, 0.0), (h, -h, h, 0.0))
    outputs = (h / 8, 3 * h / 8, 3 * h / 8, h / 8)
    return [
        Evaluation(float(time), factors, i == 3, outputs if i == 3 else _NONE)
        for i, (time, factors) in enumerate(zip(times, inputs, strict=True))
    ]
