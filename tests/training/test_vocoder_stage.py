"""The vocoder's training: its forward is the released class's, and it learns."""

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("espeakng_loader")

from training import vocoder  # noqa: E402
from training.codec import Corpus  # noqa: E402
from training.config import Budget  # noqa: E402
from training.mel import HOP, log_mel  # noqa: E402
from training.released import new_vocoder  # noqa: E402


def hum(samples: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = 1e-3 * torch.randn(samples, generator=generator)
    return 0.1 * torch.sin(0.05 * torch.arange(samples)) + noise


def corpus_of(samples: int) -> Corpus:
    """One recording, the same in both voices."""
    audio = (hum(samples) * 32768).numpy().astype(np.int16)
    starts = np.zeros(2, np.int64)
    spans = np.tile([0, samples], (1, 2, 1))
    return Corpus([""], starts, starts[:0], np.zeros((0, 2, 2, 80)), spans, audio)


def test_forward_is_the_released_one():
    model = new_vocoder().eval()
    mel = torch.randn(2, 9, 80, generator=torch.Generator().manual_seed(0)) * 4 - 6
    with torch.no_grad():
        made = vocoder.waveform(model, mel)
        theirs = torch.stack([model(row.mT[None]) for row in mel])
    assert made.shape == (2, 9 * HOP)
    assert made.abs().max() < 1
    torch.testing.assert_close(made, theirs)


def test_crops_are_of_one_moment_and_repeat():
    crops = vocoder.Crops(corpus_of(50 * HOP), batch=3)
    mel, cut = crops(7)
    assert mel.shape == (3, vocoder.FRAMES, 80)
    assert cut.shape == (3, vocoder.FRAMES * HOP)
    inner = slice(3, -3)  # the ends of a crop are mirrored in its own mel
    rough = (mel - log_mel(cut))[:, inner]
    assert rough.abs().mean() < vocoder.ROUGHNESS
    assert all(map(torch.equal, crops(7), (mel, cut)))
    assert not torch.equal(crops(8)[1], cut)


def test_short_recordings_are_filled():
    assert vocoder.Crops(corpus_of(960), batch=1)(0)[1].shape == (1, vocoder.FRAMES * HOP)


def test_spectral_distance_sees_loudness_and_pitch():
    wave = hum(4096)[None]
    assert vocoder.spectral_distance(wave, wave) == 0
    quieter, faster = wave / 2, wave[:, ::2].repeat(1, 2)
    assert vocoder.spectral_distance(quieter, wave) > 0.5
    assert vocoder.spectral_distance(faster, wave) > 0.5


def test_fit_lowers_the_loss(tmp_path):
    corpus = corpus_of(40 * HOP)
    model = vocoder.fit(tmp_path, corpus, Budget(20, 2, 1.5e-3))
    mel, real = vocoder.Crops(corpus, 2)(99)
    with torch.no_grad():
        trained, fresh = (vocoder.waveform(m, mel) for m in (model, new_vocoder()))
    assert vocoder.spectral_distance(trained, real) < 0.9 * vocoder.spectral_distance(fresh, real)
