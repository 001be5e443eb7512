"""Which frames are solved together: a rule on codes, checked over many schedules and replies."""

from dataclasses import replace
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_token2wav import build
from omnirt.token2wav.stream import Window, windows
from omnirt.types import WINDOW_BLOCKS, WaveSchedule

CONFIG = build()[1].dit  # blocks of 24 frames, 12 codes


@st.composite
def schedules(draw) -> WaveSchedule:
    first = draw(st.integers(1, 10))
    chunk = draw(st.integers(first, 40))
    lookahead = draw(st.integers(0, WINDOW_BLOCKS - chunk))
    growth = draw(st.floats(1.1, 72))
    return WaveSchedule(first=first, chunk=chunk, lookahead=lookahead, growth=growth)


def test_the_balanced_windows_of_a_reply():
    """300 codes: chunks of 1, 2, 4, 8 blocks, each with one more; then what is left."""
    found = list(windows(WaveSchedule.preset("balanced"), CONFIG, 300))
    block = 24
    assert found == [
        Window(0, 2 * block, block, last=False),
        Window(block, 3 * block, 2 * block, last=False),
        Window(3 * block, 5 * block, 4 * block, last=False),
        Window(7 * block, 9 * block, 8 * block, last=False),
        Window(15 * block, 9 * block, 8 * block, last=False),
        Window(23 * block, 2 * block, 2 * block, last=True),
    ]


@pytest.mark.parametrize(("codes", "last"), [(1, 2), (23, 46), (24, 24), (25, 26)])
def test_the_last_window_takes_what_is_left(codes, last):
    """With 24 codes the first block can go before the reply's end is known; with 23 it cannot."""
    found = list(windows(WaveSchedule.preset("balanced"), CONFIG, codes))
    assert found[-1].keep == last
    assert [window.last for window in found] == [False] * (len(found) - 1) + [True]


def test_no_codes_have_no_windows():
    assert list(windows(WaveSchedule(), CONFIG, 0)) == []


def test_whole_windows_may_be_all():
    """Without lookahead a reply of whole chunks ends with nothing left to solve."""
    found = list(windows(WaveSchedule.preset("lowest-latency"), CONFIG, 36))
    assert [(w.start, w.keep, w.last) for w in found] == [(0, 24, False), (24, 48, False)]


@given(schedules(), st.integers(1, 2000))
def test_final_frames_tile_the_reply(schedule, codes):
    found = list(windows(schedule, CONFIG, codes))
    assert found[0].start == 0
    assert all(after.start == before.start + before.keep for before, after in pairwise(found))
    assert found[-1].start + found[-1].keep == codes * CONFIG.repeats
    room = (schedule.chunk + schedule.lookahead) * CONFIG.block_size
    for window in found:
        assert 0 < window.keep <= window.frames <= room
        ahead = window.frames - window.keep
        assert ahead == (0 if window.last else schedule.lookahead * CONFIG.block_size)
        assert window.start + window.frames <= codes * CONFIG.repeats
        assert window.last or window.keep % CONFIG.block_size == 0


@given(schedules(), st.integers(0, 1000), st.integers(0, 1000))
def test_windows_depend_on_known_codes_only(schedule, known, more):
    """What may be solved early is what the complete reply solves first, however long it gets."""
    early = list(windows(schedule, CONFIG, known, complete=False))
    assert early == list(islice(windows(schedule, CONFIG, known + more), len(early)))
    assert not any(window.last for window in early)


@given(schedules())
def test_chunks_grow_from_the_first_to_the_largest(schedule):
    sizes = list(islice(schedule.chunks(), 60))
    assert sizes[0] == schedule.first
    assert sizes[-1] == schedule.chunk
    for small, large in pairwise(sizes):
        assert small <= large <= min((small + 1) * schedule.growth, schedule.chunk)


def _gaps(schedule: WaveSchedule, cost: float) -> list[float]:
    """Seconds by which each chunk of 60 comes too late, solved as soon as the one before is."""
    now = ends = 0.0
    gaps = []
    for size in islice(schedule.chunks(), 60):
        now += (size + schedule.lookahead) * cost
        gaps.append(max(0.0, now - ends) if ends else 0.0)
        ends = max(ends, now) + size * 0.24
    return gaps


@given(schedules(), st.floats(0.001, 0.5))
def test_a_fitted_schedule_never_runs_dry(schedule, cost):
    fit = schedule.fitted(cost)
    assert replace(fit, first=schedule.first, growth=schedule.growth) == schedule
    assert fit.first >= schedule.first
    assert fit.growth <= schedule.growth
    if (schedule.chunk + schedule.lookahead) * cost <= schedule.chunk * 0.24:
        assert max(_gaps(fit, cost)) < 1e-9
    else:
        assert fit.first == schedule.chunk


@pytest.mark.parametrize(
    ("cost", "first", "growth"),
    [
        (0.01, 1, 2.0),  # fast enough for the schedule as it is
        (0.08, 1, 2.0),  # 1 block plays while 2 + 1 are solved, just
        (0.09, 2, 2.0),  # 2 blocks play while 4 + 1 are solved
        (0.11, 2, 1.55),  # chunks of 2, 3, 4, 7, 8
        (0.149, 4, 1.325),
        (0.2, 8, 2.0),  # no chunk may be larger than the one before
        (0.25, 8, 2.0),  # slower than speech
    ],
)
def test_a_slower_machine_starts_later(cost, first, growth):
    fit = WaveSchedule().fitted(cost)
    assert (fit.first, fit.growth) == (first, pytest.approx(growth))
