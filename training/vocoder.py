"""Train the vocoder, BigVGAN (arXiv 2206.04658) without a discriminator, on both voices.

    python -m training.vocoder --out RUNS [--short]

A waveform is judged by its spectra only: mel and multi-resolution magnitudes (Parallel WaveGAN,
arXiv 1910.11480).
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .codec import Corpus
from .config import VOICES, Budget
from .loop import train
from .mel import HOP, log_mel
from .released import new_vocoder
from .scoring import score_vocoder
from .stage import Arguments

FRAMES = 32  # of a crop
WINDOWS = (256, 512, 1024, 2048)  # samples, of the spectra compared
FLOOR = 1e-5  # of a magnitude, before its logarithm
ROUGHNESS = 0.1  # deviation of what is added to log mels, as the flow's are not exact
WORTH_COMPILING = 500  # steps; a third faster once two minutes are spent

BUDGET, SHORT = Budget(1000, 6, 1.5e-3), Budget(40, 2, 1.5e-3)


def waveform(model: nn.Module, mel: Tensor) -> Tensor:
    """The class's forward for training: in batches, no limits. [B, F, 80] -> [B, HOP * F]."""
    x = model.conv_pre(model.process_mel_spectrogram(mel.mT))
    widths = model.num_residual_blocks
    for i, (up,) in enumerate(model.ups):
        x = up(x)
        x = sum(block(x) for block in model.resblocks[i * widths : (i + 1) * widths]) / widths
    return model.conv_post(model.activation_post(x)).squeeze(1)


def spectral_distance(made: Tensor, real: Tensor) -> Tensor:
    """Of waveforms [B, n]: log magnitudes, and the error's share of the magnitude."""
    total = 0
    for window in WINDOWS:
        a, b = (_magnitudes(x, window) for x in (made, real))
        share = torch.linalg.norm(b - a) / torch.linalg.norm(b)
        total = total + share + F.l1_loss(a.log(), b.log())
    return total / len(WINDOWS)


def _magnitudes(wave: Tensor, window: int) -> Tensor:
    hann = torch.hann_window(window)
    spectra = torch.stft(wave, window, window // 4, window=hann, return_complex=True)
    return torch.view_as_real(spectra).square().sum(-1).clamp(min=FLOOR**2).sqrt()


class Crops:
    """Random stretches of the recordings of both voices; a step always gets the same batch."""

    def __init__(self, corpus: Corpus, batch: int) -> None:
        self._corpus, self._batch = corpus, batch

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Rough log mel [B, FRAMES, 80] and the waveform [B, FRAMES * HOP]."""
        generator = torch.Generator().manual_seed(step)
        picks = torch.randint(self._corpus.recordings, (self._batch,), generator=generator)
        pairs = [
            self._crop(self._corpus.audio_of(pick, i % len(VOICES)), generator)
            for i, pick in enumerate(picks.tolist())
        ]
        mels, waves = map(torch.stack, zip(*pairs, strict=True))
        rough = ROUGHNESS * torch.rand(self._batch, 1, 1, generator=generator)
        return mels + rough * torch.randn(mels.shape, generator=generator), waves

    def _crop(self, wave: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        wave = F.pad(wave, (0, max(0, FRAMES * HOP - len(wave))))
        frames = len(wave) // HOP
        start = int(torch.randint(frames - FRAMES + 1, (1,), generator=generator))
        stop = start + FRAMES
        return log_mel(wave[None])[0, start:stop], wave[start * HOP : stop * HOP]


def fit(folder: Path, corpus: Corpus, budget: Budget) -> nn.Module:
    """Train on a corpus; what a killed run has saved is gone on with."""
    model = new_vocoder()
    crops = Crops(corpus, budget.batch)
    forward = torch.compile(waveform) if budget.steps >= WORTH_COMPILING else waveform

    def loss(step: int) -> dict[str, Tensor]:
        mel, real = crops(step)
        made = forward(model, mel)
        mels = F.l1_loss(log_mel(made), log_mel(real))
        spectra = spectral_distance(made, real)
        return {"loss": mels + spectra, "mel": mels}

    train(folder, model, budget, loss, betas=(0.8, 0.99))
    return model.eval()


def main(given: Arguments) -> None:
    corpus = Corpus.load(given.out / "codec" / "train")
    fit(given.out / "vocoder", corpus, SHORT if given.short else BUDGET)
    score_vocoder(given.out)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
