"""What only the flow-matching transformer needs, by the C++ kernels."""

from torch import Tensor

from omnirt import _core
from omnirt.ops.window import FlowWindow


def flow_noise(window: FlowWindow, out: Tensor) -> Tensor:  # [F, mel]
    """See the reference."""
    _core.flow_noise(window.state, out)
    return out


def flow_input(
    window: FlowWindow, base: Tensor, projected: Tensor, repeats: int, out: Tensor
) -> Tensor:
    """base: [F, C]; projected: [num_codes + 1, C]; out: [F * rows, C]."""
    voice, codes = window.voice, window.codes
    _core.flow_input(window.state, voice, codes, window.rows, base, projected, repeats, out)
    return out


def flow_modulate(
    window: FlowWindow, x: Tensor, shift: int, scale: int, eps: float, out: Tensor
) -> Tensor:
    """x, out: [F * rows, C]; shift, scale: rows of the evaluation's table."""
    _core.flow_modulate(window.state, window.table, window.rows, x, shift, scale, eps, out)
    return out


def flow_rope_angles(window: FlowWindow, inv_freq: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """inv_freq: [D/2]; cos, sin: [F, D/2]. Returns cos."""
    _core.flow_rope_angles(window.state, inv_freq, cos, sin)
    return cos


def flow_attention(
    window: FlowWindow,
    qkv: Tensor,
    heads: int,
    block: int,
    back: int,
    ahead: int,
    cos: Tensor,
    sin: Tensor,
    layer: int | None,
    out: Tensor,
) -> Tensor:
    """qkv: [F * rows, 3 * C]; cos, sin: [F, D/2]; out: [F * rows, C]."""
    cache, layer = (None, -1) if layer is None else (window.cache, layer)
    _core.flow_attention(
        window.state, cache, window.rows, qkv, heads, block, back, ahead, cos, sin, layer, out
    )
    return out
