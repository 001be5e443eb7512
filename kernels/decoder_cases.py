"""The decoders' and encoders' launches at the shapes of a released model, see registry.py."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt import formats
from omnirt.ops.state import POSITION, THINKER, TOKEN, WORDS
from omnirt.weights.presets import Decoder, Preset

from . import (
    activation,
    attention,
    decode_attention,
    embedding,
    gemm,
    gemv,
    norm,
    rope,
    sampling,
    split,
)
from .call import Call, Work

EPS = 1e-6
PROMPT = 1024  # rows of a chunk of a prompt, and what a cache holds before a decode step
PAGE = 64  # rows of a cache page, as nn/kv_cache.py has it
PAGES = 512  # of a sequence
LONG = PAGE * PAGES
KINDS = ("bf16", "int8", "int4", "int4-zero", "int4-32")  # of weights
CODES = 8448  # ids of the talker
BATCH = 16
RING_ROWS = 512
FRAME = (40, 72)  # patches of a frame of a 720p video
WINDOW = 64  # patches
SOUND = 100  # rows of a 2 s chunk of sound, after the convolutions
BF16 = torch.bfloat16


def calls(preset: Preset) -> Iterator[tuple[str, Call]]:
    """(name, Call) of everything but Token2Wav."""
    shapes = {
        "thinker": _Shape(preset.text, preset.text.hidden, preset.vocab_size),
        "talker": _Shape(preset.talker, preset.text.hidden, CODES),
    }
    for part, shape in shapes.items():
        for name, call in _all_of(shape):
            yield f"{part}.{name}", call
    yield from _encoders(preset)


@dataclass(frozen=True)
class _Shape:
    """A decoder; ``embedding``: width of its table; ``vocab``: ids that it chooses from."""

    decoder: Decoder
    embedding: int
    vocab: int

    @property
    def dim(self) -> int:
        return 2 * sum(self.decoder.mrope_section)

    @property
    def widths(self) -> list[int]:
        """Outputs of q, k and v."""
        d = self.decoder
        return [d.heads * self.dim, d.kv_heads * self.dim, d.kv_heads * self.dim]

    @property
    def products(self) -> dict[str, tuple[int, int, bool]]:
        """Outputs, inputs and gating of every weight that a decode step multiplies with."""
        d = self.decoder
        return {
            "qkv": (sum(self.widths), d.hidden, False),
            "o": (d.hidden, self.widths[0], False),
            "gate_up": (2 * d.intermediate, d.hidden, True),
            "down": (d.hidden, d.intermediate, False),
            "head": (self.vocab, d.hidden, False),
        }


def _all_of(shape: _Shape) -> Iterator[tuple[str, Call]]:
    yield from _rows(shape, "decode", 1, torch.float32)
    yield from _rows(shape, "prefill", PROMPT, BF16)
    yield from _decode_attention(shape)
    yield "prefill.attention", _prefill_attention(shape)
    yield from _gemv(shape)
    yield from _gemm(shape)
    yield from _ends(shape)


def _rows(shape: _Shape, step: str, rows: int, low: torch.dtype) -> Iterator[tuple[str, Call]]:
    """What works row by row, in a decode step or on a chunk of a prompt."""
    d, half = shape.decoder, shape.dim // 2
    x, weight, out = (
        _new(rows, d.hidden),
        _new(d.hidden, dtype=BF16),
        _new(rows, d.hidden, dtype=low),
    )
    yield f"{step}.norm", norm.rms_norm(x, weight, EPS, out)
    yield (
        f"{step}.add_norm",
        norm.add_rms_norm(x, _new(rows, d.hidden, dtype=low), weight, EPS, x, out),
    )
    both = _new(rows, 2 * d.intermediate, dtype=low)
    gate, up = both[:, : d.intermediate], both[:, d.intermediate :]
    yield f"{step}.silu_mul", activation.silu_mul(gate, up, _new(rows, d.intermediate, dtype=low))
    cos, sin, inv_freq = _new(rows, half), _new(rows, half), _new(half)
    qkv = _new(rows, sum(shape.widths), dtype=low).split(shape.widths, 1)
    bias = _new(sum(shape.widths), dtype=BF16).split(shape.widths)
    out = _new(rows, d.heads, shape.dim, dtype=low)
    if rows == 1:
        states, tables = _states(), _new(16, PAGES, dtype=torch.int32)
        positions, section = states[None, :, POSITION], None
    else:
        states, tables = None, _new(PAGES, dtype=torch.int32)
        positions, section = _new(3, rows, dtype=torch.int64), d.mrope_section
    yield f"{step}.rope_angles", rope.rope_angles(positions, inv_freq, section, cos, sin)
    append = rope.rope_append(*qkv, bias, cos, sin, states, tables, 0, *_pages(shape), out)
    yield f"{step}.rope_append", append


def _decode_attention(shape: _Shape) -> Iterator[tuple[str, Call]]:
    q, tables = _new(1, shape.decoder.heads, shape.dim), _new(16, PAGES, dtype=torch.int32)
    scratch = decode_attention.partial_like(q)
    for context, rows in (("", PROMPT), ("_long", LONG)):
        both = decode_attention.paged_attention(
            q, _states(), tables, *_pages(shape), scratch, q, expected=rows
        )
        yield f"decode.attention{context}", both[0]
        yield f"decode.attention{context}_sum", both[1]


def _prefill_attention(shape: _Shape) -> Call:
    q = _new(PROMPT, shape.decoder.heads, shape.dim, dtype=BF16)
    table = _new(PAGES, dtype=torch.int32)
    return attention.prefill_attention(q, table, PROMPT, *_pages(shape), q)


def _gemv(shape: _Shape) -> Iterator[tuple[str, Call]]:
    scratch = split.new_scratch(shape.vocab, device="meta")
    for name, (n, k, gated) in shape.products.items():
        x, out = _new(1, k), _new(1, n // 2 if gated else n)
        for kind in KINDS:
            yield (
                f"decode.{name}.{kind}",
                gemv.gemv(x, weight(kind, n, k), None, out, scratch, gated),
            )


def _gemm(shape: _Shape) -> Iterator[tuple[str, Call]]:
    """Products of a batch and, with quantized weights, of a chunk of a prompt."""
    for rows, step in ((BATCH, "batch"), (PROMPT, "prefill")):
        scratch = split.new_scratch(shape.vocab, rows, device="meta")
        for name, (n, k, _) in shape.products.items():
            x, out = _new(rows, k, dtype=BF16), _new(rows, n, dtype=BF16)
            for kind in KINDS:
                w, laid = weight(kind, n, k), x
                if kind == "bf16" and rows == PROMPT:
                    continue  # cuBLAS has it
                if kind != "bf16":
                    laid = _new(rows, gemm.arranged_width(w), dtype=BF16)
                    yield f"{step}.{name}.{kind}.arrange", gemm.arrange(x, w, laid)
                if name != "head" or rows == BATCH:
                    yield f"{step}.{name}.{kind}", gemm.gemm(laid, w, None, out, scratch)


def _ends(shape: _Shape) -> Iterator[tuple[str, Call]]:
    """The first and the last launches of a decode step."""
    states, width = _states(), shape.embedding
    x, ring = _new(1, width), _new(16, RING_ROWS, width)
    for kind in ("bf16", "int8", "int4"):
        table = weight(kind, shape.vocab, width)
        yield f"decode.embed.{kind}", embedding.embed(states[:, TOKEN], table, x)
        due = embedding.talker_input(states, table, ring, _new(width), _new(width), x)
        yield f"decode.talker_input.{kind}", due
    yield "decode.ring_append", embedding.ring_append(states, x, x, ring)
    marks = _new(16, shape.vocab, dtype=torch.uint8)
    scratch = sampling.scratch_for(1, shape.vocab, device="meta")
    both = sampling.sample(states, _new(1, shape.vocab), marks, marks[0], THINKER, scratch)
    yield from zip(("decode.sample_score", "decode.sample_choose"), both, strict=True)


def _encoders(preset: Preset) -> Iterator[tuple[str, Call]]:
    """Attention, norms and rotation of the encoders, on a second of video or a chunk of sound."""
    hidden, _, heads, _ = preset.vision
    dim, patches = hidden // heads, FRAME[0] * FRAME[1]
    q, half = _new(patches, heads, dim, dtype=BF16), _new(patches, dim // 2)
    for name, step in (("window", WINDOW), ("frame", patches)):
        yield f"vision.{name}_attention", _segments(q, [*range(0, patches, step), patches])
    yield "vision.rope", rope.rope(q.flatten(1), half, half, q)
    width, _, heads, _ = preset.audio
    x = _new(SOUND, width, dtype=BF16)
    sound = _new(SOUND, heads, width // heads, dtype=BF16)
    yield "audio.attention", _segments(sound, [0, SOUND])
    vector = _new(width, dtype=BF16)
    yield "audio.norm", norm.layer_norm(x, vector, vector, EPS, x)
    yield "audio.gelu", activation.gelu(x, x)


def _segments(q: Tensor, boundaries: list[int]) -> Call:
    tiles = _new(len(attention.tiles_of(boundaries)), 3, dtype=torch.int32)
    call = attention.segment_attention(q, q, q, tiles, q)
    pairs = sum((b - a) ** 2 for a, b in zip(boundaries[:-1], boundaries[1:], strict=True))
    work = Work(4 * q.nbytes, 4 * q.shape[1] * q.shape[2] * pairs, type="bf16")
    return dataclasses.replace(call, work=work)


def weight(kind: str, n: int, k: int) -> Tensor | formats.Quantized:
    """A weight [n, k] without memory."""
    if kind == "bf16":
        return _new(n, k, dtype=BF16)
    parts = formats.parts(formats.FORMATS[kind], (n, k))
    tensors = {name: _new(*size, dtype=dtype) for name, (size, dtype) in parts.items()}
    return formats.Quantized(formats.FORMATS[kind], (n, k), **tensors)


def _pages(shape: _Shape) -> tuple[Tensor, Tensor]:
    size = (2 * PAGES, shape.decoder.kv_heads, PAGE, shape.dim)
    return _new(*size, dtype=BF16), _new(*size, dtype=BF16)


def _states() -> Tensor:
    return _new(1, WORDS, dtype=torch.int32)


def _new(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta")
