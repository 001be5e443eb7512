"""Speech solved window by window against transformers 4.57.1, which solves it as a whole."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_token2wav import build, codes_of, drain, noise_of, ours, speakers
from omnirt.token2wav.model import Token2Wav
from omnirt.token2wav.stream import Window, windows
from omnirt.types import WaveSchedule

LENGTHS = (1, 11, 12, 13, 24, 25, 100)
SMALL = {"block_size": 4, "num_hidden_layers": 3, "look_backward_layers": [0, 2]}


@pytest.fixture(scope="module")
def pair():
    """Blocks of 24 frames, as released."""
    theirs, config, weights = build(seed=5)
    return theirs, ours(config, weights)


@pytest.fixture(scope="module")
def short_blocks():
    """Blocks of 4 frames: 100 codes are 50 of them, more than RK4's lookahead."""
    theirs, config, weights = build(seed=5, block_size=4)
    return theirs, ours(config, weights)


SMALL_MODEL = ours(*build(seed=6, **{**SMALL, "look_ahead_layers": [1]})[1:])


def _solve(
    model: Token2Wav, codes: list[int], schedule: WaveSchedule, plan: list[Window] | None = None
) -> torch.Tensor:
    """Mel of a reply, by the schedule's windows or those of ``plan``."""
    ids, noise = torch.tensor(codes, dtype=torch.int32), torch.tensor(noise_of(2 * len(codes)))
    plan = plan or list(windows(schedule, model.config.dit, len(codes)))
    solver = model.solver(ids, "Ethan", schedule, noise, plan)
    return torch.cat([drain(solver.solve(window)) for window in plan])


def _offline(model: Token2Wav, codes: list[int], schedule: WaveSchedule) -> torch.Tensor:
    frames = 2 * len(codes)
    return _solve(model, codes, schedule, [Window(0, frames, frames, last=True)])


def _released(theirs, codes: list[int], schedule: WaveSchedule) -> torch.Tensor:
    """Mel of a whole reply: RK4 is the released call, Euler a loop over the released velocity."""
    speaker, y = speakers()["Ethan"], torch.tensor(noise_of(2 * len(codes)))
    dit, ids = theirs.code2wav_dit_model, torch.tensor([codes])
    if schedule.solver == "rk4":
        with pytest.MonkeyPatch.context() as patch, torch.no_grad():
            patch.setattr(torch, "randn", lambda size, dtype: y[None])
            return dit.sample(speaker.cond, speaker.ref_mel, ids)[0].T
    grid = torch.linspace(0, 1, schedule.points)
    grid = grid + schedule.sway * (torch.cos(torch.pi / 2 * grid) - 1 + grid)
    for t, end in zip(grid[:-1], grid[1:], strict=True):
        with torch.no_grad():
            given, null = dit(
                hidden_states=y[None],
                condition_vector=speaker.ref_mel,
                speaker_embedding=speaker.cond[:, None].repeat(1, len(y), 1),
                quantized_code=ids,
                time_step=t,
            )
        y = y + (end - t) * (given + schedule.guidance * (given - null))
    return y


def _close(got: torch.Tensor, want: torch.Tensor) -> None:
    torch.testing.assert_close(got, want, atol=1e-4 * float(want.abs().max()), rtol=0)


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("solver", ["euler", "rk4"])
@pytest.mark.parametrize("blocks", ["pair", "short_blocks"])
def test_a_block_ahead_for_each_evaluation_gives_the_released_result(
    blocks, solver, count, request
):
    theirs, model = request.getfixturevalue(blocks)
    lookahead = {"euler": 9, "rk4": 36}[solver]
    schedule = WaveSchedule(lookahead=lookahead, solver=solver, points=10)
    codes = codes_of(count)
    if blocks == "short_blocks" and count == 100:
        assert len(list(windows(schedule, model.config.dit, count))) >= 3
    _close(_solve(model, codes, schedule), _released(theirs, codes, schedule))


def test_a_long_reply_is_the_released_one(pair):
    theirs, model = pair
    schedule, codes = WaveSchedule(lookahead=2, points=3), codes_of(1000)
    assert len(list(windows(schedule, model.config.dit, 1000))) == 13
    _close(_solve(model, codes, schedule), _released(theirs, codes, schedule))


