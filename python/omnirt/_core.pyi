"""Types of the C++ extension."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TypedDict

import numpy as np
from torch import Tensor

from omnirt.formats import Quantized

# Kernels (csrc/bindings/ops_*.cc): tensors are dense and on the CPU, results go into the last
# arguments. Shapes and dtypes that a kernel cannot do raise ValueError. See omnirt.ops.

ATTENTION_SPLIT: int  # cached rows per slice of paged_attention's scratch

def isa() -> str:
    """The instruction set that kernels use."""

def isas() -> list[str]:
    """Those that this machine runs, widest last."""

def set_isa(name: str) -> None:
    """Use another one of ``isas()``; ValueError for others."""

def release_pages(tensor: Tensor) -> None:
    """Give the memory behind a tensor of a mapped file back; touching it reads the file again."""

def use_huge_pages(tensor: Tensor) -> None:
    """Ask for large pages behind memory that was not yet touched: they are read faster."""

def read_memory(data: Tensor, out: Tensor) -> None:
    """Read uint8 [bytes] in parts; out: int32 [parts], the exclusive or of the words of each."""

def return_freed() -> None:
    """Give memory that was freed back to the system, where the C library would keep it."""

def linear(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None: ...
def rms_norm(x: Tensor, weight: Tensor, eps: float, out: Tensor) -> None: ...
def add_rms_norm(
    x: Tensor, delta: Tensor, weight: Tensor, eps: float, total: Tensor, out: Tensor
) -> None: ...
def layer_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, out: Tensor
) -> None: ...
def silu_mul(gate: Tensor, up: Tensor, out: Tensor) -> None: ...
def gelu(x: Tensor, tanh: bool, out: Tensor) -> None: ...
def quant_linear(
    x: Tensor, weight: Quantized, bias: Tensor | None, scratch: Tensor, out: Tensor
) -> None: ...
def quantize(weight: Tensor, out: Quantized) -> None: ...
def rounded_bytes(k: int) -> int:
    """Bytes of scratch that quant_linear takes for a row."""

def embed(ids: Tensor, table: Tensor | Quantized, out: Tensor) -> None: ...
def state_embed(states: Tensor, table: Tensor | Quantized, out: Tensor) -> None: ...
def talker_input(
    states: Tensor,
    codec_table: Tensor | Quantized,
    ring: Tensor,
    eos_row: Tensor,
    pad_row: Tensor,
    out: Tensor,
) -> None: ...
def ring_append(states: Tensor, h: Tensor, e: Tensor, ring: Tensor) -> None: ...
def rope_angles(
    positions: Tensor, inv_freq: Tensor, axis: Tensor, cos: Tensor, sin: Tensor
) -> None:
    """axis: int64 [F], the row of ``positions`` that each frequency follows."""

def state_rope_angles(states: Tensor, inv_freq: Tensor, cos: Tensor, sin: Tensor) -> None: ...
def rope(x: Tensor, cos: Tensor, sin: Tensor, out: Tensor) -> None: ...
def rope_append(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cos: Tensor,
    sin: Tensor,
    states: Tensor,
    tables: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    out: Tensor,
) -> None: ...
def kv_write(
    k: Tensor, v: Tensor, table_row: Tensor, start: int, k_pages: Tensor, v_pages: Tensor
) -> None: ...
def prefill_attention(
    q: Tensor, table_row: Tensor, start: int, k_pages: Tensor, v_pages: Tensor, out: Tensor
) -> None: ...
def paged_attention(
    q: Tensor,
    states: Tensor,
    tables: Tensor,
    k_pages: Tensor,
    v_pages: Tensor,
    partial: Tensor,
    out: Tensor,
) -> None:
    """partial: scratch, float32 [B, H, ceil(rows of a table / ATTENTION_SPLIT), D + 2]."""

def sample(
    states: Tensor,
    logits: Tensor,
    seen: Tensor,
    suppress: Tensor,
    stream: int,
    work: Tensor,
    order: Tensor,
) -> None:
    """work: scratch, float32 [B, V]; order: scratch, int32 [B, V]."""

def philox(counters: Tensor, seed: int, out: Tensor) -> None:
    """Four words per counter, as the bits of int32. counters, out: int32 [T, 4]."""

def philox_uniform(seed: int, stream: int, step: int, out: Tensor) -> None: ...
def vocoder_conv(
    span: Tensor,
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    kernel: int,
    dilation: int,
    add: bool,
    out: Tensor,
) -> None:
    """span: int32 [2], read whenever the call runs; weights: PackedConv.panels."""

def vocoder_upsample(
    span: Tensor,
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None,
    rate: int,
    padding: int,
    out: Tensor,
) -> None:
    """weights: PackedConvTranspose.panels."""

def vocoder_snake(span: Tensor, x: Tensor, alpha: Tensor, beta: Tensor, out: Tensor) -> None: ...
def vocoder_mean(span: Tensor, parts: list[Tensor], out: Tensor) -> None: ...
def vocoder_clamp(span: Tensor, x: Tensor, scale: float, shift: float, out: Tensor) -> None: ...

# state: FlowWindow.state; table, cache, voice and codes: what it holds the addresses of, to check
# their shapes. A replay follows the addresses.

def flow_noise(state: Tensor, out: Tensor) -> None: ...
def flow_input(
    state: Tensor,
    voice: Tensor,
    codes: Tensor,
    rows: int,
    base: Tensor,
    projected: Tensor,
    repeats: int,
    out: Tensor,
) -> None: ...
def flow_modulate(
    state: Tensor,
    table: Tensor,
    rows: int,
    x: Tensor,
    shift: int,
    scale: int,
    eps: float,
    out: Tensor,
) -> None: ...
def flow_rope_angles(state: Tensor, inv_freq: Tensor, cos: Tensor, sin: Tensor) -> None: ...
def flow_attention(
    state: Tensor,
    cache: Tensor | None,
    rows: int,
    qkv: Tensor,
    heads: int,
    block: int,
    back: int,
    ahead: int,
    cos: Tensor,
    sin: Tensor,
    layer: int,
    out: Tensor,
) -> None:
    """``layer`` is read only where there is a cache."""

# data, scale, sums: of a Packed.

def flow_linear(
    state: Tensor,
    x: Tensor,
    data: Tensor,
    scale: Tensor | None,
    sums: Tensor | None,
    bias: Tensor | None,
    out: Tensor,
    rows: int,
    gelu: bool,
) -> None: ...
def flow_gated_linear(
    state: Tensor,
    table: Tensor,
    x: Tensor,
    data: Tensor,
    scale: Tensor | None,
    sums: Tensor | None,
    bias: Tensor | None,
    gate: int,
    out: Tensor,
    rows: int,
) -> None: ...

# The runtime: threads, plans, cache pages, sessions (csrc/bindings/runtime*.cc)

def set_cores(cores: int) -> None:
    """Cores that kernels may use together; the default is every core of the machine."""

def cores() -> int: ...

class Plan:
    """Kernel calls that were recorded once and run without Python."""

    def __init__(self, name: str) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def calls(self) -> list[str]:
        """Names of the kernels, in order."""

    def __len__(self) -> int: ...
    def recording(self) -> AbstractContextManager[None]:
        """While entered, this thread's kernel calls run, are appended, and their tensors kept."""

    @staticmethod
    def is_recording() -> bool:
        """Whether this thread records into any plan."""

    def run(self) -> None:
        """Replay every call, without the GIL."""

