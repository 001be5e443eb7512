"""Codes of both voices at once."""

import numpy as np
import pytest
import torch

pytest.importorskip("espeakng_loader")

from training import codec, world
from training.codec import Corpus, Size
from training.config import CODES, REFERENCE_FRAMES, VOICES
from training.kmeans import k_means, nearest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codec")
    codec.make(folder, Size(answers=24, held_out=4, recordings=10, rows=1200, rounds=3))
    return folder


def test_the_corpus_comes_back(folder):
    corpus = Corpus.load(folder / "train")
    assert corpus.texts == world.answers(24, 0)
    assert corpus.recordings == 10
    codes = corpus.codes_of(3)
    assert codes.dtype == torch.int64
    assert 1 <= codes.min() <= codes.max() <= CODES
    for voice in range(len(VOICES)):
        assert corpus.mel_of(3, voice).shape == (2 * len(codes), 80)
        audio = corpus.audio_of(3, voice)
        assert len(audio) % 480 == 0
        assert 0.2 < audio.abs().max() <= 1
    assert len(corpus.audio_of(3, 0)) == 480 * len(codes)  # the time axis is the first voice's


def test_both_voices_say_the_same_at_the_same_time(folder):
    """Warped, the two mels agree better than cut to one length."""
    corpus = Corpus.load(folder / "train")
    warped, cut = [], []
    for index in range(corpus.recordings):
        first, second = (corpus.mel_of(index, voice) for voice in range(2))
        own = codec.log_mel(corpus.audio_of(index, 1)[None])[0]
        length = min(len(first), len(own))
        warped.append(np.corrcoef(first.mean(1), second.mean(1))[0, 1])
        cut.append(np.corrcoef(first[:length].mean(1), own[:length].mean(1))[0, 1])
    assert np.mean(warped) > np.mean(cut) + 0.05


def test_codes_tell_the_mel(folder):
    corpus = Corpus.load(folder / "train")
    for voice in range(len(VOICES)):
        mel = corpus.mel_of(0, voice)
        error = codec.centroid_mel(folder, corpus.codes_of(0), voice) - mel
        assert error.square().mean() < 0.1 * mel.var()


def test_speakers(folder):
    speakers = torch.load(folder / "speakers.pt")
    assert set(speakers) == set(VOICES)
    for entry in speakers.values():
        assert entry["ref_mel"].shape == (1, REFERENCE_FRAMES, 80)
        assert entry["cond"].shape == (1, 192)
    assert not torch.equal(speakers["Chelsie"]["cond"], speakers["Ethan"]["cond"])


def test_k_means_settles_on_the_means():
    rows = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    centroids = k_means(rows, 5, rounds=100, seed=0)
    choice = nearest(rows, centroids)
    means = torch.stack([rows[choice == index].mean(0) for index in range(5)])
    torch.testing.assert_close(means, centroids)
    errors = [
        (rows - found[nearest(rows, found)]).square().mean()
        for found in (k_means(rows, 5, 0, seed=0), centroids)
    ]
    assert errors[1] < 0.9 * errors[0]