@pytest.mark.parametrize(("guidance", "sway"), [(1.5, 0.0), (0.0, -1.0), (0.5, -0.5)])
def test_other_guidance_and_grids(pair, guidance, sway):
    theirs, model = pair
    schedule = WaveSchedule(lookahead=4, points=5, guidance=guidance, sway=sway)
    codes = codes_of(100)
    _close(_solve(model, codes, schedule), _released(theirs, codes, schedule))


def test_a_shorter_lookahead_is_another_result(pair):
    """The lookahead layer misses its neighbour at a window's end: small, and there."""
    model, codes = pair[1], codes_of(100)
    schedule = WaveSchedule(lookahead=0, points=5)
    got, want = _solve(model, codes, schedule), _offline(model, codes, schedule)
    moved = (got - want).abs().amax(1) > 1e-4 * float(want.abs().max())
    assert moved[:24].any()
    assert 0.1 < float((got - want).norm() / want.norm()) + 0.1 < 0.6


@settings(max_examples=25)
@given(st.data())
def test_chunking_does_not_matter_with_enough_lookahead(data):
    points, codes = data.draw(st.integers(2, 10)), codes_of(data.draw(st.integers(1, 60)))
    first = data.draw(st.integers(1, 6))
    schedule = WaveSchedule(
        first=first,
        chunk=data.draw(st.integers(first, 12)),
        lookahead=data.draw(st.integers(points - 1, points + 3)),
        points=points,
        growth=data.draw(st.floats(1.1, 4)),
    )
    _close(_solve(SMALL_MODEL, codes, schedule), _offline(SMALL_MODEL, codes, schedule))


@settings(max_examples=25)
@given(
    first=st.integers(1, 4),
    more=st.integers(0, 4),
    lookahead=st.integers(0, 3),
    count=st.integers(1, 60),
)
def test_nothing_final_is_solved_again(first, more, lookahead, count):
    """Evaluations of a block: the solver's for every window that holds it; none once it is left."""
    schedule = WaveSchedule(first=first, chunk=first + more, lookahead=lookahead, points=3)
    block, spans = SMALL_MODEL.config.dit.block_size, []
    evaluate = SMALL_MODEL.dit.evaluate

    def counted(window, y, space):
        spans.append((window.start, window.start + window.frames))
        return evaluate(window, y, space)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SMALL_MODEL.dit, "evaluate", counted)
        _solve(SMALL_MODEL, codes_of(count), schedule)
    plan = list(windows(schedule, SMALL_MODEL.config.dit, count))
    assert len(spans) == schedule.evaluations * len(plan)
    for frame in range(0, 2 * count, block):
        (final,) = (i for i, w in enumerate(plan) if w.start <= frame < w.start + w.keep)
        solved = [i for i, (start, end) in enumerate(spans) if start <= frame < end]
        assert max(solved) < (final + 1) * schedule.evaluations
        holding = sum(w.start <= frame < w.start + w.frames for w in plan)
        assert len(solved) == holding * schedule.evaluations


def test_without_guidance_the_null_row_is_not_computed(pair, monkeypatch):
    model, rows = pair[1], []
    evaluate = model.dit.evaluate

    def counted(window, y, space):
        velocity = evaluate(window, y, space)
        rows.append((window.rows, len(velocity) // len(y)))
        return velocity

    monkeypatch.setattr(model.dit, "evaluate", counted)
    for guidance in (0.5, 0.0):
        _solve(model, codes_of(3), WaveSchedule(guidance=guidance, points=3))
    assert rows == [(2, 2)] * 2 + [(1, 1)] * 2


def test_seeded_noise_belongs_to_the_frame_and_not_to_the_window(pair):
    model, schedule, codes = pair[1], WaveSchedule(points=2, lookahead=1), codes_of(60)
    ids, pieces = torch.tensor(codes, dtype=torch.int32), []
    frames = 2 * len(codes)
    plans = (
        list(windows(schedule, model.config.dit, 60)),
        [Window(0, frames, frames, last=True)],
    )
    assert len(plans[0]) > 2
    for plan in plans:
        solver = model.solver(ids, "Ethan", schedule, 2**63 + 5, plan)
        pieces.append(torch.cat([drain(solver.solve(window)) for window in plan]))
    _close(*pieces)
    assert np.isfinite(pieces[0].numpy()).all()