class PageAllocator:
    """Hands out cache pages to slots; writes their ids into ``tables``, int32 [slots, max_pages].

    -1 is no page. CapacityError where pages are missing: it says how many are needed and free.
    """

    def __init__(self, pages: int, page_size: int, tables: Tensor) -> None: ...
    def open(self, slot: int, tokens: int) -> None: ...
    def extend(self, slot: int, tokens: int) -> None:
        """Pages for ``tokens`` tokens in all."""

    def truncate(self, slot: int, tokens: int) -> None: ...
    def close(self, slot: int) -> None: ...
    def fits(self, tokens: int) -> bool:
        """Whether ``open`` would succeed for a closed slot."""

    @property
    def free_pages(self) -> int: ...

class TokenEvent:
    id: int
    time: float
    stop: bool  # a stop id: it ends the reply and has no text

class ChunkStats(TypedDict):
    """See ``omnirt.types.ChunkStats``."""

    start: int
    samples: int
    time: float
    codes: int
    lookahead: int
    solve: float
    vocode: float

class AudioEvent:
    samples: np.ndarray  # float32 [n]
    start: int  # index of the first sample in the reply
    time: float
    stats: ChunkStats

class DoneEvent:
    finish_reason: str  # "stop", "length" or "cancelled"
    time: float

