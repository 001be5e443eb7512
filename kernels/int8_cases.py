"""Launches of W8A8 products at the shapes of a prompt through a released model: see registry.py."""

from collections.abc import Iterator

import torch

from omnirt.formats import FORMATS, empty
from omnirt.weights.presets import Preset

from .call import Call
from .int8_linear import int8_linear, quantize_rows

PROMPT = 1024  # rows of a chunk of a prompt


def calls(preset: Preset) -> Iterator[tuple[str, Call]]:
    """(name, Call) of the thinker's MLP, in and out."""
    with torch.device("meta"):
        for name, outputs, inputs in (
            ("up", 2 * preset.text.intermediate, preset.text.hidden),
            ("down", preset.text.hidden, preset.text.intermediate),
        ):
            x = torch.empty(PROMPT, inputs, dtype=torch.bfloat16)
            values, scales = torch.empty(PROMPT, inputs, dtype=torch.int8), torch.empty(PROMPT)
            weight = empty(FORMATS["int8"], (outputs, inputs))
            out = torch.empty(PROMPT, outputs, dtype=torch.bfloat16)
            yield f"text.w8a8.{name}.quantize", quantize_rows(x, values, scales)
            yield f"text.w8a8.{name}", int8_linear(values, scales, weight, None, out)
