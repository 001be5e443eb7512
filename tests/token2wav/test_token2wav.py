"""Codes to speech against transformers 4.57.1, and what callers may get wrong."""

import numpy as np
import pytest
import torch

from hf_token2wav import FakeSpeaker, build, drain, ours, speakers
from omnirt.errors import CheckpointError, InputError, OmniError
from omnirt.token2wav.model import Token2Wav
from omnirt.types import FlowParams

LENGTHS = (1, 11, 12, 13, 24, 25, 100)


@pytest.fixture(scope="module")
def pair():
    theirs, config, weights = build(seed=5)
    return theirs, ours(config, weights)


def _codes(count: int) -> list[int]:
    return torch.randint(0, 50, (count,), generator=torch.Generator().manual_seed(count)).tolist()


def _noise(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).standard_normal((frames, 80), dtype=np.float32)


def _speech(model: Token2Wav, *args, **options) -> np.ndarray:
    pieces = [p for p in model.synthesize(*args, **options) if p is not None]
    return np.concatenate(pieces)


@pytest.mark.parametrize("count", LENGTHS)
def test_mel_and_waveform_are_the_released_ones(pair, count, monkeypatch):
    theirs, model = pair
    codes, noise, speaker = _codes(count), _noise(2 * count), speakers()["Chelsie"]
    monkeypatch.setattr(torch, "randn", lambda size, dtype: torch.tensor(noise)[None])
    mels = []
    hook = theirs.code2wav_bigvgan_model.register_forward_pre_hook(lambda _, x: mels.append(x[0]))
    with torch.no_grad():
        wave = theirs(torch.tensor([codes]), speaker.cond, speaker.ref_mel).numpy()
    hook.remove()
    monkeypatch.undo()
    ids, voice = torch.tensor(codes), model.voice("Chelsie")
    got = drain(model.solve(ids, voice, FlowParams(), torch.tensor(noise)))
    want = mels[0][0].T
    torch.testing.assert_close(got, want, atol=1e-4 * float(want.abs().max()), rtol=0)
    got = _speech(model, codes, "Chelsie", flow_noise=noise)
    assert got.dtype == np.float32
    assert got.shape == (480 * count,)
    np.testing.assert_allclose(got, wave, atol=1e-4 * np.abs(wave).max(), rtol=0)


@pytest.mark.parametrize(("points", "guidance", "sway"), [(10, 0.5, -1.0), (4, 1.5, 0.0)])
def test_euler_is_a_plain_loop(pair, points, guidance, sway):
    """The reference has no Euler: its own velocity is stepped here."""
    theirs, model = pair
    codes, y, speaker = torch.tensor(_codes(30)), torch.tensor(_noise(60)), speakers()["Ethan"]
    flow = FlowParams(points=points, solver="euler", guidance=guidance, sway=sway)
    got = drain(model.solve(codes, model.voice("Ethan"), flow, y))
    grid = torch.linspace(0, 1, points)
    grid = grid + sway * (torch.cos(torch.pi / 2 * grid) - 1 + grid)
    for t, end in zip(grid[:-1], grid[1:], strict=True):
        with torch.no_grad():
            given, null = theirs.code2wav_dit_model(
                hidden_states=y[None],
                condition_vector=speaker.ref_mel,
                speaker_embedding=speaker.cond[:, None].repeat(1, 60, 1),
                quantized_code=codes[None],
                time_step=t,
            )
        y = y + (end - t) * (given + guidance * (given - null))
    torch.testing.assert_close(got, y, atol=1e-4 * float(y.abs().max()), rtol=0)


def test_without_guidance_the_null_row_is_not_computed(pair, monkeypatch):
    model, rows = pair[1], []
    velocity = model.dit.velocity

    def counted(x, modulation, condition):
        rows.append(len(condition.rows))
        return velocity(x, modulation, condition)

    monkeypatch.setattr(model.dit, "velocity", counted)
    for guidance in (0.5, 0.0):
        _speech(model, _codes(3), "Ethan", FlowParams(guidance=guidance, points=3))
    assert rows == [2] * 8 + [1] * 8


def test_a_seed_gives_its_speech(pair):
    model, flow = pair[1], FlowParams(solver="euler", points=3)
    first = _speech(model, _codes(13), "Ethan", flow, seed=7)
    np.testing.assert_array_equal(first, _speech(model, _codes(13), "Ethan", flow, seed=7))
    assert np.abs(first - _speech(model, _codes(13), "Ethan", flow, seed=8)).max() > 1e-3
    assert np.abs(first - _speech(model, _codes(13), "Chelsie", flow, seed=7)).max() > 1e-3


def test_voices_and_grids_are_computed_once(pair, monkeypatch):
    model, flow = pair[1], FlowParams(points=3, sway=-0.5)
    _speech(model, _codes(2), "Ethan", flow)
    monkeypatch.setattr(model.dit, "voice", None)
    monkeypatch.setattr(model.dit, "modulations", None)
    _speech(model, _codes(2), "Ethan", flow)


def test_long_speech_comes_in_pieces(pair):
    pieces = [
        p
        for p in pair[1].synthesize(_codes(205), "Ethan", FlowParams(solver="euler", points=2))
        if p is not None
    ]
    assert [len(p) for p in pieces] == [48_000, 48_000, 2400]


def test_no_codes_are_no_samples(pair):
    assert [p for p in pair[1].synthesize([], "Ethan") if p is not None] == []


def test_it_may_be_left_after_every_layer(pair):
    """Of each of the 36 evaluations."""
    pieces = list(pair[1].synthesize(_codes(5), "Ethan"))
    layers = pair[1].config.dit.num_layers
    assert pieces[:-1] == [None] * (36 * layers)
    assert pieces[-1] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codes": [3, 50]}, r"codes\[1\]=50: use codec ids 0..49"),
        ({"codes": [-1]}, r"codes\[0\]=-1"),
        ({"voice": "Nobody"}, r"voice='Nobody': this checkpoint has 'Chelsie', 'Ethan'"),
        ({"flow_noise": _noise(3)}, r"flow_noise=\[3, 80\]: .* at least 4 frames"),
        ({"flow_noise": _noise(4)[:, :79]}, r"flow_noise=\[4, 79\]"),
        ({"flow_noise": _noise(4)[None]}, r"flow_noise=\[1, 4, 80\]"),
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
