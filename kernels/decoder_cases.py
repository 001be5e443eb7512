"""The decoders' and encoders' launches at the shapes of a released model, see registry.py."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt import formats
from omnirt.ops.state import POSITION, WORDS
from omnirt.weights.presets import Decoder, Preset

from . import activation, attention, decode_attention, gemv, norm, rope, split
from .call import Call

EPS = 1e-6
PROMPT = 1024  # rows of a chunk of a prompt, and what a cache holds before a decode step
PAGE = 64  # rows of a cache page, as nn/kv_cache.py has it
PAGES = 128  # of a sequence
KINDS = ("bf16", "int8", "int4", "int4-zero", "int4-32")  # of weights
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


CODES = 8448  # ids of the talker


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
    both = decode_attention.paged_attention(
        q, _states(), tables, *_pages(shape), scratch, q, expected=PROMPT
    )
    yield from zip(("decode.attention", "decode.attention_sum"), both, strict=True)


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
