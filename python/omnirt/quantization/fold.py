"""Where AWQ's scales go: each is multiplied into the columns of the weights that share inputs, and
divided out of what computes these inputs, so that the layer's function stays the same.

In a decoder layer the inputs of q, k, v and those of gate, up come from a norm's weight, and the
inputs of down from the rows of up. The inputs of o come from v, of which several query heads share
one; as any other weight, o is not scaled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from omnirt.formats import Format

from .awq import find_scale
from .statistics import Statistics

_ATTENTION = tuple(f"self_attn.{name}_proj.weight" for name in "qkv")
_GATE, _UP, _DOWN = (f"mlp.{name}_proj.weight" for name in ("gate", "up", "down"))

_AFTER_NORMS = {"input_layernorm": _ATTENTION, "post_attention_layernorm": (_GATE, _UP)}


@dataclass(frozen=True)
class Folded:
    """norms: the new ones. columns, rows: what weights are multiplied with, by name: [K], [N]."""

    norms: dict[str, Tensor] = field(default_factory=dict)
    columns: dict[str, Tensor] = field(default_factory=dict)
    rows: dict[str, Tensor] = field(default_factory=dict)

    def weight(self, name: str, weight: Tensor) -> Tensor:
        """What is to be rounded, float32 [N, K] where it differs."""
        if name in self.rows:
            weight = weight * self.rows[name][:, None]
        return weight * self.columns[name] if name in self.columns else weight

    def seen(self, name: str, statistics: Statistics | None) -> Statistics | None:
        """Of the inputs as they are then."""
        scaled = statistics is not None and name in self.columns
        return statistics.scaled(self.columns[name]) if scaled else statistics


def fold(
    layer: Mapping[str, Tensor], statistics: Mapping[str, Statistics], format: Format
) -> Folded:
    """Scales of one decoder layer; names are those below the layer's."""
    folded = Folded()
    scale = find_scale([layer[_DOWN]], statistics[_DOWN], format)
    folded.columns[_DOWN], folded.rows[_UP] = scale, 1 / scale
    for norm, names in _AFTER_NORMS.items():
        weights = [folded.weight(name, layer[name]) for name in names]
        scale = find_scale(weights, statistics[names[0]], format)
        old = layer[f"{norm}.weight"]
        new = (old / scale).to(old.dtype)
        # As the rounded norm has it: what is multiplied is what is divided, whatever the dtype.
        exact = torch.where(new == 0, 1.0, old.float() / new.float())
        folded.norms[f"{norm}.weight"] = new
        folded.columns.update(dict.fromkeys(names, exact))
    return folded
