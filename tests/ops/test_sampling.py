"""sample: the order of its filters, ties, the random race, and what it leaves behind."""

import pytest
import torch

from omnirt import _core, ops
from omnirt.ops.reference.sampling import probabilities
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
    set_seed,
)  # fmt: skip


def states(batch=1, seed=1, temperature=1.0, top_k=0, top_p=1.0, penalty=1.0) -> torch.Tensor:
    made = new_states(batch)
    set_seed(made, seed)
    set_sampling(made, temperature, top_k, top_p, penalty)
    made[:, SLOT] = torch.arange(batch).flip(0)
    made[:, NEXT_POSITION] = 40
    return made


def marks(*shape: int, ids: tuple[int, ...] = ()) -> torch.Tensor:
    made = torch.zeros(*shape, dtype=torch.uint8)
    made[..., list(ids)] = 1
    return made


def greedy(logits: list[float], seen=(), suppress=(), penalty=1.0) -> int:
    """The id that greedy sampling chooses."""
    state, count = states(temperature=0.0, penalty=penalty), len(logits)
    arguments = marks(1, count, ids=seen), marks(count, ids=suppress)
    ops.sample(state, torch.tensor([logits]), *arguments, 0)
    return int(state[0, TOKEN])


OPTIONS = [
    {"temperature": 0.0, "penalty": 1.3},
    {},
    {"temperature": 0.7, "top_k": 5},
    {"temperature": 0.9, "top_k": 40, "top_p": 0.8, "penalty": 1.05},
    {"top_p": 0.3},
    {"top_p": 0.9999, "temperature": 2.0},
    {"top_k": 1},
    {"top_k": 10**9, "top_p": 0.5},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("vocab", [3, 67, 20000])
def test_equals_reference(agree, randn, options, vocab):
    for seed in range(5):
        seen = (randn(3, vocab) > 1).to(torch.uint8)
        suppress = marks(vocab, ids=(vocab - 1,))
        agree("sample", states(3, seed, **options), 4 * randn(3, vocab), seen, suppress, 1)


def test_greedy_takes_the_first_of_equals(isa):
    assert greedy([0.0] + [2.0] * 40) == 1


def test_penalty_divides_positive_and_multiplies_negative_logits(isa):
    assert greedy([3.0, 2.0], seen=[0], penalty=1.4) == 0
    assert greedy([3.0, 2.0], seen=[0], penalty=1.6) == 1
    assert greedy([-3.0, -2.0], seen=[1], penalty=1.4) == 1
    assert greedy([-3.0, -2.0], seen=[1], penalty=1.6) == 0


def test_suppressed_ids_never_come(isa):
    assert greedy([3.0, 2.0, 1.0], suppress=[0]) == 1
    for seed in range(50):
        state = states(seed=seed)
        ops.sample(state, torch.tensor([[9.0, 0.0, 0.0]]), marks(1, 3), marks(3, ids=(0,)), 0)
        assert state[0, TOKEN] != 0


def drawn(logits: torch.Tensor, draws: int = 400, **options) -> set[int]:
    """The ids that come in many draws."""
    state, came = states(**options), set()
    for step in range(draws):
        state[0, STEP] = step
        ops.sample(state, logits[None], marks(1, len(logits)), marks(len(logits)), 0)
        came.add(int(state[0, TOKEN]))
    return came


def test_ties_at_the_kth_value_stay(isa):
    assert drawn(torch.tensor([1.0, 0.0, 1.0, 1.0, -1.0]), top_k=2) == {0, 2, 3}


def test_top_p_drops_while_at_most_the_rest(isa):
    quarter = torch.zeros(4)
    assert len(drawn(quarter, top_p=0.5)) == 2  # a cumulative 0.5 <= 1 - 0.5 is dropped too
    assert len(drawn(quarter, top_p=0.6)) == 3
    assert len(drawn(quarter, top_p=1e-6)) == 1


def test_top_p_counts_what_top_k_left(isa):
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    # 4/7 and 3/7 stay of the first two, so top_p = 0.5 drops the second; of all it would keep it
    assert drawn(logits, top_p=0.5) == {0, 1}
    assert drawn(logits, top_k=2, top_p=0.5) == {0}
    assert drawn(logits, top_k=2, top_p=0.6) == {0, 1}


def test_frequencies_follow_probabilities(isa):
    logits, draws = torch.tensor([1.0, 0.0, -1.0, 0.5, -2.0]), 4000
    state = states(temperature=0.8, seed=5)
    count = torch.zeros(5)
    for step in range(draws):
        state[0, STEP] = step
        ops.sample(state, logits[None], marks(1, 5), marks(5), 0)
        count[state[0, TOKEN]] += 1
    torch.testing.assert_close(count / draws, probabilities(logits, 0.8, 0, 1.0), atol=0.03, rtol=0)


def test_advances_the_state_and_marks_the_choice(isa):
    state, seen = states(2, temperature=0.0), marks(2, 6)
    state[:, POSITION], state[:, KV_LEN], state[:, ROW], state[:, STEP] = 3, 5, 7, 9
    ops.sample(state, torch.eye(2, 6), seen, marks(6), 0)
    assert state[:, TOKEN].tolist() == [0, 1]
    assert seen.nonzero().tolist() == [[0, 1], [1, 0]]  # slots run backwards here
    assert state[0, [POSITION, NEXT_POSITION, KV_LEN, ROW, STEP]].tolist() == [40, 41, 6, 8, 10]


@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.5}, {"temperature": 0.0}])
def test_logits_without_a_number_give_an_id_that_exists(isa, options):
    state, seen = states(**options), marks(3, 5)
    work, order = torch.empty(1, 5), torch.full((1, 5), 9, dtype=torch.int32)
    _core.sample(state, torch.full((1, 5), torch.nan), seen, marks(5), 0, work, order)
    assert 0 <= state[0, TOKEN] < 5
    assert seen.nonzero().tolist() == [[0, int(state[0, TOKEN])]]


def test_streams_and_seeds_differ(isa):
    logits = torch.zeros(1, 1000)

    def token(seed: int, stream: int) -> int:
        state = states(seed=seed)
        ops.sample(state, logits, marks(1, 1000), marks(1000), stream)
        return int(state[0, TOKEN])

    assert token(3, 0) == token(3, 0)
    assert len({token(3, 0), token(3, 1), token(5, 0), token(3 << 32, 0)}) == 4


def test_refusals(randn):
    with pytest.raises(ValueError, match=r"sample: seen has shape \[1, 5\].*V=4"):
        ops.sample(states(), randn(1, 4), marks(1, 5), marks(4), 0)
    with pytest.raises(ValueError, match="has slot 1, expected 0 <= slot < S=1"):
        ops.sample(states(2), randn(2, 4), marks(1, 4), marks(4), 0)
