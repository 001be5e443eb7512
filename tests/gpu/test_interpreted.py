"""The CUDA runtime with Triton kernels, without a GPU: the fake driver calls the interpreter."""

import pytest
import torch
import triton
import triton.language as tl
from fake_driver import FakeDriver

from omnirt import _core
from omnirt.errors import EngineError
from omnirt.ops.state import ROW, SLOT, TEXT_ROWS, TOKEN, WORDS, new_states

RING, SLOTS, WIDTH, AHEAD = 4, 3, 2, 3
BLANK = SLOTS  # a slot that is nobody's
PASSED = {"states": "*i32", "ring": "*i32", "step": "i32"}
CONSTANTS = {
    "WORDS": WORDS,
    "RING": RING,
    **{"TOKEN": TOKEN, "SLOT": SLOT, "ROW": ROW, "TEXT_ROWS": TEXT_ROWS},
}


@triton.jit
def think(
    states,
    ring,
    step,
    WORDS: tl.constexpr,
    RING: tl.constexpr,
    TOKEN: tl.constexpr,
    SLOT: tl.constexpr,
    ROW: tl.constexpr,
    TEXT_ROWS: tl.constexpr,
):
    """Row i of the text is token i times 10; the next token is the last one plus a step."""
    state = states + tl.program_id(0) * WORDS
    token, row = tl.load(state + TOKEN), tl.load(state + ROW)
    tl.store(ring + tl.load(state + SLOT) * RING + row % RING, token * 10)
    tl.store(state + TOKEN, token + step)
    tl.store(state + ROW, row + 1)


@triton.jit
def talk(
    states,
    ring,
    step,
    WORDS: tl.constexpr,
    RING: tl.constexpr,
    TOKEN: tl.constexpr,
    SLOT: tl.constexpr,
    ROW: tl.constexpr,
    TEXT_ROWS: tl.constexpr,
):
    """A code is its text row plus a step, or 7 beyond the text."""
    state = states + tl.program_id(0) * WORDS
    row = tl.load(state + ROW)
    text = tl.load(ring + tl.load(state + SLOT) * RING + row % RING)
    code = tl.where(row < tl.load(state + TEXT_ROWS), text + step, 7)
    tl.store(state + TOKEN, code)
    tl.store(state + ROW, row + 1)


class Device:
    """Thinker and talker on streams of the fake driver; memory of the device is torch's."""

    def __init__(self) -> None:
        self.device = _core.cuda.Device(0)
        self.ring = torch.zeros(SLOTS + 1, RING, dtype=torch.int32)
        self.thinker = self.track(think, "middle", 1, None)
        self.talker = self.track(talk, "high", 5, self.thinker)

    def track(self, kernel, priority: str, step: int, upstream) -> "_core.cuda.Track":
        stream = _core.cuda.Stream(self.device, priority)
        name = kernel.fn.__name__
        loaded = _core.cuda.Kernel(
            self.device,
            f"fake cubin\n{name}".encode(),
            name,
            warps=1,
            shared=0,
            args=list(PASSED.values()),
        )
        batch, plans = new_states(WIDTH), []
        batch[:, SLOT] = BLANK
        for rows in (1, WIDTH):
            plan = _core.cuda.Plan(name)
            with plan.recording():
                _core.cuda.launch(loaded, (rows, 1, 1), (batch, self.ring, step), stream)
            plans.append((rows, plan))
        stream.synchronize()
        assert plans[0][1].calls == [name]
        blank = new_states(1)
        blank[:, SLOT] = BLANK
        return _core.cuda.Track(
            device=self.device,
            stream=stream,
            plans=plans,
            batch=batch,
            slots=new_states(SLOTS + 1),
            blank=blank,
            ahead=AHEAD,
            upstream=upstream,
        )


@pytest.fixture
def driver(libcuda):
    _core.cuda.set_library(str(libcuda))
    assert _core.cuda.driver_version() == 13000
    driver = FakeDriver(libcuda)
    driver.interpret("think", think, PASSED, CONSTANTS)
    driver.interpret("talk", talk, PASSED, CONSTANTS)
    yield driver
    driver.reset()
    assert not driver.errors


def submit(scheduler, slot: int, tokens: int, codes: int) -> "_core.Session":
    thinker, talker = new_states(), new_states()
    for state in (thinker, talker):
        state[0, SLOT] = slot
    thinker[0, TOKEN] = 100 * (slot + 1)  # what the prompt yields
    return scheduler.submit(
        prefill=iter(()),
        thinker_state=thinker,
        talker_state=talker,
        thinker_max_tokens=tokens,
        thinker_stop_ids=[],
        speaks=True,
        talker_max_codes=codes,
    )


def read_to_the_end(session) -> None:
    while not isinstance(session.next(), _core.DoneEvent):
        pass


def test_two_sessions_on_streams(driver):
    driver.delay(1, 200)
    device = Device()
    scheduler = _core.Scheduler(device.thinker, device.talker, RING)
    sizes = [(17, 34), (20, 33)]
    sessions = [submit(scheduler, slot, *size) for slot, size in enumerate(sizes)]
    for slot, (session, (tokens, codes)) in enumerate(zip(sessions, sizes, strict=True)):
        read_to_the_end(session)
        first = 100 * (slot + 1)
        assert session.tokens() == list(range(first, first + tokens))
        spoken = [10 * (first + t) + 5 if t < tokens - 1 else 7 for t in range(codes - 1)]
        assert session.codes() == spoken
    scheduler.shutdown()


def test_a_failing_kernel_ends_the_session_with_its_name(driver):
    device = Device()
    scheduler = _core.Scheduler(device.thinker, device.talker, RING)
    driver.fail("talk", 700, 4)
    session = submit(scheduler, 0, 20, 30)
    with pytest.raises(EngineError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        read_to_the_end(session)
    scheduler.shutdown()


def test_arguments_are_checked(driver):
    device = _core.cuda.Device(0)
    stream = _core.cuda.Stream(device, "low")

    def kernel(*args: str) -> "_core.cuda.Kernel":
        return _core.cuda.Kernel(device, b"fake cubin\nk", "k", warps=1, shared=0, args=list(args))

    with pytest.raises(ValueError, match="type 'bf16'"):
        kernel("bf16")
    with pytest.raises(ValueError, match="1 of the 2"):
        _core.cuda.launch(kernel("*fp32", "i32"), (1, 1, 1), (None,), stream)
    with pytest.raises(ValueError, match="give a real"):
        _core.cuda.launch(kernel("fp32"), (1, 1, 1), (1,), stream)
    with pytest.raises(ValueError, match="priority='none'"):
        _core.cuda.Stream(device, "none")
