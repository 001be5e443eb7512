"""Calibration on real conversations, Thinker and Talker jointly and layer by layer.

Each layer is observed on what the quantized layers before it make of the samples, and the Talker on
what the quantized Thinker makes of them. In memory are the rows of all samples once per model, and
one layer's statistics.
"""

from collections.abc import Sequence

from torch import Tensor

from omnirt.engine.teacher import Rows, Said, ThinkerRows, talker_rows, thinker_rows
from omnirt.talker.model import Talker
from omnirt.thinker.model import Thinker
from omnirt.weights.model_config import ModelConfig

from .decoding import Decoding
from .partial import Partial
from .plan import Unit
from .statistics import Statistics


class Calibration:
    """Follows a plan: gives a unit's statistics before it is made, is told when it is done."""

    def __init__(self, config: ModelConfig, partial: Partial, samples: Sequence[Said]) -> None:
        self._config, self._partial, self._samples = config, partial, samples
        self._read: list[ThinkerRows] = []
        self._heard: list[Tensor] = []  # the Thinker's states after its final norm
        self._spoken: list[Rows] = []
        self._decoding: Decoding | None = None
        self.speaks = any(sample.codes for sample in samples)

    def statistics(self, unit: Unit) -> dict[str, Statistics]:
        """By the full names of the unit's weights; of Linears of and around the decoders."""
        if unit.layer and self._takes_part(unit):
            found = self._decoding.observe(self._partial.weights(unit.prefix))
            return {f"{unit.prefix}.{name}": statistics for name, statistics in found.items()}
        if unit.prefix == "talker.thinker_to_talker_proj" and self.speaks:
            return {f"{unit.prefix}.weight": _of(spoken.rows for spoken in self._speech())}
        if unit.prefix in ("thinker.lm_head", "talker.codec_head") and self._takes_part(unit):
            return {f"{unit.prefix}.weight": _of(self._states(unit))}
        return {}

    def done(self, unit: Unit) -> None:
        """Take the samples through what was made."""
        if unit.layer and self._takes_part(unit):
            self._decoding.advance(self._partial.weights(unit.prefix))
        elif unit.prefix == "thinker.model.embed_tokens":
            self._start_thinker()
        elif unit.prefix == "thinker.lm_head":
            self._heard, self._decoding = self._states(unit), None
        elif unit.prefix == "talker.thinker_to_talker_proj" and self.speaks:
            self._start_talker()
        elif unit.prefix == "talker.codec_head":
            self._decoding = None

    def _takes_part(self, unit: Unit) -> bool:
        return self.speaks or unit.prefix.startswith("thinker.")

    def _states(self, unit: Unit) -> list[Tensor]:
        model = unit.prefix.partition(".")[0]
        return self._decoding.normed(self._partial.weights(model)["model.norm.weight"])

    def _thinker(self) -> Thinker:
        return Thinker(self._config.thinker, self._partial.weights("thinker"))

    def _start_thinker(self) -> None:
        thinker = self._thinker()
        self._read = [thinker_rows(thinker, sample) for sample in self._samples]
        self._decoding = Decoding(self._config.thinker.text, self._read)

    def _talker(self) -> Talker:
        return Talker(self._config.talker, self._partial.weights("talker"))

    def _speech(self) -> list[Rows]:
        if not self._spoken:
            thinker, talker = self._thinker(), self._talker()
            self._spoken = [
                talker_rows(thinker, talker, *sample)
                for sample in zip(self._samples, self._read, self._heard, strict=True)
                if sample[0].codes
            ]
            self._read, self._heard = [], []
        return self._spoken

    def _start_talker(self) -> None:
        talker = self._talker()
        projected = [Rows(talker.project(s.rows), s.positions) for s in self._speech()]
        self._decoding = Decoding(self._config.talker.decoder, projected)
        self._spoken = []


def _of(rows: Sequence[Tensor]) -> Statistics:
    rows = list(rows)
    statistics = Statistics(rows[0].shape[-1])
    for part in rows:
        statistics.add(part)
    return statistics
