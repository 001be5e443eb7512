"""Paged keys and values of all sequences of one decoder (PagedAttention, arXiv 2309.06180).

Pages are allocated from one pool; on the CPU a page that was never written takes no memory.
"""

import torch
from torch import Tensor

from omnirt import _core
from omnirt.config import DecoderConfig
from omnirt.kv_rows import row_size

PAGE = 64  # rows of a page: 16 KiB of keys for one bfloat16 head of 128


class KvCache:
    """Pages per layer and one block table for all layers.

    layers[i]: (k_pages, v_pages), each [pages, kv_heads, PAGE, row] of ``dtype``: float32, bfloat16
    or int8; ``kv_rows`` says what a row is.
    tables: int32 [slots, pages of the longest sequence].
    """

    def __init__(
        self, config: DecoderConfig, tokens: int, slots: int, longest: int, dtype: torch.dtype
    ) -> None:
        """tokens: rows of the pool; longest: rows that one sequence may have."""
        pages = -(-tokens // PAGE)
        shape = (pages, config.num_kv_heads, PAGE, row_size(config.head_dim, dtype))
        self.layers = [
            (torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=dtype))
            for _ in range(config.num_layers)
        ]
        self.tables = torch.zeros(slots, -(-longest // PAGE), dtype=torch.int32)
        self.allocator = _core.PageAllocator(pages, PAGE, self.tables)

    def row(self, slot: int) -> Tensor:
        """Block table of one sequence, int32 [pages]."""
        return self.tables[slot]
