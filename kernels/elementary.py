"""Functions of one number that kernels share, the same compiled and in Triton's interpreter."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

# The interpreter has no libdevice. Triton reads the switch when a kernel is decorated; so do we.
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)

_TURNS = tl.constexpr(1 / 6.283185307179586)
_TURN_HIGH = tl.constexpr(6.28125)  # 8 bits: n * _TURN_HIGH is exact for |n| < 2^16
_TURN_LOW = tl.constexpr(6.283185307179586 - 6.28125)
_GELU_CUBE = tl.constexpr(0.044715)
_GELU_SCALE = tl.constexpr(2 * 0.7978845608028654)  # 2 sqrt(2 / pi)


@triton.jit
def _within_a_turn(x):
    """x less whole turns, in -pi..pi, for |x| < 4e5 (Cody and Waite 1980)."""
    turns = tl.floor(x * _TURNS + 0.5)
    return x - turns * _TURN_HIGH - turns * _TURN_LOW


@triton.jit
def sin(x):
    """sin of float32 x, |x| < 4e5, within 1e-6: the special-function unit behind a reduction."""
    x = _within_a_turn(x)
    if INTERPRETED:
        return tl.sin(x)
    else:
        return libdevice.fast_sinf(x)


@triton.jit
def cos(x):
    """cos of float32 x, see ``sin``."""
    x = _within_a_turn(x)
    if INTERPRETED:
        return tl.cos(x)
    else:
        return libdevice.fast_cosf(x)


@triton.jit
def gelu_tanh(x):
    """GELU's tanh form (arXiv 1606.08415), as (1 + tanh u) / 2 = sigmoid(2 u)."""
    return x * tl.sigmoid((x + x * x * x * _GELU_CUBE) * _GELU_SCALE)
