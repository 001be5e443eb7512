"""The token2wav mel."""

import torch

from training.mel import log_mel, log_mel_at


def test_frames_and_floor():
    mels = log_mel(torch.zeros(2, 4800))
    assert mels.shape == (2, 20, 80)
    assert mels.max() < -9.5


def test_a_tone_is_in_the_band_of_its_pitch():
    wave = torch.sin(2 * torch.pi * 440 * torch.arange(9600) / 24_000)
    frame = log_mel(wave[None])[0, 20]
    # Slaney: 440 Hz is 6.6 mel; the middles of 80 bands divide 51.14 mel, 12 kHz, into 81.
    assert abs(int(frame.argmax()) - (6.6 / (51.14 / 81) - 1)) < 1
    assert frame.max() > frame.median() + 5


def test_frames_anywhere_agree_with_those_of_the_grid():
    wave = torch.randn(24_000, generator=torch.Generator().manual_seed(0)) * 0.1
    anywhere = log_mel_at(wave, torch.arange(3, 97) * 240 + 120)
    torch.testing.assert_close(anywhere, log_mel(wave[None])[0, 3:97], rtol=1e-4, atol=1e-4)


def test_silence_has_a_gradient():
    wave = torch.zeros(1, 2400, requires_grad=True)
    log_mel(wave).sum().backward()
    assert wave.grad.isfinite().all()
