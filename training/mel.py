"""The log-mel spectrogram that the flow draws and the vocoder reads (BigVGAN, arXiv 2206.04658).

24 kHz, 80 Slaney bands up to 12 kHz, 100 frames a second: frame f is centred on sample
240 f + 120, so that n samples give n / 240 frames.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from omnirt.inputs.mel import mel_filters

from .config import SPEECH_RATE

BANDS = 80
HOP = 240  # samples
FRAMES = 2  # a code
WINDOW = 1024
_EDGE = (WINDOW - HOP) // 2
_FLOOR = 1e-5  # of the amplitude
_TINY = 1e-9  # keeps the square root's gradient finite


def log_mel(waves: Tensor) -> Tensor:
    """float32 [B, n] in [-1, 1] -> natural logarithms [B, n // 240, 80]; has a gradient."""
    padded = pad(waves[:, None], (_EDGE, _EDGE), mode="reflect")[:, 0]
    spectrum = torch.stft(
        padded, WINDOW, HOP, window=_window(), center=False, return_complex=True
    )  # [B, WINDOW / 2 + 1, frames]
    return _logarithm(spectrum.transpose(1, 2))


def log_mel_at(wave: Tensor, centres: Tensor) -> Tensor:
    """The frames centred on any samples: float32 [n], int64 [T] -> [T, 80]."""
    padded = pad(wave[None], (WINDOW // 2, WINDOW // 2), mode="reflect")[0]
    frames = padded[centres[:, None] + torch.arange(WINDOW)]
    return _logarithm(torch.fft.rfft(frames * _window()))


def _logarithm(spectrum: Tensor) -> Tensor:  # [..., WINDOW / 2 + 1]
    amplitude = (torch.view_as_real(spectrum).square().sum(-1) + _TINY).sqrt()
    filters = mel_filters(BANDS, WINDOW, SPEECH_RATE, SPEECH_RATE / 2)
    return (amplitude @ filters.T).clamp(min=_FLOOR).log()


@lru_cache(maxsize=1)
def _window() -> Tensor:
    return torch.hann_window(WINDOW)
