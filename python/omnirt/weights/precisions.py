"""Which weights may be quantized, and which format each one takes on a user's word.

A part is a set of matrices that share a format: ``thinker`` and ``talker`` are the Linears of their
decoders, and, unless they are named too, ``thinker.embedding``, ``thinker.lm_head`` and so on
follow. Norms, biases and convolutions stay as they are.

With INT4, embeddings are INT8: a step reads one row, so fewer bits would save no time, and the row
starts everything that follows. Heads are INT4 like the decoder, since a step reads them whole: the
Thinker's is a tenth of what a step of the 3B reads at INT4, and would be a fifth at INT8. The
Talker's projection and head, a fiftieth of it, are INT8, and so are encoders, which read their
weights once for hundreds of rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from omnirt.errors import InputError
from omnirt.formats import FORMATS, Format
from omnirt.types import PRECISIONS, require

from .names import in_part

# part -> the modules it stands for
PARTS = {
    "thinker": ("thinker.model.layers",),
    "thinker.embedding": ("thinker.model.embed_tokens",),
    "thinker.lm_head": ("thinker.lm_head",),
    "encoders": (
        "thinker.audio_tower.layers",
        "thinker.audio_tower.proj",
        "thinker.visual.blocks",
        "thinker.visual.merger",
    ),
    "talker": ("talker.model.layers",),
    "talker.embedding": ("talker.model.embed_tokens",),
    "talker.codec_head": ("talker.codec_head", "talker.thinker_to_talker_proj"),
}
TOKEN2WAV = "token2wav"  # no weights in these formats, but a precision of its products
KV_CACHE = "kv_cache"  # of both decoders
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}
_FOLLOWS = ("thinker.lm_head",)  # takes its decoder's INT4; the others take INT8 then


def part_of(name: str, shape: tuple[int, ...]) -> str | None:
    """The part of the weight ``name``; None for one that is never quantized."""
    if len(shape) != 2 or not name.endswith(".weight"):
        return None
    found = (part for part, modules in PARTS.items() if any(in_part(name, m) for m in modules))
    return next(found, None)


@dataclass(frozen=True)
class Precisions:
    """formats: part -> a key of FORMATS; parts that are absent stay as they are stored.

    token2wav, kv_cache: one of types.PRECISIONS, None where nothing was said.
    """

    formats: Mapping[str, str]
    token2wav: str | None = None
    kv_cache: str | None = None

    @classmethod
    def of(cls, quantization: str | Mapping[str, str]) -> "Precisions":
        """One word for everything ("int4": Token2Wav in int8), or by part. Raises InputError."""
        if isinstance(quantization, str):
            _check_format("quantization", quantization)
            quantization = {
                "thinker": quantization,
                "talker": quantization,
                "encoders": "int8",
                TOKEN2WAV: "int8",
            }
        formats: dict[str, str] = {}
        for part, value in quantization.items():
            _check(part, value)
            formats |= {p: _default(p, value) for p in PARTS if in_part(p, part)}
        named = {part: value for part, value in quantization.items() if part in PARTS}
        return cls(formats | named, quantization.get(TOKEN2WAV), quantization.get(KV_CACHE))

    @property
    def cache_dtype(self) -> torch.dtype | None:
        """Of keys and values; None where nothing was said."""
        return None if self.kv_cache is None else _DTYPES[self.kv_cache]

    def format(self, name: str, shape: tuple[int, ...]) -> Format | None:
        """What to quantize the weight ``name`` to, None to leave it."""
        part = part_of(name, shape)
        return FORMATS[self.formats[part]] if part in self.formats else None


def _default(part: str, format: str) -> str:
    return format if part in ("thinker", "talker", *_FOLLOWS) else "int8"


def _check(part: str, value: str) -> None:
    if part in (TOKEN2WAV, KV_CACHE):
        known = ", ".join(map(repr, PRECISIONS))
        require(value in PRECISIONS, f"quantization[{part!r}]", value, f"use one of {known}")
        return
    parts = ", ".join(map(repr, (*PARTS, TOKEN2WAV, KV_CACHE)))
    require(part in PARTS, "quantization", part, f"its parts are: {parts}")
    _check_format(f"quantization[{part!r}]", value)


def _check_format(field: str, value: str) -> None:
    if value not in FORMATS:
        raise InputError(f"{field}={value!r}: use one of {', '.join(map(repr, FORMATS))}")
