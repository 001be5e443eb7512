"""Scheduler, sessions and plans through Python, on small decoders made of the real kernels."""

import ctypes
import gc
import threading
import time
import weakref

import numpy as np
import pytest
import torch

from omnirt import _core, ops
from omnirt.errors import CapacityError, EngineError, InputError
from omnirt.ops.state import OPEN_TEXT, SLOT, TEXT_ROWS, TOKEN, new_states, set_sampling
from omnirt.ops.window import FlowWindow

VOCAB, RING, SLOTS = 32, 8, 3


class Sound:
    """Speech of 4 samples a code, each the code's number, a code at a time."""

    WIDTH = 4

    def __init__(self) -> None:
        window, plans = FlowWindow(rows=1), [_core.Plan(n) for n in ("noise", "flow", "vocoder")]
        window.frames, window.codes = 1, torch.zeros(1, dtype=torch.int32)
        window.voice = torch.zeros(2, self.WIDTH)
        ids = torch.arange(float(VOCAB))[:, None].expand(VOCAB, self.WIDTH).contiguous()
        y, velocity, mel, samples = torch.zeros(4, 1, self.WIDTH)
        with plans[0].recording():
            ops.flow_noise(window, y)
        with plans[1].recording():
            ops.flow_input(window, torch.zeros_like(y), ids, 1, velocity)
        with plans[2].recording():
            _core.linear(mel, torch.eye(self.WIDTH), None, samples)
        self.flow = _core.FlowTrack(*plans[:2], window.state, y, velocity, 1, 1, 1)
        self.vocoder = _core.VocoderTrack(
            plans[2],
            torch.zeros(4, 2, dtype=torch.int32),
            mel,
            samples.view(self.WIDTH, 1),
            [(1, 0, 0), (self.WIDTH, 0, 0)],
            held_first=0,
        )

    def stream(self, **changed) -> "_core.WaveStream":
        options = {
            "flow": self.flow,
            "vocoder": self.vocoder,
            "schedule": (1, 1, 0, 2.0),
            "evaluations": [((0.0,) * 4, True, (1.0, 0.0, 0.0, 0.0))],
            "guidance": 0.0,
            "seed": 0,
            "table": torch.zeros(1, 2, self.WIDTH),
            "cache": torch.zeros(1, 0, 2, 1, 1, self.WIDTH),
            "voice": torch.zeros(2, self.WIDTH),
            "noise": torch.zeros(100, self.WIDTH),
        }
        return _core.WaveStream(**options | changed)


SOUND = Sound()


class Decoders:
    """Both count: each step's id is the last one plus 1, modulo VOCAB."""

    def __init__(self, work: int = 0) -> None:
        """work: width of a matrix product that only takes time."""
        self.ring = torch.zeros(SLOTS, RING, VOCAB)
        self.weight = torch.eye(VOCAB).roll(1, 0).contiguous()
        self.quiet = torch.zeros(VOCAB)
        self.seen, self.suppress = torch.zeros(SLOTS, VOCAB).byte(), torch.zeros(VOCAB).byte()
        self.load = torch.randn(work, work) if work else None
        self.thinker = self._record("thinker", self._think)
        self.talker = self._record("talker", self._talk)

    def _record(self, name, step):
        plan, states = _core.Plan(name), self.state()
        states[:, TEXT_ROWS] = OPEN_TEXT
        with plan.recording():
            step(states)
        return plan, states

    def _think(self, states) -> None:
        e = ops.state_embed(states, self.eye)
        ops.ring_append(states, e, torch.zeros_like(e), self.ring)
        self._next(states, e)

    def _talk(self, states) -> None:
        x = ops.talker_input(states, self.eye, self.ring * 0, self.quiet, self.quiet)
        self._next(states, x)

    def _next(self, states, x) -> None:
        if self.load is not None:
            ops.linear(self.load[:1], self.load)
        ops.sample(states, ops.linear(x, self.weight), self.seen, self.suppress, 0)

    @property
    def eye(self):
        return torch.eye(VOCAB)

    def state(self, slot: int = 0, token: int = 0):
        states = new_states()
        set_sampling(states, 0.0, 0, 1.0, 1.0)
        states[:, SLOT], states[:, TOKEN] = slot, token
        return states

    def options(self, slot: int = 0, **changed) -> dict:
        """A reply of ids 3 ... 20 and codes 6 ... 29; each stops at the next one."""
        return {
            "prefill": iter([None, None]),
            "thinker_state": self.state(slot, 3),
            "talker_state": self.state(slot, 5),
            "thinker_max_tokens": 10**6,
            "thinker_stop_ids": [20],
            "speaks": True,
            "talker_max_codes": 4096,
            "talker_stop_ids": [30],
            "wave": SOUND.stream(),
        } | changed


@pytest.fixture
def decoders():
    return Decoders()


@pytest.fixture
def scheduler(decoders):
    scheduler = _core.Scheduler(decoders.thinker, decoders.talker, RING)
    yield scheduler
    scheduler.shutdown()


