"""Ops of the flow-matching transformer: CPU against reference, reference against its formula."""

import pytest
import torch

from omnirt import ops

BACKENDS = ("reference", "cpu")


def _randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("backend", BACKENDS)
def test_modulate_scales_and_shifts_the_norm(backend):
    x, shift, scale = _randn(2, 5, 12), _randn(12, seed=1), _randn(12, seed=2)
    centred = x - x.mean(-1, keepdim=True)
    norm = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    with ops.use(backend):
        got = ops.modulate(x, shift, scale, 1e-6)
    torch.testing.assert_close(got, norm * (1 + scale) + shift)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rope_first_head_turns_pairs_of_one_head(backend):
    x, angles = _randn(2, 7, 3, 8).transpose(1, 2), _randn(7, 4, seed=1)
    before = x.clone()
    with ops.use(backend):
        got = ops.rope_first_head(x, angles.cos(), angles.sin())
    want = x.clone()
    for t in range(7):
        for i in range(4):
            cos, sin = angles[t, i].cos(), angles[t, i].sin()
            turn = torch.stack((torch.stack((cos, -sin)), torch.stack((sin, cos))))
            want[:, 0, t, 2 * i : 2 * i + 2] = before[:, 0, t, 2 * i : 2 * i + 2] @ turn.T
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("back", "ahead"), [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1)])
@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 11, 12, 16, 17, 30])
def test_block_attention_sees_its_neighbourhood(backend, back, ahead, length):
    q, k, v = (_randn(2, length, 3, 8, seed=s).transpose(1, 2) for s in range(3))
    want = torch.empty(2, 3, length, 8)
    for t in range(length):
        near = slice(max(0, t // 4 - back) * 4, (t // 4 + 1 + ahead) * 4)
        weights = (k[:, :, near] @ q[:, :, t, :, None] * 8**-0.5).softmax(2)
        want[:, :, t] = (weights * v[:, :, near]).sum(2)
    with ops.use(backend):
        got = ops.block_attention(q, k, v, 4, back, ahead)
    torch.testing.assert_close(got, want)


def test_block_attention_of_long_speech_has_no_square():
    """Four minutes of frames: a [T, T] matrix of float32 would be 2.3 GB a head."""
    q = _randn(1, 8, 24_000, 8)
    got = ops.block_attention(q, q, q, 24, 1, 1)
    want = ops.block_attention.reference(*[q[:, :, 12_000 - 48 : 12_000 + 48]] * 3, 24, 1, 1)
    torch.testing.assert_close(got[:, :, 12_000 - 24 : 12_000 + 24], want[:, :, 24:72])
