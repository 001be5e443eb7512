"""Reading the panels of INT8 and INT4 weights; formats.py draws the layout.

A 32-bit word of a chunk holds the weights of one output for 4 (INT8) or 8 (INT4) neighbouring
inputs. An integer below 2^23 becomes a float by setting the exponent of 2^23 beside it and taking
2^23 away: no conversion instructions, which some GPUs run at a quarter of the rate. Nor is a word
shifted for every weight: ``weight`` gives q * 2^s for a weight that starts at bit s of its half of
the word, and ``unshifted`` takes 2^-s into what it is multiplied with.
"""

import torch
import triton
import triton.language as tl

from omnirt.formats import MIDDLE, PANEL, Quantized

LANES = tl.constexpr(PANEL)
MIDDLE4 = tl.constexpr(MIDDLE)
EXPONENT = tl.constexpr(0x4B000000)  # of 2^23
OFFSET = tl.constexpr(2**23)
SIGNS = tl.constexpr(0x80808080 - 2**32)  # int8 becomes uint8, 128 more
MIDDLE8 = tl.constexpr(128)


@triton.jit
def weight(words, j: tl.constexpr, BITS: tl.constexpr):
    """q * 2^s of input j of each word, float32; q is -127..127 (INT8) or 0..15 (INT4)."""
    s: tl.constexpr = 8 * (j % 2) + 4 * (j // 4)
    if BITS == 8:
        words = words ^ SIGNS
        mask: tl.constexpr = 255 << s
        offset: tl.constexpr = OFFSET + (MIDDLE8 << s)
    else:
        mask: tl.constexpr = 15 << s
        offset: tl.constexpr = OFFSET
    if j % 4 >= 2:
        words = words >> 16
    return ((words & mask) | EXPONENT).to(tl.float32, bitcast=True) - offset


@triton.jit
def unshifted(x, j: tl.constexpr):
    """x * 2^-s, for the weight of input j."""
    s: tl.constexpr = 8 * (j % 2) + 4 * (j // 4)
    return x * (1.0 / (1 << s))


@triton.jit
def group_scale(scales_ptr, panel, lane, group, groups, inside):
    """Scales of outputs in groups, float32. panel, lane, group: int32, broadcast."""
    at = (panel * groups + group) * LANES + lane
    return tl.load(scales_ptr + at, inside, 0.0).to(tl.float32)


@triton.jit
def group_zero(zeros_ptr, panel, lane, group, groups, inside):
    """Zero-points of outputs in groups, float32. Output i has a low nibble, i + 8 a high one."""
    HALF: tl.constexpr = LANES // 2
    at = (panel * groups + group) * HALF + lane % HALF
    both = tl.load(zeros_ptr + at, inside, 0).to(tl.int32)
    return ((both >> (lane // HALF * 4)) & 15).to(tl.float32)


def arguments(weight: Quantized) -> dict[str, object]:
    """What every kernel on a packed weight takes."""
    data = weight.data.view(torch.int32)  # [panels, chunks, 16]
    return dict(
        data_ptr=data,
        scales_ptr=weight.scales,
        zeros_ptr=weight.zeros,
        chunks=data.shape[1],
        groups=weight.scales.shape[1],
        BITS=weight.bits,
        GROUP=weight.format.group or 0,
    )
