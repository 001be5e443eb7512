"""Eight 4-bit numbers in a 32-bit word, the lowest bits first: what GPTQ and AWQ files hold.

Whole layer stacks pass through here, so words are rearranged where they are, a few panels at a
time that stay in the processor's cache, and never spread to bytes.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from omnirt.formats import PANEL, STEP

PER_WORD = 8
_TILE = 1 << 15  # words at a time: they stay in a core's cache, and torch asks no other one to help
_QUADS = ((8, 0x0000FF00), (4, 0x00F000F0))  # inputs 0..7 -> 0, 4, 1, 5, 2, 6, 3, 7
_SQUARE = ((4, 0x0000FFFF), (2, 0x00FF00FF), (1, 0x0F0F0F0F))  # rows that trade, and the nibbles


def spread(words: Tensor) -> Tensor:
    """int32 [..., W] -> uint8 [..., W, 8]."""
    pairs = words.contiguous().view(torch.uint8).unflatten(-1, (-1, PER_WORD // 2))
    return torch.stack((pairs & 15, pairs >> 4), -1).flatten(-2)


def gather(nibbles: Tensor) -> Tensor:
    """uint8 [..., W, 8] -> int32 [..., W]."""
    pairs = nibbles[..., ::2] | nibbles[..., 1::2] << 4
    return pairs.contiguous().view(torch.int32)[..., 0]


def chunks_by_inputs(words: Tensor) -> Tensor:
    """Words of eight inputs of an output, int32 [K/8, N], as the chunks of ``formats``."""
    padded = F.pad(words, (0, -words.shape[1] % PANEL, 0, -words.shape[0] % (STEP // PER_WORD)))
    panels = padded.unflatten(1, (-1, PANEL)).transpose(0, 1)  # [panels, K/8, 16]

    def fill(tile: slice, out: Tensor) -> None:
        out.copy_(panels[tile])
        for shift, mask in _QUADS:
            moved = ((out >> shift) ^ out).bitwise_and_(mask)
            out ^= moved
            out ^= moved << shift

    return _by_tiles(fill, panels.shape[0], panels.shape[1])


def chunks_by_outputs(words: Tensor, outputs: tuple[int, ...]) -> Tensor:
    """Words of eight outputs of an input, int32 [K, N/8], as the chunks of ``formats``.

    outputs: which of its eight outputs each nibble of a word belongs to.
    """
    halves = PANEL // PER_WORD
    padded = F.pad(words, (0, -words.shape[1] % halves, 0, -words.shape[0] % STEP))
    blocks = padded.unflatten(0, (-1, PER_WORD))  # [K/8, 8 inputs, N/8]
    order = [input for pair in zip(range(4), range(4, 8), strict=True) for input in pair]

    def fill(tile: slice, out: Tensor) -> None:
        columns = blocks[:, :, tile.start * halves : tile.stop * halves]
        rows = torch.stack([columns[:, input] for input in order])  # [8, K/8, W]
        for step, mask in _SQUARE:
            low, high = rows.unflatten(0, (-1, 2, step)).unbind(1)
            moved = ((low >> 4 * step) ^ high).bitwise_and_(mask)
            high ^= moved
            low ^= moved << 4 * step
        places = out.unflatten(2, (halves, PER_WORD))
        for output, row in zip(outputs, rows, strict=True):
            places[..., output] = row.unflatten(1, (-1, halves)).transpose(0, 1)

    return _by_tiles(fill, padded.shape[1] // halves, blocks.shape[0])


def _by_tiles(fill: Callable[[slice, Tensor], None], panels: int, chunks: int) -> Tensor:
    """uint8 [panels, chunks, 64]; fill(panels, out): writes some, int32 [panels, chunks, 16]."""
    out = torch.empty(panels, chunks, PANEL, dtype=torch.int32)
    step = max(1, _TILE // (chunks * PANEL))
    for start in range(0, panels, step):
        tile = slice(start, min(start + step, panels))
        fill(tile, out[tile])
    return out.view(torch.uint8)
