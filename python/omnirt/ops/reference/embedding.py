"""Table lookups and the rows that pass from the thinker to the talker."""

import torch
from torch import Tensor

from omnirt.formats import Quantized
from omnirt.ops.state import ROW, SLOT, TEXT_ROWS, TOKEN


def embed(ids: Tensor, table: Tensor | Quantized) -> Tensor:
    """Rows of a table. ids: int64 [T]; table: float32, bfloat16 or quantized [V, E] -> [T, E]."""
    if isinstance(table, Quantized):
        table = table.dequantize()
    return table[ids].float()


def state_embed(states: Tensor, table: Tensor | Quantized) -> Tensor:
    """Row of each state's token. states: int32 [B, 16]; table [V, E]. Returns float32 [B, E]."""
    return embed(states[:, TOKEN].long(), table)


def talker_input(
    states: Tensor,
    codec_table: Tensor | Quantized,
    ring: Tensor,
    eos_row: Tensor,
    pad_row: Tensor,
) -> Tensor:
    """The talker's next input: its last code's embedding plus the text row that is due.

    Text row ``row`` of a reply with ``text_rows`` rows comes from the ring while there are any,
    then once from eos_row, then from pad_row for ever. codec_table: [V, E]; ring: float32 [slots,
    R, E]; eos_row, pad_row: [E]. Returns float32 [B, E].
    """
    text = []
    for state in states.tolist():
        row, rows = state[ROW], state[TEXT_ROWS]
        if row < rows:
            text.append(ring[state[SLOT], row % ring.shape[1]])
        else:
            text.append((eos_row if row == rows else pad_row).float())
    return state_embed(states, codec_table) + torch.stack(text)


def ring_append(states: Tensor, h: Tensor, e: Tensor, ring: Tensor) -> None:
    """Hand a reply token to the talker: ring[slot, row % R] = h + e. h, e: float32 [B, E]."""
    for state, row in zip(states.tolist(), h + e, strict=True):
        ring[state[SLOT], state[ROW] % ring.shape[1]] = row
