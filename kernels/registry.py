"""Every kernel as the released models launch it: what is compiled ahead and put on the roofline.

A module of CASES has ``calls(preset)``, an iterator of (name, Call) on tensors of the meta device
for a preset of weights/presets.py. Names say where a call is used: "thinker.qkv.int4".
"""

from omnirt.weights.presets import PRESETS

from . import decoder_cases, int8_cases, wave_cases
from .call import Call

MODELS = ("3b", "7b")
CASES = (decoder_cases, int8_cases, wave_cases)


def calls(model: str) -> dict[str, Call]:
    """All launches of a model, "3b" or "7b", by name."""
    found: dict[str, Call] = {}
    for module in CASES:
        for name, call in module.calls(PRESETS[model]):
            assert name not in found, f"two calls are named {name}"
            found[name] = call
    return found


def distinct() -> dict[str, Call]:
    """One call of each kernel to compile, by key."""
    return {call.key: call for model in MODELS for call in calls(model).values()}
