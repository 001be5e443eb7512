"""What a window of the flow leaves to the next one: serves flow_attention of ops/reference/flow.py.

A launch of its own, after the attention: until all of its programs have read the cache, none may
write there.
"""

import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .common import block_and_warps
from .flow_attention import check_heads
from .flow_state import CACHE, EVALUATION, KEEP, aligned_floats


@triton.jit
def _flow_keep_kernel(
    state_ptr, qkv_ptr, cos_ptr, sin_ptr, stride_of_cache, layer,
    ROWS: tl.constexpr, WIDTH: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    TILE: tl.constexpr,
):  # fmt: skip
    """One frame and guidance row of the block that ends at ``keep``: its rotated k, and its v."""
    at, r, keep = tl.program_id(0), tl.program_id(1), tl.load(state_ptr + KEEP)
    if keep == 0:
        return
    frame, c = keep - BLOCK + at, tl.arange(0, TILE)
    inside, first_head = c < WIDTH, c < DIM
    qkv_ptr += (frame * ROWS + r) * 3 * WIDTH
    k = tl.load(qkv_ptr + WIDTH + c, inside, 0.0).to(tl.float32)
    partner = tl.load(qkv_ptr + WIDTH + (c ^ 1), first_head, 0.0).to(tl.float32)
    cos = tl.load(cos_ptr + frame * (DIM // 2) + c // 2, first_head, 1.0)
    sin = tl.load(sin_ptr + frame * (DIM // 2) + c // 2, first_head, 0.0)
    cache_ptr = aligned_floats(state_ptr, CACHE) + layer
    cache_ptr += tl.load(state_ptr + EVALUATION) * stride_of_cache + (r * BLOCK + at) * WIDTH + c
    tl.store(cache_ptr, k * cos + tl.where(c % 2 == 0, -sin, sin) * partner, inside)
    v = tl.load(qkv_ptr + 2 * WIDTH + c, inside, 0.0).to(tl.float32)
    tl.store(cache_ptr + ROWS * BLOCK * WIDTH, v, inside)


def flow_keep(
    state: Tensor, layers: int, rows: int, qkv: Tensor, heads: int, block: int, cos: Tensor,
    sin: Tensor, layer: int,
) -> Call:  # fmt: skip
    """Save the rotated keys, and the values, of the block that ends at ``keep``, if there is one.

    qkv, cos, sin, layers, layer: as for ``flow_attention``. Raises ValueError.
    """
    name = "flow_keep"
    dim = check_heads(name, state, qkv, rows, heads, block, cos, sin)
    if not 0 <= layer < layers:
        raise ValueError(f"{name}: layer={layer} of {layers}")
    width = heads * dim
    size = 2 * rows * block * width
    tile, warps = block_and_warps(width)
    args = dict(state_ptr=state, qkv_ptr=qkv, cos_ptr=cos, sin_ptr=sin)
    args |= dict(stride_of_cache=layers * size, layer=layer * size)
    args |= dict(ROWS=rows, WIDTH=width, DIM=dim, BLOCK=block, TILE=tile)
    return Call(_flow_keep_kernel, (block, rows), args, warps, work=Work(moved=4 * size))
