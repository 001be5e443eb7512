"""Speech codes: k-means over both voices at once, so that a code says what and not who.

Ethan's frames are taken at the moments of his recording that correspond to Chelsie's, phoneme by
phoneme; a code stands for the nearest centroid of 20 ms of both.

python -m training.codec --out runs
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import world
from .config import CODES, REFERENCE_FRAMES, SPEECH_RATE, VOICES, model_config
from .kmeans import k_means, nearest
from .mel import BANDS, FRAMES, HOP, log_mel, log_mel_at
from .stage import Arguments
from .voices import REPLY_VOICES, Speech, speak_all

STEP = FRAMES * HOP  # samples a code
_SEED = 0
_FIELDS = ("starts", "codes", "mels", "audio_starts", "audio")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """recordings: answers whose audio is kept. rows: steps that k-means sees."""

    answers: int
    held_out: int
    recordings: int
    rows: int
    rounds: int


SIZE = Size(answers=8000, held_out=300, recordings=2500, rows=200_000, rounds=30)
SHORT = Size(answers=60, held_out=12, recordings=60, rows=4000, rounds=3)


@dataclass(frozen=True)
class Corpus:
    """Answers in both voices. Voices count in the order of config.VOICES."""

    texts: list[str]
    starts: np.ndarray  # int64 [N + 1]: where each answer's codes begin
    codes: np.ndarray  # int16 [C], 1 to CODES
    mels: np.ndarray  # float16 [C, voices, FRAMES, BANDS]
    audio_starts: np.ndarray  # int64 [recordings, voices, 2]: only the first answers have audio
    audio: np.ndarray  # int16

    @classmethod
    def load(cls, folder: Path) -> "Corpus":
        texts = json.loads((folder / "texts.json").read_text())
        return cls(texts, *(np.load(folder / f"{name}.npy", mmap_mode="r") for name in _FIELDS))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "texts.json").write_text(json.dumps(self.texts))
        for name in _FIELDS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    def __len__(self) -> int:
        return len(self.texts)

    def codes_of(self, index: int) -> Tensor:
        """int64 [T]."""
        return torch.from_numpy(self.codes[self._part(index)].astype(np.int64))

    def mel_of(self, index: int, voice: int) -> Tensor:
        """float32 [2 T, 80], on the codes' time axis."""
        rows = self.mels[self._part(index), voice].astype(np.float32)
        return torch.from_numpy(rows.reshape(-1, BANDS))

    @property
    def recordings(self) -> int:
        """Answers whose audio is kept: 0 to recordings - 1."""
        return len(self.audio_starts)

    def audio_of(self, index: int, voice: int) -> Tensor:
        """float32 [n] at 24 kHz as the voice itself timed it, n a multiple of 480."""
        start, end = self.audio_starts[index, voice]
        return torch.from_numpy(self.audio[start:end].astype(np.float32) / 32768)

    def _part(self, index: int) -> slice:
        return slice(self.starts[index], self.starts[index + 1])


@dataclass(frozen=True)
class _Recorded:
    texts: list[str]
    speech: list[list[Speech]]  # [voices][answers]
    steps: list[Tensor]  # each float32 [T, voices, FRAMES, BANDS]


def main(arguments: Arguments) -> None:
    folder = arguments.out / "codec"
    if not (folder / "figures.json").exists():
        make(folder, SHORT if arguments.short else SIZE)


def make(folder: Path, size: Size) -> None:
    """folder: gets train/ and held_out/ (Corpus), centroids.npy, speakers.pt, figures.json."""
    recorded = _record(world.answers(size.answers, _SEED), _SEED)
    rows = torch.cat(recorded.steps).flatten(1)
    generator = torch.Generator().manual_seed(_SEED)
    sample = rows[torch.randperm(len(rows), generator=generator)[: size.rows]]
    centroids = k_means(sample, CODES, size.rounds, _SEED)
    train = _corpus(recorded, centroids, size.recordings)
    train.save(folder / "train")
    np.save(folder / "centroids.npy", centroids.view(CODES, len(VOICES), FRAMES, BANDS).numpy())
    torch.save(_speakers(train), folder / "speakers.pt")
    recorded = _record(world.held_out_answers(size.held_out, _SEED), _SEED + 1)
    _corpus(recorded, centroids, size.held_out).save(folder / "held_out")
    figures = _figures(Corpus.load(folder / "held_out"), centroids)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    _log.info("%d steps of training; on held-out answers: %s", len(rows), figures)


