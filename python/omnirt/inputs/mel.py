"""Log-mel features of the audio encoder, without the released 300 s of padding.

The released feature extractor pads every clip with zeros to 300 s and masks them away afterwards.
Frames of zeros change nothing (their power is the floor, never the maximum), so only the frames
that see sound, and one second of zeros, are computed here.
"""

from functools import lru_cache

import numpy as np
import torch

from .config import AudioSettings

_FLOOR = 1e-10  # of the mel power
_RANGE = 8.0  # decades kept below the clip's loudest value
_TOP = 8000.0  # Hz, upper edge of the encoder's highest band


def log_mel(samples: np.ndarray, settings: AudioSettings) -> np.ndarray:
    """float32 [n] in [-1, 1] -> float32 [bands, ceil(n / hop)].

    x = log10(max(mel, 1e-10)); (max(x, max(x) - 8) + 4) / 4, where mel is the power spectrogram
    (periodic Hann window, centred frames, reflected at the edges) times Slaney filters; Whisper
    (arXiv 2212.04356). n is at most ``settings.max_samples``.
    """
    hop, window = settings.hop_length, settings.n_fft
    frames = -(-len(samples) // hop)
    padded = min(frames * hop + settings.sampling_rate, settings.max_samples)
    wave = torch.nn.functional.pad(torch.from_numpy(samples), (0, padded - len(samples)))
    spectrum = torch.stft(wave, window, hop, window=torch.hann_window(window), return_complex=True)
    power = spectrum[:, :-1].abs() ** 2  # [window / 2 + 1, frames]
    mel = mel_filters(settings.feature_size, window, settings.sampling_rate) @ power
    x = mel.clamp(min=_FLOOR).log10()
    x = torch.maximum(x, x.max() - _RANGE)
    return ((x[:, :frames] + 4.0) / 4.0).numpy()


def audio_tokens(frames: int) -> int:
    """Prompt tokens of a clip of mel frames: a convolution of stride 2, then pairs averaged."""
    return (frames + 1) // 2 // 2


@lru_cache(maxsize=4)
def mel_filters(bands: int, window: int, rate: int, top: float = _TOP) -> torch.Tensor:
    """float32 [bands, window / 2 + 1]: triangles on the Slaney mel scale, each of unit area.

    top: upper edge of the highest band, Hz.
    """
    bins = np.linspace(0, rate // 2, window // 2 + 1)  # Hz
    edges = _to_hertz(np.linspace(0.0, _to_mel(top), bands + 2))
    widths = np.diff(edges)
    offsets = edges[:, None] - bins
    rising = -offsets[:-2] / widths[:-1, None]
    falling = offsets[2:] / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    area = 2.0 / (edges[2:] - edges[:-2])
    return torch.from_numpy((triangles * area[:, None]).astype(np.float32))


# The Slaney scale: 3 mel per 200 Hz up to 1 kHz (15 mel), then 27 mel per factor of 6.4.
_KNEE_HZ, _KNEE_MEL = 1000.0, 15.0
_PER_LOG = 27.0 / np.log(6.4)


def _to_mel(hertz: float) -> float:
    if hertz < _KNEE_HZ:
        return 3.0 * hertz / 200.0
    return _KNEE_MEL + np.log(hertz / _KNEE_HZ) * _PER_LOG


def _to_hertz(mel: np.ndarray) -> np.ndarray:
    above = _KNEE_HZ * np.exp((mel - _KNEE_MEL) / _PER_LOG)
    return np.where(mel < _KNEE_MEL, 200.0 * mel / 3.0, above)
