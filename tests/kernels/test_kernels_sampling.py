"""The sampler: the same ids as the reference for the same seed."""

import pytest
import torch

from omnirt.kernels import sampling
from omnirt.ops import reference
from omnirt.ops.state import SLOT, STEP, TALKER, new_states, set_sampling, set_seed

OPTIONS = [
    (0.0, 0, 1.0, 1.0),
    (0.0, 5, 0.5, 1.3),
    (0.9, 40, 0.8, 1.05),
    (1.0, 0, 0.7, 1.0),
    (0.7, 3, 1.0, 1.2),
    (1.5, 0, 1.0, 1.0),
    (1.0, 1, 0.1, 1.0),
]


def both(states, logits, seen, suppress, scratch):
    """Run kernels and reference; both must leave the same states and marks."""
    want, marks = states.clone(), seen.clone()
    reference.sampling.sample(want, logits, marks, suppress, TALKER)
    for call in sampling.sample(states, logits, seen, suppress, TALKER, scratch):
        call.run()
    torch.testing.assert_close(states, want, rtol=0, atol=0)
    torch.testing.assert_close(seen, marks, rtol=0, atol=0)
    assert not scratch["counts_ptr"].any()


@pytest.mark.parametrize("options", OPTIONS)
def test_same_ids(options, monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK", 64)
    batch, vocab = 2, 100
    states = new_states(batch)
    states[:, SLOT] = torch.tensor([1, 0])
    set_sampling(states, *options)
    set_seed(states, 2**63 + 12345)
    seen = (torch.rand(2, vocab) < 0.3).to(torch.uint8)
    suppress = (torch.rand(vocab) < 0.1).to(torch.uint8)
    scratch = sampling.scratch_for(batch, vocab)
    for step in range(2):
        states[:, STEP] = 1000 * step
        both(states, torch.randn(batch, vocab) * (1 + 3 * step), seen, suppress, scratch)


@pytest.mark.parametrize("options", [(0.0, 0, 1.0, 1.0), (1.0, 2, 0.9, 1.0)])
def test_ties(options, monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK", 64)
    states, vocab = new_states(), 70
    set_sampling(states, *options)
    logits = torch.zeros(1, vocab)
    logits[0, [3, 66, 69]] = 2.0
    seen, suppress = torch.zeros(1, vocab, dtype=torch.uint8), torch.zeros(vocab, dtype=torch.uint8)
    both(states, logits, seen, suppress, sampling.scratch_for(1, vocab))


def test_no_number_gives_an_id(monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK", 64)
    states, vocab = new_states(), 70
    set_sampling(states, 1.0, 4, 0.6, 1.0)
    marks = torch.zeros(1, vocab, dtype=torch.uint8)
    logits, scratch = torch.full((1, vocab), torch.nan), sampling.scratch_for(1, vocab)
    for call in sampling.sample(states, logits, marks, marks[0], TALKER, scratch):
        call.run()
    assert states[0, 0] == 0


def test_refusals():
    states, logits = new_states(), torch.zeros(1, 8)
    marks = torch.zeros(1, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match="suppress"):
        sampling.sample(states, logits, marks, marks, TALKER, sampling.scratch_for(1, 8))
    with pytest.raises(ValueError, match="scratch"):
        sampling.sample(states, logits, marks, marks[0], TALKER, sampling.scratch_for(1, 9))
