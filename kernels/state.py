"""Words of a step's state (ops/state.py) as kernels read them, and what programs do together."""

import triton
import triton.language as tl

from omnirt.ops import state

WORDS = tl.constexpr(state.WORDS)
TOKEN = tl.constexpr(state.TOKEN)
POSITION = tl.constexpr(state.POSITION)
KV_LEN = tl.constexpr(state.KV_LEN)
SLOT = tl.constexpr(state.SLOT)
ROW = tl.constexpr(state.ROW)
TEXT_ROWS = tl.constexpr(state.TEXT_ROWS)
STEP = tl.constexpr(state.STEP)
SEED_LO = tl.constexpr(state.SEED_LO)
SEED_HI = tl.constexpr(state.SEED_HI)
TEMPERATURE = tl.constexpr(state.TEMPERATURE)
TOP_P = tl.constexpr(state.TOP_P)
PENALTY = tl.constexpr(state.PENALTY)
TOP_K = tl.constexpr(state.TOP_K)
NEXT_POSITION = tl.constexpr(state.NEXT_POSITION)


@triton.jit
def real(word_ptr):
    """A float32 that is stored in a word."""
    return tl.load(word_ptr).to(tl.float32, bitcast=True)


@triton.jit
def is_last(count_ptr, programs):
    """Whether this is the last of ``programs`` to come here; then the count is 0 again.

    What the others stored before can be read from here on, past the L1 cache (".cg"): the barrier
    and the atomic's release and acquire order it.
    """
    tl.debug_barrier()
    before = tl.atomic_add(count_ptr, 1, sem="acq_rel")
    last = before == programs - 1
    if last:
        tl.store(count_ptr, 0)
    return last