def events_of(session) -> list:
    events = []
    while not events or not isinstance(events[-1], _core.DoneEvent):
        events.append(session.next(timeout=30))
        assert events[-1] is not None
    return events


def test_a_reply_has_all_its_parts(decoders, scheduler):
    started = time.monotonic()
    session = scheduler.submit(**decoders.options(), started=started)
    events = events_of(session)
    tokens = [e for e in events if isinstance(e, _core.TokenEvent)]
    audio = [e for e in events if isinstance(e, _core.AudioEvent)]
    codes = list(range(6, 30))
    assert [e.id for e in tokens] == session.tokens() == list(range(3, 21))
    assert [e.stop for e in tokens] == [False] * 17 + [True]
    assert session.codes() == codes
    assert [e.start for e in audio] == list(range(0, 4 * len(codes), 4))
    assert all(e.samples.dtype == np.float32 for e in audio)
    np.testing.assert_array_equal(np.concatenate([e.samples for e in audio]), np.repeat(codes, 4))
    times = [e.time for e in events]
    assert times[0] >= 0
    assert times[-1] <= time.monotonic() - started
    stats = session.stats()
    assert (stats["text_tokens"], stats["codes"], stats["samples"]) == (18, 24, 96)
    assert (stats["thinker_steps"], stats["talker_steps"]) == (17, 25)
    assert events[-1].finish_reason == stats["finish_reason"] == "stop"
    assert stats["codes_at_first_audio"] >= 1
    assert [chunk["start"] for chunk in stats["chunks"]] == [e.start for e in audio]
    assert stats["chunks"] == [e.stats for e in audio]
    order = ["prefill", "first_text", "first_code", "first_audio", "total"]
    assert [stats[k] for k in order] == sorted(stats[k] for k in order)
    assert session.join(timeout=30)
    assert scheduler.stats()["talker"]["steps"] == 25


def test_samples_outlive_their_event(decoders, scheduler):
    session = scheduler.submit(**decoders.options())
    samples = [e.samples for e in events_of(session) if isinstance(e, _core.AudioEvent)]
    del session
    gc.collect()
    assert samples[-1].tolist() == [29.0] * 4


def test_text_only_needs_no_talker(decoders):
    scheduler = _core.Scheduler(decoders.thinker, None, RING)
    session = scheduler.submit(**decoders.options(speaks=False, wave=None))
    assert len(events_of(session)) == 19
    assert list(scheduler.stats()) == ["thinker"]
    with pytest.raises(ValueError, match="no talker"):
        scheduler.submit(**decoders.options())
    scheduler.shutdown()


class PrefillError(Exception):
    pass


def failing():
    yield None
    raise PrefillError("no prompt")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (lambda: {"prefill": failing()}, PrefillError, "no prompt"),
        (
            lambda: {"wave": SOUND.stream(noise=torch.zeros(9, 4))},
            InputError,
            r"flow_noise=\[9",
        ),
    ],
    ids=["prefill", "wave"],
)
def test_errors_reach_the_reader_with_their_type(decoders, scheduler, options, error, message):
    session = scheduler.submit(**decoders.options(**options()))
    for _ in range(2):
        with pytest.raises(error, match=message):
            events_of(session)
    assert len(events_of(scheduler.submit(**decoders.options(slot=1)))) == 43


def test_a_stream_serves_one_reply(decoders, scheduler):
    options = decoders.options()
    events_of(scheduler.submit(**options))
    with pytest.raises(ValueError, match="make a new one"):
        scheduler.submit(**decoders.options(wave=options["wave"]))


