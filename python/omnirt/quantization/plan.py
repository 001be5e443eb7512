"""What becomes of each weight of a checkpoint, and in which order."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from omnirt.formats import Format, Quantized, unpack
from omnirt.weights.gptq import Gptq, gptq_tensors
from omnirt.weights.model_config import ModelConfig
from omnirt.weights.names import expected_tensors, in_part
from omnirt.weights.precisions import PARTS, Precisions
from omnirt.weights.quantization_config import OWN
from omnirt.weights.quantized_files import Layout, Packed, store
from omnirt.weights.tensor_spec import TensorSpec

THINKER = "thinker.model.layers"  # what GPTQ's readers know


@dataclass(frozen=True)
class Unit:
    """Weights that are made together and written to one file.

    prefix: what they belong to, such as "talker.model.layers.3"; layer: whether that is one of a
    decoder.
    """

    prefix: str
    names: tuple[str, ...]
    layer: bool = False


class Plan:
    """Formats and layouts by weight; units in an order in which each needs only those before it."""

    def __init__(self, config: ModelConfig, precisions: Precisions) -> None:
        self.config, self.precisions = config, precisions
        self.weights = expected_tensors(config)
        formats = {name: precisions.format(name, s.shape) for name, s in self.weights.items()}
        self.formats: dict[str, Format] = {n: f for n, f in formats.items() if f is not None}
        self.units = [Unit(p, self._names(more), layer) for p, more, layer in _prefixes(config)]

    def _names(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(n for n in self.weights if any(in_part(n, p) for p in prefixes))

    @cached_property
    def _gptq(self) -> Gptq | None:
        """The layout of the Thinker's layers, if it can hold them; else they are packed as ours."""
        found = {n: f for n, f in self.formats.items() if in_part(n, THINKER)}
        shapes = [self.weights[name].shape for name in found]
        format = next(iter(found.values()), None)
        if format is None or format.bits != 4 or any(n % 8 or k % 8 for n, k in shapes):
            return None
        return Gptq(format, v2=format.zero_point)

    def layout(self, name: str) -> Layout | None:
        """How a weight is stored; None for as it is."""
        if name not in self.formats:
            return None
        if self._gptq is not None and in_part(name, THINKER):
            return self._gptq
        return Packed(self.formats[name])

    def tensors(self, name: str) -> dict[str, TensorSpec]:
        """What the files will hold for a weight."""
        layout, spec = self.layout(name), self.weights[name]
        return {name: spec} if layout is None else layout.specs(name, spec.shape)

    def stored(self, name: str, weight: Quantized) -> dict[str, Tensor]:
        """The tensors of a rounded weight."""
        if isinstance(self.layout(name), Gptq):
            return gptq_tensors(name, unpack(weight), self._gptq.v2)
        return store(name, weight)

    def quantization_config(self) -> dict:
        """What config.json says about it."""
        own = {
            prefix: format
            for part, format in self.precisions.formats.items()
            for prefix in PARTS[part]
            if self._gptq is None or prefix != THINKER
        }
        if self.precisions.token2wav is not None:
            own["token2wav"] = self.precisions.token2wav
        if self._gptq is None:
            return {"quant_method": OWN, OWN: own}
        return {
            "quant_method": "gptq",
            "bits": self._gptq.format.bits,
            "group_size": self._gptq.format.group,
            "sym": not self._gptq.format.zero_point,
            "desc_act": False,
            "checkpoint_format": "gptq_v2" if self._gptq.v2 else "gptq",
            OWN: own,
        }


def _prefixes(config: ModelConfig) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Name, parts and "is a layer" of each unit."""
    yield from ((p, (p,), False) for p in ("thinker.audio_tower", "thinker.visual"))
    yield from _decoder("thinker", config.thinker.text.num_layers, "lm_head")
    if config.talker is None:
        return
    yield from _decoder(
        "talker", config.talker.decoder.num_layers, "codec_head", "thinker_to_talker_proj"
    )
    for part in ("dit", "bigvgan"):
        name = f"token2wav.code2wav_{part}_model"
        yield name, (name,), False


def _decoder(
    model: str, layers: int, head: str, *projection: str
) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    for name in ("model.embed_tokens", *projection):
        yield f"{model}.{name}", (f"{model}.{name}",), False
    for i in range(layers):
        yield f"{model}.model.layers.{i}", (f"{model}.model.layers.{i}",), True
    yield f"{model}.{head}", (f"{model}.model.norm", f"{model}.{head}"), False
