"""Which rows of which signal a vocoder window computes. Whole numbers only, and no state.

A window emits the samples of mel frames [e0, e1) and is given the mel frames [m0, m1) around them.
Its signals pass through levels: the mel frames, what enters each stage, what enters the last
activation, the samples. A level has ``scale`` rows a mel frame, and the emitted samples depend on
no more than ``left`` and ``right`` of its rows beside the emitted ones. So it keeps the rows

    max(scale * m0, scale * e0 - left) .. min(scale * m1, scale * e1 + right)

of what the level before wrote. What the padding at a cut spoils is never kept; at the true ends of
a reply nothing is cut, because there m0 = 0 or m1 = the number of its frames.
"""

from typing import NamedTuple

from .config import BigVGANConfig

EDGE_TAPS = 7  # of the first and the last convolution
_EDGE = EDGE_TAPS // 2
_SNAKE = 5  # rows either side that the alias-free activation reads

HELD_FIRST = 20  # frames right of the first packet: what lies further off moves it by < 1e-6


class Level(NamedTuple):
    """Rows a mel frame, and the rows needed left and right of those that are emitted."""

    scale: int
    left: int
    right: int


def levels_of(config: BigVGANConfig) -> tuple[Level, ...]:
    """First to last: mel, the input of each stage, of the last activation, samples.

    From the last one back: a kernel of K taps, d apart, reaches (K - 1) / 2 * d rows either way;
    row r of a transposed convolution reads from ceil((r + padding - K + 1) / rate) to
    floor((r + padding) / rate).
    """
    reach = max(map(_block_reach, config.resblock_kernel_sizes, config.resblock_dilations))
    scale, left, right = config.hop, _EDGE + _SNAKE, _EDGE + _SNAKE
    found = [Level(scale, 0, 0), Level(scale, left, right)]
    stages = zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)
    for rate, kernel in reversed(list(stages)):
        padding = (kernel - rate) // 2
        left = (left + reach + kernel - 1 - padding) // rate
        right = (right - 1 + reach + padding) // rate + 1
        scale //= rate
        found.append(Level(scale, left, right))
    found.append(Level(scale, left + _EDGE, right + _EDGE))
    return tuple(reversed(found))


def spans_of(levels: tuple[Level, ...], m0: int, m1: int, e0: int, e1: int) -> list[int]:
    """Two pairs (first row, rows) a level, flat: what it reads, then what that becomes.

    The first counts from the row that the level before wrote first, for level 0 from frame m0; the
    second is the same rows at the scale of the next level, from 0.
    """
    spans, origin = [], m0
    for level, after in zip(levels, (*levels[1:], levels[-1]), strict=True):
        first = max(level.scale * m0, level.scale * e0 - level.left)
        rows = min(level.scale * m1, level.scale * e1 + level.right) - first
        rate = after.scale // level.scale
        spans += (first - origin, rows, 0, rows * rate)
        origin = first * rate
    return spans


def _block_reach(kernel: int, dilations: tuple[int, ...]) -> int:
    """Rows either side that a residual block reads: a dilated and a plain convolution a pair."""
    return sum((kernel - 1) // 2 * (dilation + 1) + 2 * _SNAKE for dilation in dilations)