def test_a_stream_is_driven_by_hand():
    stream, codes = SOUND.stream(), torch.tensor([7, 9], dtype=torch.int32)
    assert not stream.wants(0, complete=False)
    assert len(stream.step(codes[:0], complete=False).samples) == 0
    pieces = []
    while stream.wants(2, complete=True):
        pieces.append(stream.step(codes, complete=True))
    np.testing.assert_array_equal(np.concatenate([p.samples for p in pieces]), [7] * 4 + [9] * 4)
    assert [p.work.codes for p in pieces if len(p.samples)] == [2, 2]
    assert [p.finished for p in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize(
    "changed",
    [
        {"schedule": (1, 9, 0, 2.0)},
        {"evaluations": []},
        {"table": torch.zeros(2, 2, 4)},
        {"cache": torch.zeros(1, 0, 2, 2, 1, 4)},
        {"voice": torch.zeros(1, 4)},
        {"noise": torch.zeros(8, 3)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_stream_refuses_what_cannot_work(changed):
    with pytest.raises(ValueError, match="WaveStream"):
        SOUND.stream(**changed)


def test_next_returns_none_after_its_timeout(decoders, scheduler):
    gate = threading.Event()
    session = scheduler.submit(**decoders.options(prefill=iter(gate.wait, True)))
    started = time.monotonic()
    assert session.next(timeout=0.12) is None
    assert time.monotonic() - started >= 0.12
    assert not session.join(timeout=0.01)
    gate.set()
    assert len(events_of(session)) == 43


def test_cancel_ends_and_frees(decoders, scheduler):
    cache = torch.zeros(1, 0, 2, 1, 1, 4)
    freed = weakref.ref(cache)
    wave = SOUND.stream(cache=cache)
    session = scheduler.submit(**decoders.options(thinker_stop_ids=[], wave=wave))
    del cache
    session.cancel()
    assert session.join(timeout=30)
    assert session.next().finish_reason == "cancelled"
    assert freed() is None


def test_a_lane_never_has_the_last_reference_to_its_scheduler(decoders):
    for _ in range(20):
        scheduler = _core.Scheduler(decoders.thinker, decoders.talker, RING)

        def pieces(owner=scheduler):
            yield

        session = scheduler.submit(**decoders.options(prefill=pieces()))
        events_of(session)
        assert session.join(timeout=30)
        del scheduler, pieces  # the lanes end here, on this thread: none can wait for itself


def test_dropping_the_session_stops_it(decoders, scheduler):
    session = scheduler.submit(**decoders.options(speaks=False, wave=None, thinker_stop_ids=[]))
    session.next()
    del session
    gc.collect()
    time.sleep(0.05)
    steps = scheduler.stats()["thinker"]["steps"]
    time.sleep(0.05)
    assert scheduler.stats()["thinker"]["steps"] == steps


def test_shutdown_is_an_error_for_live_sessions(decoders, scheduler):
    session = scheduler.submit(**decoders.options(thinker_stop_ids=[]))
    scheduler.shutdown()
    with pytest.raises(EngineError, match="closed"):
        events_of(session)
    with pytest.raises(EngineError, match="closed"):
        scheduler.submit(**decoders.options())


def helper_seconds(work) -> float:
    """CPU time that other threads of the process spend while this one works."""
    process, own = time.process_time(), time.thread_time()
    work()
    return time.process_time() - process - (time.thread_time() - own)


def test_threads_and_schedulers_give_their_helpers_back(decoders):
    x, weight, out = torch.randn(1, 512), torch.randn(4096, 512), torch.empty(1, 4096)
    before = _core.cores()
    _core.set_cores(2)
    for _ in range(100):  # more than the pool has places
        caller = threading.Thread(target=_core.linear, args=(x, weight, None, out))
        caller.start()
        caller.join()
        _core.Scheduler(decoders.thinker, decoders.talker, RING).shutdown()

    def work():
        for _ in range(200):
            _core.linear(x, weight, None, out)

    found = []

    def measure():
        deadline = time.monotonic() + 30
        while not any(s > 0.01 for s in found) and time.monotonic() < deadline:
            found.append(helper_seconds(work))

    late = threading.Thread(target=measure)
    late.start()
    late.join()
    _core.set_cores(before)
    assert max(found) > 0.01


def test_steps_go_on_while_another_thread_holds_the_gil():
    decoders = Decoders(work=256)
    scheduler = _core.Scheduler(decoders.thinker, None, RING)
    session = scheduler.submit(
        **decoders.options(speaks=False, wave=None, thinker_stop_ids=[], event_capacity=10**6)
    )
    session.next()
    before = session.stats()["thinker_steps"]
    ctypes.PyDLL(None).usleep(500_000)  # a PyDLL call keeps the GIL
    after = session.stats()["thinker_steps"]
    scheduler.shutdown()
    assert after - before > 500


def test_a_plan_keeps_what_it_touches_alive():
    plan, out = _core.Plan("plan"), torch.zeros(4)
    gate, up = torch.ones(4), torch.full((4,), 3.0)
    with plan.recording():
        assert _core.Plan.is_recording()
        _core.silu_mul(gate, up, out)
    assert not _core.Plan.is_recording()
    assert (plan.name, plan.calls, len(plan)) == ("plan", ["silu_mul"], 1)
    kept, want = weakref.ref(up), out.clone()
    up[:] *= 2
    del gate, up
    gc.collect()
    assert kept() is not None
    plan.run()
    torch.testing.assert_close(out, 2 * want)
    del plan
    gc.collect()
    assert kept() is None


def test_pages_are_written_into_the_callers_table():
    tables = torch.zeros(2, 3, dtype=torch.int32)
    pages = _core.PageAllocator(4, 64, tables)
    pages.open(1, 65)
    assert tables.tolist() == [[-1, -1, -1], [0, 1, -1]]
    assert pages.fits(128)
    assert not pages.fits(129)
    with pytest.raises(CapacityError, match=r"needs 3 .* free are 2"):
        pages.open(0, 129)
    pages.truncate(1, 64)
    pages.close(1)
    assert pages.free_pages == 4
    with pytest.raises(ValueError, match="i32|int32"):
        _core.PageAllocator(4, 64, torch.zeros(2, 3))
