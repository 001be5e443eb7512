"""The measures against cases worked by hand."""

import math

import numpy as np
import pytest
import torch

from omnirt.errors import InputError
from omnirt.evaluation.librispeech import utterances
from omnirt.evaluation.measures import (
    common_prefix,
    divergence,
    edits,
    log_mel_distance,
    matches,
    word_error_rate,
    words,
)


@pytest.mark.parametrize(
    ("a", "b", "prefix", "same"),
    [([1, 2, 3], [1, 2, 3], 3, 3), ([1, 2, 3], [1, 9, 3, 4], 1, 2), ([], [1], 0, 0)],
)
def test_shared_ids(a, b, prefix, same):
    assert (common_prefix(a, b), matches(a, b)) == (prefix, same)


def test_divergence_of_known_distributions():
    p = torch.tensor([[0.5, 0.5], [0.9, 0.1]])
    q = torch.tensor([[0.25, 0.75], [0.9, 0.1]])
    want = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert divergence(p.log() + 3, q.log()).tolist() == pytest.approx([want, 0.0], abs=1e-6)
    assert (divergence(p.log(), p.log()) == 0).all()


def test_words_are_compared_without_case_and_punctuation():
    assert (
        words("Don't stop -- it's O\u2019Hara, 5 p.m.!") == "don't stop it's o'hara 5 p m".split()
    )
    assert words("'quoted' _x_") == ["quoted", "x"]


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b c", "a x b c", 1),
        ("a b c", "a x c", 1),
        ("a b c", "b c d", 2),
        ("", "a b", 2),
        ("a b", "", 2),
    ],
)
def test_edits(said, heard, count):
    assert edits(said.split(), heard.split()) == count


def test_word_error_rate_counts_words_not_sentences():
    pairs = [("THE CAT SAT ON THE MAT", "The cat sat on a mat."), ("NO", "Yes, no")]
    assert word_error_rate(pairs) == pytest.approx(2 / 7)
    assert word_error_rate([]) == 0


def test_log_mel_distance():
    t = np.arange(24000, dtype=np.float32) / 24000
    noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32) + 0.1 * noise
    assert log_mel_distance(tone, tone) == 0
    assert log_mel_distance(tone, tone / 10) == pytest.approx(20, abs=1e-3)


def test_librispeech_layout(tmp_path):
    chapter = tmp_path / "84" / "121"
    chapter.mkdir(parents=True)
    (chapter / "84-121.trans.txt").write_text("84-121-0 GO ON\n84-121-1 STOP\n")
    (chapter / "84-121-0.flac").write_bytes(b"0")
    with pytest.raises(InputError, match="84-121-1.flac or .wav is not beside it"):
        utterances(tmp_path)
    (chapter / "84-121-1.wav").write_bytes(b"0")
    assert [(p.name, t) for p, t in utterances(tmp_path)] == [
        ("84-121-0.flac", "GO ON"),
        ("84-121-1.wav", "STOP"),
    ]
    assert len(utterances(tmp_path, 1)) == 1
    with pytest.raises(InputError, match="has no speaker/chapter"):
        utterances(chapter)
