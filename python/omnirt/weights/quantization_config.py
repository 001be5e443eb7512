"""What config.json says about the quantized tensors of its files: ``quantization_config``.

GPTQ's, AutoAWQ's and AutoRound's keys are read as they write them. A section ``omnirt`` in it names
the weights that are packed for the kernels: {"talker.model.layers": "int8"}, by prefixes, and maybe
"token2wav": the precision that its products are meant to have. With ``quant_method`` "omnirt" there
is nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from omnirt.config import Section
from omnirt.formats import FORMATS, Format
from omnirt.types import PRECISIONS

from .awq import Awq
from .gptq import Gptq
from .quantized_files import Layout, Packed

OWN = "omnirt"
_TOKEN2WAV = "token2wav"


@dataclass(frozen=True)
class QuantizationConfig:
    """packed: prefix of weights -> their format in our own layout. foreign: of quantized weights
    besides them. token2wav: None where the file does not say."""

    packed: Mapping[str, Format] = field(default_factory=dict)
    foreign: Layout | None = None
    token2wav: str | None = None

    @classmethod
    def from_config(cls, config: Section) -> "QuantizationConfig":
        """Of a whole config.json. Raises CheckpointError with key, value and fix."""
        if not config.has("quantization_config"):
            return cls()
        s = config.section("quantization_config")
        own = dict(s.mapping(OWN)) if s.has(OWN) else {}
        token2wav = own.pop(_TOKEN2WAV, None)
        known = " or ".join(PRECISIONS)
        s.require(
            token2wav in (None, *PRECISIONS), f"{OWN}.{_TOKEN2WAV}", token2wav, f"use {known}"
        )
        for prefix, name in own.items():
            known = " or ".join(FORMATS)
            s.require(name in FORMATS, f"{OWN}.{prefix}", name, f"use {known}")
        return cls({p: FORMATS[name] for p, name in own.items()}, _foreign(s), token2wav)

    def layout(self, name: str) -> Layout | None:
        """How the weight ``name`` is stored if it is quantized: by the longest prefix."""
        prefixes = [p for p in self.packed if name.startswith(f"{p}.")]
        if prefixes:
            return Packed(self.packed[max(prefixes, key=len)])
        return self.foreign


# AutoRound's names of what it packs -> method and version of GPTQ's layout
_PACKINGS = {
    "auto_round:auto_gptq": ("gptq", "gptq"),
    "auto_round": ("gptq", "gptq_v2"),
    "auto_round:auto_awq": ("awq", None),
}


def _foreign(s: Section) -> Layout | None:
    method = s.choice("quant_method", "gptq", "awq", "auto-round", OWN)
    if method == OWN:
        return None
    bits = s.size("bits", "w_bit")
    s.require(bits == 4, "bits", bits, "only 4 is supported")
    if method == "auto-round":
        method, version = _PACKINGS[s.choice("packing_format", *_PACKINGS)]
    elif method == "gptq":
        version = s.choice("checkpoint_format", "gptq", "gptq_v2", default="gptq")
    if method == "awq":
        s.refuse("zero_point", True)
        s.refuse("version", "gemm", "GEMM")
        return Awq(_int4(s, symmetric=False))
    s.refuse("dynamic", {})
    format = _int4(s, s.flag("sym", default=True))
    return Gptq(format, version == "gptq_v2", s.flag("desc_act", default=False))


def _int4(s: Section, symmetric: bool) -> Format:
    group = s.size("group_size", "q_group_size", default=128)
    formats = {f.group: f for f in FORMATS.values() if f.bits == 4 and f.zero_point != symmetric}
    known = " or ".join(map(str, formats))
    s.require(group in formats, "group_size", group, f"only {known} are supported")
    return formats[group]
