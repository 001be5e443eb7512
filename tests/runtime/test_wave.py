"""Streams of a checkpoint's speech, driven by hand: as eager synthesis gives it, when it is due."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from omnirt.engine.loader import load_models
from omnirt.engine.wave import WaveLane
from omnirt.errors import InputError
from omnirt.types import PRESETS, WaveSchedule
from omnirt.weights.checkpoint import Checkpoint

LENGTHS = (1, 11, 12, 13, 24, 25, 100, 1000)
SEED = 11


@pytest.fixture(scope="module")
def sound(checkpoint):
    return load_models(Checkpoint.open(str(checkpoint("tiny"))), True, "auto", {}).token2wav


@pytest.fixture(scope="module")
def lane(sound):
    return WaveLane(sound)


def codes_of(sound, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    top = sound.config.dit.num_codes
    return torch.randint(0, top, (count,), generator=generator, dtype=torch.int32)


def drive(stream, codes: torch.Tensor, arrivals) -> list:
    """The pieces of a reply whose codes come as many at a time as ``arrivals`` says."""
    pieces, known, complete = [], 0, False
    while True:
        while stream.wants(known, complete):
            pieces.append(stream.step(codes[:known].clone(), complete))
        if complete:
            return pieces
        complete = known == len(codes)
        known = min(len(codes), known + next(arrivals))


def ones():
    while True:
        yield 1


def samples_of(pieces) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def assert_equal_to_eager(sound, got: np.ndarray, codes, schedule: WaveSchedule) -> None:
    voice = next(iter(sound.speakers))
    pieces = sound.synthesize(codes.tolist(), voice, schedule, SEED)
    want = np.concatenate([piece for piece in pieces if piece is not None])
    assert got.shape == want.shape == (480 * len(codes),)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_stream_is_the_eager_speech(sound, lane, preset, count):
    codes, schedule = codes_of(sound, count), PRESETS[preset]
    stream = lane.stream(next(iter(sound.speakers)), schedule, SEED)
    assert_equal_to_eager(sound, samples_of(drive(stream, codes, ones())), codes, schedule)


def test_a_long_stream_is_the_eager_speech(sound, lane):
    codes, schedule = codes_of(sound, 1000), WaveSchedule()
    pieces = drive(lane.stream(next(iter(sound.speakers)), schedule, SEED), codes, ones())
    assert_equal_to_eager(sound, samples_of(pieces), codes, schedule)
    work = [piece.work for piece in pieces if len(piece.samples)]
    assert [w.lookahead for w in work] == [1] * (len(work) - 1) + [0]
    assert [w.codes for w in work] == [24, 48, 96, 192, *range(288, 1000, 96), 1000]


@st.composite
def schedules(draw) -> WaveSchedule:
    first = draw(st.integers(1, 3))
    chunk, lookahead = first + draw(st.integers(0, 3)), draw(st.integers(0, 2))
    return WaveSchedule(first, chunk, lookahead, points=2, guidance=draw(st.sampled_from([0, 0.5])))


@settings(max_examples=15)
@given(
    count=st.integers(1, 90),
    schedule=schedules(),
    arrivals=st.lists(st.integers(0, 30), min_size=1),
)
def test_any_schedule_and_any_arrival(sound, lane, count, schedule, arrivals):
    def cycle():
        while True:
            yield from arrivals
            yield 1

    codes, voice = codes_of(sound, count), next(iter(sound.speakers))
    got = samples_of(drive(lane.stream(voice, schedule, SEED), codes, cycle()))
    assert_equal_to_eager(sound, got, codes, schedule)
    alone = samples_of(drive(lane.stream(voice, schedule, SEED), codes, ones()))
    np.testing.assert_array_equal(got, alone)


@pytest.mark.parametrize(("preset", "needed"), [("balanced", 24), ("lowest-latency", 12)])
def test_the_first_packet_leaves_when_its_codes_are_there(sound, lane, preset, needed):
    schedule, codes = PRESETS[preset], codes_of(sound, needed)
    stream = lane.stream(next(iter(sound.speakers)), schedule)
    assert not stream.wants(needed - 1, complete=False)
    pieces = []
    while stream.wants(needed, complete=False):
        pieces.append(stream.step(codes, complete=False))
    assert [len(piece.samples) > 0 for piece in pieces] == [False] * schedule.evaluations + [True]
    work = pieces[-1].work
    assert (work.codes, work.lookahead) == (needed, schedule.lookahead)
    assert min(work.solve, work.vocode) > 0


def test_streams_interleave_without_a_trace(sound, lane):
    """Evaluations and vocoder windows of three replies in turns, on the same buffers."""
    voice, counts = next(iter(sound.speakers)), (30, 47, 100)
    schedules = (WaveSchedule(), PRESETS["lowest-latency"], WaveSchedule(guidance=0.0))
    streams = [lane.stream(voice, schedule, SEED) for schedule in schedules]
    codes, pieces = [codes_of(sound, count) for count in counts], ([], [], [])
    while any(s.wants(n, complete=True) for s, n in zip(streams, counts, strict=True)):
        for stream, ids, found in zip(streams, codes, pieces, strict=True):
            found.append(stream.step(ids, complete=True))
    for schedule, ids, found in zip(schedules, codes, pieces, strict=True):
        assert_equal_to_eager(sound, samples_of(found), ids, schedule)


def test_given_noise(sound, lane):
    voice, codes = next(iter(sound.speakers)), codes_of(sound, 30)
    noise = np.random.default_rng(0).standard_normal((60, 80), dtype=np.float32)
    stream = lane.stream(voice, WaveSchedule(), flow_noise=noise)
    pieces = sound.synthesize(codes.tolist(), voice, WaveSchedule(), flow_noise=noise)
    want = np.concatenate([piece for piece in pieces if piece is not None])
    got = samples_of(drive(stream, codes, ones()))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())
    short = lane.stream(voice, WaveSchedule(), flow_noise=noise[:59])
    with pytest.raises(InputError, match=r"flow_noise=\[59, 80\]: give at least 60"):
        drive(short, codes, ones())
    with pytest.raises(InputError, match=r"flow_noise=\[60, 79\]"):
        lane.stream(voice, WaveSchedule(), flow_noise=noise[:, :79])
