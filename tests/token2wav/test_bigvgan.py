"""The vocoder against transformers 4.57.1, and its windows against one shot."""

import numpy as np
import pytest
import torch

from hf_token2wav import build
from omnirt.token2wav.bigvgan import BigVGAN


@pytest.fixture(scope="module")
def pair():
    theirs, config, weights = build(seed=3)
    return theirs.code2wav_bigvgan_model, BigVGAN(
        config.bigvgan, weights.scope("code2wav_bigvgan_model")
    )


def _mel(frames: int) -> torch.Tensor:
    """Natural-log mel, with frames below and above what the decibel range keeps."""
    mel = torch.randn(frames, 80, generator=torch.Generator().manual_seed(frames)) * 3 - 4
    mel[0, :40], mel[-1, 40:] = -30.0, 4.0
    return mel


@pytest.mark.parametrize("frames", [1, 2, 22, 24, 25, 49, 200])
def test_samples_are_the_released_ones(pair, frames):
    theirs, ours = pair
    mel = _mel(frames)
    with torch.no_grad():
        want = theirs(mel.T[None])
    got = ours.vocode(mel)
    assert got.shape == (frames * 240,)
    peak = float(want.abs().max())
    assert 0.01 < peak < 1
    torch.testing.assert_close(got, want, atol=1e-4 * peak, rtol=0)


def test_context_is_the_receptive_field(pair):
    """34 frames as released; a frame 34 away moves samples, one 35 away does not."""
    ours = pair[1]
    assert ours.context == 34
    mel = _mel(100)
    changed = mel.clone()
    changed[50] += 2
    moved = (ours.vocode(mel) - ours.vocode(changed)).unflatten(0, (100, 240)).abs().amax(1)
    assert torch.nonzero(moved > 1e-6).min() >= 16
    assert torch.nonzero(moved > 1e-6).max() <= 84


@pytest.mark.parametrize("window", [2, 7, 33, 34, 35, 40, 72, 73])
def test_windows_join_to_one_shot(pair, window):
    ours, mel = pair[1], _mel(72)
    pieces = list(ours.vocode_windows(mel, window))
    assert all(len(piece) == window * 240 for piece in pieces[:-1])
    assert all(piece.dtype == np.float32 for piece in pieces)
    np.testing.assert_allclose(np.concatenate(pieces), ours.vocode(mel), atol=1e-6, rtol=0)


def test_work_of_a_window_is_bounded(pair, monkeypatch):
    ours, lengths = pair[1], []
    monkeypatch.setattr(
        ours, "vocode", lambda mel: lengths.append(len(mel)) or torch.zeros(len(mel) * 240)
    )
    assert sum(map(len, ours.vocode_windows(_mel(1000), 50))) == 240_000
    assert max(lengths) == 50 + 2 * 34