def centroid_mel(folder: Path, codes: Tensor, voice: int) -> Tensor:
    """What codes (int64 [T]) alone say of a voice's mel: float32 [2 T, 80]."""
    centroids = torch.from_numpy(np.load(folder / "centroids.npy"))
    return centroids[codes - 1, voice].reshape(-1, BANDS)


def _record(texts: list[str], seed: int) -> _Recorded:
    speech = [
        speak_all([(text, REPLY_VOICES[name]) for text in texts], SPEECH_RATE, seed=(seed, index))
        for index, name in enumerate(VOICES)
    ]
    return _Recorded(texts, speech, [_steps(pair) for pair in zip(*speech, strict=True)])


def _steps(pair: Sequence[Speech]) -> Tensor:
    """One text in each voice -> float32 [T, voices, FRAMES, BANDS] on the first voice's axis."""
    first = pair[0]
    centres = np.arange(len(first.samples) // STEP * FRAMES) * HOP + HOP // 2
    marks = _marks(first)
    mels = []
    for speech in pair:
        there = np.interp(centres, marks, _marks(speech)).round().astype(np.int64)
        there = there.clip(0, len(speech.samples) - 1)
        mels.append(log_mel_at(torch.from_numpy(speech.samples), torch.from_numpy(there)))
    return torch.stack(mels).view(len(pair), -1, FRAMES, BANDS).transpose(0, 1)


def _marks(speech: Speech) -> np.ndarray:
    """Samples that correspond across voices: both ends and where each phoneme begins."""
    return np.concatenate([[0], speech.times * SPEECH_RATE, [len(speech.samples)]])


def _corpus(recorded: _Recorded, centroids: Tensor, recordings: int) -> Corpus:
    rows = torch.cat(recorded.steps)  # [C, voices, FRAMES, BANDS]
    codes = nearest(rows.flatten(1), centroids) + 1
    starts = np.cumsum([0, *map(len, recorded.steps)])
    kept = [
        speech[index].samples[: len(speech[index].samples) // STEP * STEP]
        for index in range(min(recordings, len(recorded.texts)))
        for speech in recorded.speech
    ]
    ends = np.cumsum([0, *map(len, kept)])
    spans = np.stack([ends[:-1], ends[1:]], -1).reshape(-1, len(VOICES), 2)
    audio = (np.concatenate(kept) * 32767).round().astype(np.int16)
    mels = rows.to(torch.float16).numpy()
    return Corpus(recorded.texts, starts, codes.short().numpy(), mels, spans, audio)


def _speakers(corpus: Corpus) -> dict[str, dict[str, Tensor]]:
    """ref_mel [1, REFERENCE_FRAMES, 80]: some answers back to back. cond [1, D]: a fixed name."""
    width = model_config()["token2wav_config"]["dit_config"]["enc_emb_dim"]
    generator = torch.Generator().manual_seed(_SEED)
    speakers = {}
    for voice, name in enumerate(VOICES):
        parts = [corpus.audio_of(index, voice) for index in range(corpus.recordings)]
        mel = log_mel(torch.cat(parts)[None, : REFERENCE_FRAMES * HOP])
        speakers[name] = {"ref_mel": mel, "cond": torch.randn(1, width, generator=generator)}
    return speakers


def _figures(corpus: Corpus, centroids: Tensor) -> dict:
    """How much of each voice's mel the codes alone tell: variance explained, rms error."""
    rows = torch.from_numpy(corpus.mels.astype(np.float32))
    told = centroids.view(CODES, *rows.shape[1:])[torch.tensor(corpus.codes).long() - 1]
    figures = {"codes used": len(np.unique(corpus.codes))}
    for voice, name in enumerate(VOICES):
        error = (rows - told)[:, voice].square().mean()
        spread = (rows[:, voice] - rows[:, voice].mean((0, 1))).square().mean()
        figures[name] = {
            "variance explained": round(float(1 - error / spread), 4),
            "rms error": round(float(error.sqrt()), 3),
        }
    return figures


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
