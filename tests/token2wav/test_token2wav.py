"""Codes to speech against transformers 4.57.1, and what callers may get wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hf_token2wav import FakeSpeaker, build, codes_of, noise_of, ours, speakers
from omnirt.errors import CheckpointError, InputError, OmniError
from omnirt.token2wav.model import Token2Wav
from omnirt.types import WaveSchedule

LENGTHS = (1, 11, 12, 13, 24, 25, 100)
EXACT = WaveSchedule.preset("exact")


@pytest.fixture(scope="module")
def pair():
    theirs, config, weights = build(seed=5)
    return theirs, ours(config, weights)


def _speech(model: Token2Wav, *args, **options) -> np.ndarray:
    pieces = [p for p in model.synthesize(*args, **options) if p is not None]
    return np.concatenate(pieces)


@pytest.mark.parametrize("count", LENGTHS)
def test_waveform_is_the_released_one(pair, count, monkeypatch):
    theirs, model = pair
    codes, noise, speaker = codes_of(count), noise_of(2 * count), speakers()["Chelsie"]
    monkeypatch.setattr(torch, "randn", lambda size, dtype: torch.tensor(noise)[None])
    with torch.no_grad():
        wave = theirs(torch.tensor([codes]), speaker.cond, speaker.ref_mel).numpy()
    monkeypatch.undo()
    got = _speech(model, codes, "Chelsie", EXACT, flow_noise=noise)
    assert got.dtype == np.float32
    assert got.shape == (480 * count,)
    np.testing.assert_allclose(got, wave, atol=1e-4 * np.abs(wave).max(), rtol=0)


def test_a_seed_gives_its_speech(pair):
    model, schedule = pair[1], WaveSchedule(points=3)
    first = _speech(model, codes_of(13), "Ethan", schedule, seed=7)
    np.testing.assert_array_equal(first, _speech(model, codes_of(13), "Ethan", schedule, seed=7))
    assert np.abs(first - _speech(model, codes_of(13), "Ethan", schedule, seed=8)).max() > 1e-3
    assert np.abs(first - _speech(model, codes_of(13), "Chelsie", schedule, seed=7)).max() > 1e-3


def test_voices_and_grids_are_computed_once(pair, monkeypatch):
    """Chunks and guidance do not change the times at which the adaptive norms are needed."""
    model, schedule = pair[1], WaveSchedule(points=3, sway=-0.5)
    _speech(model, codes_of(2), "Ethan", replace(schedule, chunk=5, guidance=0.0))
    monkeypatch.setattr(model.dit, "voice", None)
    monkeypatch.setattr(model.dit, "table", None)
    _speech(model, codes_of(2), "Ethan", schedule)


def test_speech_leaves_window_by_window(pair):
    """Of 1, 2 and 4 blocks and of what is left, less what the vocoder holds back: 20, then 34."""
    schedule = WaveSchedule(chunk=4, lookahead=1, points=2)
    pieces = [p for p in pair[1].synthesize(codes_of(140), "Ethan", schedule) if p is not None]
    assert [len(piece) // 240 for piece in pieces] == [4, 34, 96, 112, 34]


def test_no_codes_are_no_samples(pair):
    assert [p for p in pair[1].synthesize([], "Ethan") if p is not None] == []


def test_it_may_be_left_after_every_evaluation(pair):
    """Of each of two windows."""
    pieces = list(pair[1].synthesize(codes_of(30), "Ethan", WaveSchedule(points=5, lookahead=0)))
    assert sum(piece is None for piece in pieces) == 8
    assert pieces[-1] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codes": [3, 50]}, r"codes\[1\]=50: use codec ids 0..49"),
        ({"codes": [-1]}, r"codes\[0\]=-1"),
        ({"voice": "Nobody"}, r"voice='Nobody': this checkpoint has 'Chelsie', 'Ethan'"),
        ({"flow_noise": noise_of(3)}, r"flow_noise=\[3, 80\]: .* at least 4 frames"),
        ({"flow_noise": noise_of(4)[:, :79]}, r"flow_noise=\[4, 79\]"),
        ({"flow_noise": noise_of(4)[None]}, r"flow_noise=\[1, 4, 80\]"),
    ],
)
def test_wrong_input_is_named_at_once(pair, options, message):
    with pytest.raises(InputError, match=message) as error:
        pair[1].synthesize(**{"codes": [1, 2], "voice": "Ethan", **options})
    assert isinstance(error.value, OmniError)


@pytest.mark.parametrize(
    ("cond", "ref_mel", "message"),
    [((1, 19), (1, 37, 80), "must hold 20 numbers"), ((1, 20), (1, 37, 79), r"\[frames, 80\]")],
)
def test_misshapen_voice_is_named(cond, ref_mel, message):
    _, config, weights = build()
    speaker = FakeSpeaker(torch.zeros(cond), torch.zeros(ref_mel))
    with pytest.raises(CheckpointError, match=message):
        Token2Wav(config, weights, {"Odd": speaker}).voice("Odd")
