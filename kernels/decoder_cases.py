"""The decoders' and encoders' launches at the shapes of a released model, see registry.py."""

from collections.abc import Iterator

import torch
from torch import Tensor

from omnirt.weights.presets import Preset

from . import activation, norm
from .call import Call

EPS = 1e-6
PROMPT = 1024  # rows of a chunk of a prompt


def calls(preset: Preset) -> Iterator[tuple[str, Call]]:
    """(name, Call) of everything but Token2Wav."""
    for part in ("text", "talker"):
        decoder = getattr(preset, part)
        hidden, wide = decoder.hidden, decoder.intermediate
        for rows in (1, PROMPT):
            step = f"{part}.{'decode' if rows == 1 else 'prefill'}"
            x, low = _new(rows, hidden), torch.float32 if rows == 1 else torch.bfloat16
            weight, out = _new(hidden, dtype=torch.bfloat16), _new(rows, hidden, dtype=low)
            yield f"{step}.norm", norm.add_rms_norm(x, _new(rows, hidden), weight, EPS, x, out)
            both = _new(rows, 2 * wide, dtype=low)
            gated = activation.silu_mul(both[:, :wide], both[:, wide:], _new(rows, wide, dtype=low))
            yield f"{step}.silu_mul", gated


def _new(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta")