class SessionStats(TypedDict):
    """Times are seconds since ``started``; None where it did not happen (yet)."""

    text_tokens: int
    codes: int
    samples: int
    finish_reason: str
    prefill: float | None
    first_text: float | None
    first_code: float | None
    first_audio: float | None
    last_text: float | None
    total: float | None
    text_tokens_at_first_code: int | None
    codes_at_first_audio: int | None
    chunks: list[ChunkStats]
    thinker_steps: int
    talker_steps: int
    wave_steps: int

class LaneStats(TypedDict):
    """gaps: steps that followed another without waiting for work; gap_seconds: between the two."""

    steps: int
    step_seconds: float
    gaps: int
    gap_seconds: float

class Session:
    """A reply in the making. Dropping it cancels the reply."""

    def next(self, timeout: float | None = None) -> TokenEvent | AudioEvent | DoneEvent | None:
        """The next event, None when ``timeout`` seconds are over. Raises what a lane raised."""

    def cancel(self) -> None:
        """Drop unread events and begin no further step. Does not wait."""

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no lane works on this session any more and its jobs are let go.

        Cancel first if nobody reads.
        """

    def tokens(self) -> list[int]:
        """Text ids so far, with the stop id."""

    def codes(self) -> list[int]:
        """Codec ids so far, without the last generated one."""

    def stats(self) -> SessionStats: ...

class FlowTrack:
    """Recorded work of the flow, shared by all streams of one lane.

    noise: state -> y. evaluate: state, y -> velocity. state: int32 [16]; y: float32 [F, mel], F the
    longest window; velocity: [F * rows, mel], rows of guidance. block: frames; repeats: frames a
    code. See ``omnirt.ops.window``. With a GPU the tensors are the host's of replays.
    """

    def __init__(
        self,
        noise: Plan | cuda.Replay | cuda.FlowReplay,
        evaluate: Plan | cuda.FlowReplay,
        state: Tensor,
        y: Tensor,
        velocity: Tensor,
        rows: int,
        block: int,
        repeats: int,
    ) -> None: ...

class VocoderTrack:
    """The recorded vocoder, shared by all streams of one lane.

    plan: spans, mel -> samples. spans: int32 [2 * levels, 2]; mel: float32 [F, mel]; samples:
    float32 [n, 1], for F frames less the context. levels: (rows a frame, left, right); held_first:
    frames held back right of the first packet. See ``omnirt.token2wav.vocoder_window``.
    """

    def __init__(
        self,
        plan: Plan,
        spans: Tensor,
        mel: Tensor,
        samples: Tensor,
        levels: list[tuple[int, int, int]],
        held_first: int,
    ) -> None: ...

class ChunkWork:
    codes: int
    lookahead: int
    solve: float
    vocode: float

class WavePiece:
    samples: np.ndarray  # float32 [n], empty when the step only worked on
    work: ChunkWork
    finished: bool

class WaveStream:
    """The speech of one reply, window by window; a scheduler takes it, or ``step`` drives it.

    schedule: first, chunk, lookahead (blocks) and growth. evaluations: (inputs, last, outputs) of
    each, see ``omnirt.token2wav.ode``. table: float32 [E, T, C]; cache: float32
    [E, L, 2, rows, block, C], scratch; voice: float32 [2, C]; noise: float32 [frames, mel] in place
    of the seed's, InputError once it is too short.
    """

    def __init__(
        self,
        *,
        flow: FlowTrack,
        vocoder: VocoderTrack,
        schedule: tuple[int, int, int, float],
        evaluations: list[tuple[tuple[float, ...], bool, tuple[float, ...]]],
        guidance: float,
        seed: int,
        table: Tensor,
        cache: Tensor,
        voice: Tensor,
        noise: Tensor | None = None,
    ) -> None: ...
    def wants(self, known: int, complete: bool) -> bool:
        """Whether there is something to do with so many codes; complete: no more will come."""

    def step(self, codes: Tensor, complete: bool) -> WavePiece:
        """One evaluation or one vocoder window, if it wants any. codes: int32, all known ones."""

class Scheduler:
    """Lanes for thinker, talker and wave.

    A track is a plan and the int32 [1, 16] state that it was recorded on, or a GPU's. Without a
    talker there is one lane. ring_rows: rows of the text ring.
    """

    def __init__(
        self,
        thinker: tuple[Plan, Tensor] | cuda.Track,
        talker: tuple[Plan, Tensor] | cuda.Track | None,
        ring_rows: int,
    ) -> None: ...
    def submit(
        self,
        *,
        prefill: Iterator[None],
        thinker_state: Tensor,
        talker_state: Tensor,
        thinker_max_tokens: int,
        thinker_stop_ids: list[int],
        speaks: bool = False,
        talker_max_codes: int = 0,
        talker_stop_ids: list[int] = ...,
        wave: WaveStream | None = None,
        event_capacity: int = 64,
        started: float | None = None,
    ) -> Session:
        """Answer a prompt.

        prefill: reads the prompt, a piece a next(), on the thinker's lane. When it ends, the
        states, int32 [1, 16], must be those of the first steps: the thinker's token is the reply's
        first id, its row is 0, and so is the talker's. wave: of this reply only. started:
        time.monotonic() that times count from.
        """

    def shutdown(self) -> None:
        """End live sessions with an EngineError and stop the lanes. May be called twice."""

    def stats(self) -> dict[str, LaneStats]:
        """By lane. Empty after ``shutdown``."""

class cuda:
    """NVIDIA's driver, and the runtime on its streams (csrc/bindings/cuda_*.cc): a submodule.

    Device memory is whatever has ``data_ptr()`` and ``nbytes``. Errors of the driver are
    ``EngineError``s that name the call and the error.
    """

    @staticmethod
    def set_library(path: str) -> None:
        """Where the driver is, in place of what the loader finds; before it is first used."""

    @staticmethod
    def driver_version() -> int:
        """1000 * major + 10 * minor of the CUDA version that the driver supports."""

    @staticmethod
    def device_count() -> int: ...
    @staticmethod
    def launch(
        kernel: cuda.Kernel,
        grid: tuple[int, int, int],
        args: tuple[Tensor | int | float | None, ...],
        stream: cuda.Stream,
    ) -> None:
        """Start a kernel, and append it to the plan that this thread records, if any."""

    class Device:
        """A GPU. Uses its primary context, as torch does."""

        def __init__(self, ordinal: int) -> None: ...
        @property
        def name(self) -> str: ...
        @property
        def capability(self) -> tuple[int, int]: ...
        @property
        def memory(self) -> tuple[int, int]:
            """(free, total) bytes."""

    class Stream:
        """priority: "low", "middle" or "high"."""

        def __init__(self, device: cuda.Device, priority: str) -> None: ...
        @property
        def handle(self) -> int:
            """For ``torch.cuda.ExternalStream``."""

        def synchronize(self) -> None: ...

    class Kernel:
        """A compiled kernel. args: the types of what is passed, in Triton's words ("*bf16")."""

        def __init__(
            self,
            device: cuda.Device,
            image: bytes,
            name: str,
            *,
            warps: int,
            shared: int,
            args: list[str],
        ) -> None: ...
        @property
        def name(self) -> str: ...

    class Plan:
        """Launches that were recorded once. Keeps their kernels and tensors."""

        def __init__(self, name: str) -> None: ...
        @property
        def name(self) -> str: ...
        @property
        def calls(self) -> list[str]: ...
        def __len__(self) -> int: ...
        def recording(self) -> AbstractContextManager[None]: ...
        @staticmethod
        def is_recording() -> bool: ...

    class Track:
        """A decoder on a stream: CUDA graphs of its step, started before the last one is done.

        plans: (rows, Plan) by ascending rows, each recorded on the first rows of ``batch``. batch,
        slots, blank: int32 device tensors of states, [rows, 16], [slots, 16] and [1, 16]; a state
        rests in the row of its slot; blank is of a slot that is nobody's. ahead: steps under way.
        upstream: the track that writes the ring which this one reads.
        """

        def __init__(
            self,
            *,
            device: cuda.Device,
            stream: cuda.Stream,
            plans: list[tuple[int, cuda.Plan]],
            batch: Tensor,
            slots: Tensor,
            blank: Tensor,
            ahead: int,
            upstream: cuda.Track | None = None,
        ) -> None: ...

    class Replay:
        """A plan with host memory around it: inputs go in, a graph runs, outputs come back.

        inputs, outputs: pairs of a host tensor, best pinned, and a device tensor of its size.
        """

        def __init__(
            self,
            *,
            device: cuda.Device,
            stream: cuda.Stream,
            plan: cuda.Plan,
            inputs: list[tuple[Tensor, Tensor]],
            outputs: list[tuple[Tensor, Tensor]],
        ) -> None: ...

    class FlowReplay:
        """An evaluation of the flow: the codes that ``state`` points to go to the device too.

        state: the host's int32 [16], an input of ``replay``. codes: int32 device tensor for those
        of the longest window. repeats: frames of a code.
        """

        def __init__(
            self, replay: cuda.Replay, state: Tensor, codes: Tensor, repeats: int
        ) -> None: ...
