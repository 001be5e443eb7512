"""Picking the next id, wholly from a step's state, so that a step needs no host decision."""

import torch
from torch import Tensor

from omnirt.ops.state import (
    KV_LEN,
    NEXT_POSITION,
    PENALTY,
    POSITION,
    ROW,
    SEED_HI,
    SEED_LO,
    SLOT,
    STEP,
    TEMPERATURE,
    TOKEN,
    TOP_K,
    TOP_P,
)

from .random import philox_uniform


def probabilities(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """Distribution after temperature, top-k and top-p. logits: float32 [V]. Returns float32 [V]."""
    logits = logits / temperature
    if 0 < top_k < logits.numel():
        kth = logits.topk(top_k).values[-1]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if top_p < 1:
        values, order = logits.sort()
        dropped = values.softmax(-1).cumsum(-1) <= 1 - top_p
        dropped[-1] = False
        logits = logits.masked_fill(
            torch.zeros_like(dropped).scatter(0, order, dropped), -torch.inf
        )
    return logits.softmax(-1)


def _choose(state: Tensor, logits: Tensor, stream: int) -> int:
    real = state.view(torch.float32)
    if real[TEMPERATURE] == 0:
        return int(logits.argmax())
    p = probabilities(logits, float(real[TEMPERATURE]), int(state[TOP_K]), float(real[TOP_P]))
    low, high, step = (int(state[i]) & 0xFFFFFFFF for i in (SEED_LO, SEED_HI, STEP))
    wait = -philox_uniform(high << 32 | low, stream, step, p.numel()).log()
    return int((p / wait).argmax())


def sample(states: Tensor, logits: Tensor, seen: Tensor, suppress: Tensor, stream: int) -> None:
    """Choose each sequence's next id and advance its state to the next step.

    Order (that of transformers): repetition penalty on ids with seen[slot, id] != 0 (CTRL, arXiv
    1909.05858), suppressed ids to -inf, temperature (0: the first largest), top-k, top-p, then an
    exponential race: argmax p_i / e_i, where e_i = -log(u_i) and u_i is the id's own Philox number.
    states: int32 [B, 16], written: token, position, next_position, kv_len,
    row, step. logits: float32 [B, V];
    seen: uint8 [slots, V], the choice is marked; suppress: uint8 [V]; stream: 0 thinker, 1 talker.
    """
    for state, row in zip(states, logits.float(), strict=True):
        marks = seen[int(state[SLOT])]
        penalty = state.view(torch.float32)[PENALTY]
        row = torch.where(marks != 0, torch.where(row > 0, row / penalty, row * penalty), row)
        token = _choose(state, row.masked_fill(suppress != 0, -torch.inf), stream)
        marks[token] = 1
        state[TOKEN], state[POSITION] = token, int(state[NEXT_POSITION])
        for word in (NEXT_POSITION, KV_LEN, ROW, STEP):
            state[word] += 1
