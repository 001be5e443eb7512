"""The flow family's Triton kernels in Triton's interpreter, against the references."""

import pytest
import torch

pytest.importorskip("triton", reason="the kernels need triton")

from omnirt.kernels import flow, flow_attention, flow_keep, flow_solver
from omnirt.ops import reference
from omnirt.ops.window import FlowWindow
from omnirt.token2wav.ode import evaluations
from omnirt.token2wav.stream import _moved
from omnirt.types import WaveSchedule

CAPACITY, BLOCK, EVALUATIONS, TABLE_ROWS, LAYERS = 14, 4, 3, 5, 2


def _window(rows: int, channels: int, **words: int) -> FlowWindow:
    """A window in the middle of some reply, with memory of its own for all that it points to."""
    torch.manual_seed(0)
    window = FlowWindow(rows)
    window.seed = 2**63 + 5
    window.table = torch.randn(EVALUATIONS, TABLE_ROWS, channels)
    window.cache = torch.randn(EVALUATIONS, LAYERS, 2, rows, BLOCK, channels)
    window.voice = torch.randn(2, channels)
    window.codes = torch.arange(12, dtype=torch.int32)[1:] % 7  # an odd address
    for word, value in ({"frames": 11, "start": 800, "evaluation": 2} | words).items():
        setattr(window, word, value)
    return window


def _close(got, want, dtype=torch.float32):
    tolerance = {torch.float32: 3e-6, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(got.float(), want, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("channels", [6, 36])
def test_rows_of_a_window(rows, channels):
    """What lies behind the live frames is compared too: nothing touches it."""
    window = _window(rows, channels)
    base, projected = torch.randn(CAPACITY, channels), torch.randn(7, channels)
    outs = [torch.randn(CAPACITY * rows, channels) for _ in range(2)]
    wants = [out.clone() for out in outs]
    reference.flow.flow_input(window, base, projected, 2, wants[0])
    flow.flow_input(window.state, base, projected, 2, outs[0], rows).run()
    reference.flow.flow_modulate(window, wants[0], 3, 1, 1e-6, wants[1])
    flow.flow_modulate(window.state, TABLE_ROWS, outs[0], 3, 1, 1e-6, outs[1], rows).run()
    for got, want in zip(outs, wants, strict=True):
        _close(got, want)


def test_noise_and_angles():
    window, half = _window(2, 12), 5
    inv_freq = 10000.0 ** -(torch.arange(half) / half)
    noise, cos, sin = torch.randn(CAPACITY, 7), *torch.randn(2, CAPACITY, half)
    wants = [x.clone() for x in (noise, cos, sin)]
    reference.flow.flow_noise(window, wants[0])
    reference.flow.flow_rope_angles(window, inv_freq, *wants[1:])
    flow.flow_noise(window.state, noise).run()
    flow.flow_rope_angles(window.state, inv_freq, cos, sin).run()
    for got, want in zip((noise, cos, sin), wants, strict=True):
        _close(got, want)


@pytest.mark.parametrize(
    ("back", "ahead", "layer", "words"),
    [
        (0, 0, None, {}),
        (0, 1, None, {}),
        (1, 0, None, {}),
        (1, 0, 1, {"left": 1, "keep": 8}),
        (1, 0, 0, {"left": 1, "keep": 4}),
        (1, 0, 1, {"left": 0, "keep": 8}),
        (1, 0, 1, {"left": 1, "keep": 0, "frames": 3}),
    ],
)
@pytest.mark.parametrize(("rows", "heads", "dim"), [(1, 1, 6), (2, 2, 20)])
def test_attention_between_blocks(rows, heads, dim, back, ahead, layer, words):
    window, channels = _window(rows, heads * dim, **words), heads * dim
    qkv = torch.randn(CAPACITY * rows, 3 * channels)
    cos, sin = torch.randn(2, CAPACITY, dim // 2)
    out, before = torch.randn(CAPACITY * rows, channels), window.cache.clone()
    want, shape = out.clone(), (heads, BLOCK, back, ahead)
    flow_attention.flow_attention(
        window.state, LAYERS, rows, qkv, *shape, cos, sin, layer, out, "ieee"
    ).run()
    if layer is not None:
        keys = (heads, BLOCK, cos, sin)
        flow_keep.flow_keep(window.state, LAYERS, rows, qkv, *keys, layer).run()
    kept = window.cache.clone()
    window.cache.copy_(before)
    reference.flow.flow_attention(window, qkv, *shape, cos, sin, layer, want)
    _close(out, want)
    _close(kept, window.cache)


@pytest.mark.parametrize(("solver", "rows"), [("euler", 2), ("rk4", 2), ("rk4", 1)])
def test_solver_steps(solver, rows):
    """Several steps of either solver, with a velocity that depends on where it is taken."""
    schedule = WaveSchedule(solver=solver, points=4, guidance=0.5 if rows == 2 else 0.0)
    steps, mel = evaluations(schedule), 9
    factors = flow_solver.factors([(e.inputs, e.last, e.outputs) for e in steps])
    window = _window(rows, 12)
    start = torch.randn(CAPACITY, mel)
    y, point, slopes = start.clone(), start.clone(), torch.full((4, CAPACITY, mel), torch.nan)
    want, ks = start[: window.frames].clone(), []
    for i, step in enumerate(steps):
        window.evaluation = i
        at = _moved(want, step.inputs, ks)
        _close(point[: window.frames], at)
        field = torch.stack([at.sin() + step.time, at.cos()][:rows], 1).flatten(0, 1)
        given, *null = field.unflatten(0, (-1, rows)).unbind(1)
        ks.append(given + (given - null[0]) * schedule.guidance if null else given)
        if step.last:
            want, ks = _moved(want, step.outputs, ks), []
        velocity = torch.full((CAPACITY * rows, mel), torch.nan)
        velocity[: len(field)] = field
        flow_solver.flow_advance(
            window.state, velocity, factors, schedule.guidance, slopes, y, point, rows
        ).run()
    _close(y[: window.frames], want)
    assert torch.equal(y[window.frames :], start[window.frames :])
