"""Recording: eager calls of the kernels become a Plan that replays on what the buffers hold."""

import gc

import pytest
import torch

from omnirt import _core, ops
from omnirt.errors import EngineError
from omnirt.ops.state import (
    KV_LEN,
    NEXT_POSITION,
    POSITION,
    ROW,
    SLOT,
    STEP,
    TOKEN,
    new_states,
    set_sampling,
)

VOCAB, DIM, HEADS, KV_HEADS, HEAD, PAGE = 50, 24, 4, 2, 8, 4


class Step:
    """One small decode step on buffers of its own."""

    def __init__(self, randn) -> None:
        self.states = new_states(2)
        set_sampling(self.states, 0.0, 0, 1.0, 1.1)
        self.states[:, SLOT] = torch.tensor([1, 0])
        self.tables = torch.arange(6, dtype=torch.int32).reshape(2, 3)
        self.pages = [randn(6, KV_HEADS, PAGE, HEAD, dtype=torch.bfloat16) for _ in range(2)]
        self.seen, self.suppress = (
            torch.zeros(*s, dtype=torch.uint8) for s in [(2, VOCAB), (VOCAB,)]
        )
        self.table, self.inv_freq = randn(VOCAB, DIM, dtype=torch.bfloat16), randn(HEAD // 2)
        sizes = [(HEADS * HEAD, DIM), *[(KV_HEADS * HEAD, DIM)] * 2, (DIM, HEADS * HEAD)]
        self.weights = [randn(*size, dtype=torch.bfloat16) for size in sizes]
        self.norm = randn(DIM)

    def __call__(self) -> None:
        x = ops.state_embed(self.states, self.table)
        h = ops.rms_norm(x, self.norm, 1e-6)
        q, k, v = (ops.linear(h, w).reshape(2, -1, HEAD) for w in self.weights[:3])
        cos, sin = ops.state_rope_angles(self.states, self.inv_freq)
        q = ops.rope_append(q, k, v, cos, sin, self.states, self.tables, *self.pages)
        a = ops.paged_attention(q, self.states, self.tables, *self.pages)
        x, h = ops.add_rms_norm(x, ops.linear(a.reshape(2, -1), self.weights[3]), self.norm, 1e-6)
        ops.sample(self.states, ops.linear(h, self.table), self.seen, self.suppress, 0)

    def reset(self) -> None:
        self.states[:, TOKEN], self.states[:, KV_LEN] = torch.tensor([7, 30]), torch.tensor([0, 2])
        self.states[:, [POSITION, ROW, STEP]], self.states[:, NEXT_POSITION] = 0, 1
        self.seen.zero_()


def test_a_plan_goes_on_as_eager_calls_would(isa, randn):
    step, plan = Step(randn), _core.Plan("step")
    step.reset()
    eager = [step() or step.states.clone() for _ in range(8)]
    step.reset()
    with plan.recording():
        step()
    assert plan.calls[0] == "state_embed"
    assert plan.calls[-1] == "sample"
    gc.collect()
    torch.full((1000, 1000), torch.nan)  # takes the place of any buffer that was not kept
    step.reset()
    for expected in eager:
        plan.run()
        assert torch.equal(step.states, expected)


def test_what_needs_a_copy_cannot_be_recorded(randn):
    with _core.Plan("p").recording(), pytest.raises(EngineError, match="takes contiguous float32"):
        ops.silu_mul(randn(4, 3).T, randn(3, 4))


def test_what_goes_through_torch_cannot_be_recorded(randn):
    q = randn(4, 2, 8)
    with _core.Plan("p").recording(), pytest.raises(EngineError, match="segment_attention"):
        ops.segment_attention(q, q, q, [0, 4])


def test_many_rows_are_recorded_through_the_kernel(randn):
    x, weight, plan = randn(20, 8), randn(5, 8), _core.Plan("p")
    with plan.recording():
        out = ops.linear(x, weight)
    x.add_(1)
    plan.run()
    torch.testing.assert_close(out, x @ weight.T)
