"""StepState: what changes from one decode step to the next, in memory that kernels read and write.

One row of 16 int32 words per sequence of a step's batch; the C++ struct is csrc/base/step_state.h.
A recorded step keeps its arguments for ever, so ids, positions, lengths and random counters live
here. A step's position and the next one's are both kept, since the first step after a prompt need
not be followed by its neighbour: TMRoPE goes on after the largest position of the prompt.
"""

import torch
from torch import Tensor

WORDS = 16
TOKEN, POSITION, KV_LEN, SLOT, ROW, TEXT_ROWS, STEP, SEED_LO, SEED_HI = range(9)
TEMPERATURE, TOP_P, PENALTY, TOP_K, NEXT_POSITION = range(9, 14)
THINKER, TALKER, FLOW = range(3)  # streams of random numbers
OPEN_TEXT = 2**31 - 1  # text_rows while the thinker still writes


def new_states(batch: int = 1) -> Tensor:
    """Zeroed states, int32 [batch, 16]."""
    return torch.zeros(batch, WORDS, dtype=torch.int32)


def set_seed(states: Tensor, seed: int) -> None:
    """Store a 64-bit seed in every row."""
    halves = torch.tensor([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF], dtype=torch.int64)
    states[:, SEED_LO : SEED_HI + 1] = halves.to(torch.uint32).view(torch.int32)


def set_sampling(
    states: Tensor, temperature: float, top_k: int, top_p: float, penalty: float
) -> None:
    """Store the sampling options in every row."""
    reals = states.view(torch.float32)
    reals[:, TEMPERATURE], reals[:, TOP_P], reals[:, PENALTY] = temperature, top_p, penalty
    states[:, TOP_K] = top_k
