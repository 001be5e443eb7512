"""The C++ kernels of the flow family: against the references, and recorded for other sessions."""

import pytest
import torch

from omnirt import _core, ops
from omnirt.ops.window import FlowWindow

CAPACITY, CHANNELS, BLOCK, EVALUATIONS, TABLE_ROWS, LAYERS = 19, 12, 4, 3, 5, 2


def _randn(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator)


def _session(seed: int = 0, rows: int = 2, channels: int = CHANNELS, **words: int) -> FlowWindow:
    """A window in the middle of some reply, with memory of its own for all that it points to."""
    randn, window = _randn(seed), FlowWindow(rows)
    window.seed = 2**63 + seed
    window.table = randn(EVALUATIONS, TABLE_ROWS, channels)
    window.cache = randn(EVALUATIONS, LAYERS, 2, rows, BLOCK, channels)
    window.voice = randn(2, channels)
    window.codes = torch.arange(seed, seed + 10, dtype=torch.int32) % 7
    for name, value in ({"frames": 14, "start": 8, "keep": 12, "left": 1} | words).items():
        setattr(window, name, value)
    return window


class Step:
    """Every op once, on buffers that hold more than the window's frames."""

    def __init__(self, rows: int = 2, heads: int = 2, channels: int = CHANNELS) -> None:
        randn, half = _randn(1), channels // heads // 2
        self.heads, self.inv_freq = heads, randn(half)
        self.base, self.projected = randn(CAPACITY, channels), randn(7, channels)
        self.x, self.qkv = (randn(CAPACITY * rows, n * channels) for n in (1, 3))
        self.angles = [randn(CAPACITY, half) for _ in range(2)]
        self.noise = randn(CAPACITY, 5)
        self.out = [randn(CAPACITY * rows, channels) for _ in range(4)]

    def __call__(self, window: FlowWindow) -> None:
        given, normed, near, alone = self.out
        ops.flow_noise(window, self.noise)
        ops.flow_input(window, self.base, self.projected, 2, given)
        ops.flow_modulate(window, self.x, 3, 1, 1e-6, normed)
        ops.flow_rope_angles(window, self.inv_freq, *self.angles)
        for back, ahead, layer, out in ((1, 0, 1, near), (0, 1, None, alone)):
            shape = (self.heads, BLOCK, back, ahead)
            ops.flow_attention(window, self.qkv, *shape, *self.angles, layer, out)

    def results(self) -> list[torch.Tensor]:
        return [self.noise, *self.angles, *self.out]


def _eager(backend: str, cores: int, window: FlowWindow, *sizes: int) -> list[torch.Tensor]:
    step, before = Step(*sizes), _core.cores()
    _core.set_cores(cores)
    with ops.use(backend):
        step(window)
    _core.set_cores(before)
    return [*step.results(), window.cache]


@pytest.mark.parametrize(
    "words", [{}, {"frames": 19, "keep": 4}, {"frames": 3, "keep": 0}, {"left": 0}]
)
@pytest.mark.parametrize(("rows", "heads", "channels"), [(1, 2, 12), (2, 2, 12), (2, 3, 48)])
def test_flow_kernels_are_the_references(isa, rows, heads, channels, words):
    """What lies behind the live frames is compared too: nothing touches it."""
    one, two, want = (
        _eager(backend, cores, _session(0, rows, channels, **words), rows, heads, channels)
        for backend, cores in (("cpu", 1), ("cpu", 2), ("reference", 1))
    )
    for a, b, expected in zip(one, two, want, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "words",
    [
        {"frames": 19, "evaluation": 2},
        {"frames": 5, "start": 0, "keep": 4, "left": 0},
        {"frames": 9, "start": 400, "keep": 0, "evaluation": 0},
    ],
)
def test_a_recorded_step_serves_other_sessions(isa, words):
    """The state's words and addresses alone say which window of which session a replay solves."""
    step, plan, recorded = Step(), _core.Plan("flow"), _session()
    with plan.recording():
        step(recorded)
    assert (
        plan.calls
        == [f"flow_{n}" for n in "noise input modulate rope_angles".split()]
        + ["flow_attention"] * 2
    )
    mine, kept = _session(seed=1, **words), recorded.cache.clone()
    for buffer, fresh in zip(step.results(), Step().results(), strict=True):
        buffer.copy_(fresh)
    recorded.state.copy_(mine.state)
    plan.run()
    want = _eager("cpu", 1, _session(seed=1, **words))
    for got, expected in zip([*step.results(), mine.cache], want, strict=True):
        assert torch.equal(got, expected)
    assert torch.equal(recorded.cache, kept)


def test_windows_that_keep_a_block_make_the_whole(isa):
    """Looking back and never ahead: blocks solved window by window are those of one long window."""
    step, block, heads, frames = Step(2, 3, 48), 4, 3, 19
    qkv, inv_freq = _randn(2)(frames * 2, 3 * 48), _randn(3)(8)

    def attend(window: FlowWindow) -> torch.Tensor:
        rows = slice(2 * window.start, 2 * (window.start + window.frames))
        ops.flow_rope_angles(window, inv_freq, *step.angles)
        out, live = torch.empty(window.frames * 2, 48), qkv[rows]
        return ops.flow_attention(window, live, heads, block, 1, 0, *step.angles, 1, out)

    whole = attend(_session(0, 2, 48, frames=frames, start=0, keep=0, left=0))
    window, pieces = _session(0, 2, 48), []
    for start, live, keep in ((0, 8, 4), (4, 12, 12), (16, 3, 0)):
        window.start, window.frames, window.keep, window.left = start, live, keep, int(start > 0)
        pieces.append(attend(window)[: 2 * (keep or live)])
    assert torch.equal(torch.cat(pieces), whole)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"frames": 20}, "window of 20 frames"),
        ({"evaluation": 3}, "evaluation is 3, expected 0 <= evaluation < 3"),
        ({"evaluation": -1}, "evaluation is -1"),
        ({"keep": 3}, "keep is 3, expected whole blocks of the 14 frames"),
        ({"keep": 16}, "keep is 16"),
    ],
)
def test_windows_that_memory_cannot_hold(words, message):
    with pytest.raises(ValueError, match=message):
        Step()(_session(**words))


def test_codes_without_a_row():
    window = _session()
    window.codes = torch.tensor([0, 1, 2, 3, 4, 5, 7], dtype=torch.int32)
    with pytest.raises(ValueError, match="code is 7, expected 0 <= code < 7"):
        Step()(window)
    window.codes = torch.zeros(6, dtype=torch.int32)
    with pytest.raises(ValueError, match="6 codes of 2 frames each, expected those of 14 frames"):
        Step()(window)


def test_an_address_of_freed_memory_is_refused():
    """The state must be that of the tensors that the window holds."""
    window = _session()
    window.tensors = dict.fromkeys(window.tensors, window.table.clone())
    with pytest.raises(ValueError, match="address of"):
        ops.flow_modulate(window, torch.ones(28, CHANNELS), 0, 1, 1e-6, torch.ones(28, CHANNELS))


def test_a_span_beyond_the_stack_is_refused():
    step, window = Step(), _session()
    for shape in ((2, 65, 0, 0), (2, 64, 1, 2), (2, 4, -1, 0), (2, 0, 0, 0)):
        with pytest.raises(ValueError, match="expected blocks of up to 64 frames"):
            ops.flow_attention(window, step.qkv, *shape, *step.angles, None, step.out[0])
    with pytest.raises(ValueError, match="5 heads of C=12"):
        ops.flow_attention(window, step.qkv, 5, 4, 0, 0, *step.angles, None, step.out[0])
