"""One step of the flow's solver after an evaluation: guidance, then Euler's or Kutta's sums."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .checks import check_shape
from .flow_state import EVALUATION, FRAMES, check_state

STAGES = tl.constexpr(4)  # velocities that a step of the solver sums at most
FACTORS = 9  # of an evaluation: stage, outputs[4], inputs[4] of the next evaluation
BLOCK = 256


@triton.jit
def _flow_advance_kernel(
    state_ptr, velocity_ptr, factors_ptr, slopes_ptr, y_ptr, point_ptr,
    size, columns, guidance, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """k = v + guidance (v - v_null); y += sum outputs_j k_j; point = y + sum inputs_j k_j."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < tl.load(state_ptr + FRAMES) * columns
    factors_ptr += tl.load(state_ptr + EVALUATION) * (1 + 2 * STAGES)
    stage = tl.load(factors_ptr).to(tl.int32)
    frame = at // columns
    given_ptr = velocity_ptr + at + frame * columns * (ROWS - 1)
    now = tl.load(given_ptr, inside, 0.0).to(tl.float32)
    if ROWS == 2:
        null = tl.load(given_ptr + columns, inside, 0.0).to(tl.float32)
        now += guidance * (now - null)
    tl.store(slopes_ptr + stage * size + at, now, inside)
    y = tl.load(y_ptr + at, inside, 0.0)
    ahead = tl.zeros((BLOCK,), tl.float32)
    for j in tl.static_range(STAGES):
        if stage >= j:  # later slopes are of the step before, or not yet there
            k = now
            if stage > j:
                k = tl.load(slopes_ptr + size * j + at, inside, 0.0)
            y += k * tl.load(factors_ptr + 1 + j)
            ahead += k * tl.load(factors_ptr + 1 + STAGES + j)
    tl.store(y_ptr + at, y, inside)
    tl.store(point_ptr + at, y + ahead, inside)


Factors = tuple[float, float, float, float]


def factors(steps: Sequence[tuple[Factors, bool, Factors]]) -> Tensor:
    """What the kernel reads: float32 [evaluations, 9]. steps: (inputs, last, outputs) of each one.

    See ``Evaluation`` of token2wav/ode.py.
    """
    rows, stage = [], 0
    for (_, last, outputs), (inputs, _, _) in pairwise([*steps, steps[0]]):
        rows.append((float(stage), *outputs, *inputs))
        stage = 0 if last else stage + 1
    return torch.tensor(rows)


def flow_advance(
    state: Tensor, velocity: Tensor, factors: Tensor, guidance: float, slopes: Tensor, y: Tensor,
    point: Tensor, rows: int,
) -> Call:  # fmt: skip
    """Take the velocity at ``point`` in; leave the next one there, and in y where the step stands.

    velocity: float [F * rows, mel]; factors: float32 [evaluations, 9], see ``factors``; slopes:
    float32 [4, F, mel]; y, point: float32 [F, mel], equal before the first evaluation. Guidance is
    classifier-free (arXiv 2207.12598). Raises ValueError.
    """
    name, (frames, columns) = "flow_advance", y.shape
    check_state(name, state)
    check_shape(name, "velocity", velocity, frames * rows, columns)
    check_shape(name, "factors", factors, -1, FACTORS)
    check_shape(name, "slopes", slopes, STAGES.value, frames, columns)
    check_shape(name, "y", y, frames, columns)
    check_shape(name, "point", point, frames, columns)
    args = dict(state_ptr=state, velocity_ptr=velocity, factors_ptr=factors, slopes_ptr=slopes)
    args |= dict(y_ptr=y, point_ptr=point, size=y.numel(), columns=columns)
    args |= dict(guidance=float(guidance), ROWS=rows, BLOCK=BLOCK)
    work = Work(in_flight=BLOCK * rows * velocity.itemsize)
    return Call(_flow_advance_kernel, (triton.cdiv(y.numel(), BLOCK),), args, work=work)
