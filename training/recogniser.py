"""A listener that writes down the words of an answer: the meter of what the model says.

Convolutions and a bidirectional GRU with CTC (Graves et al. 2006) over whole words, trained on
espeak-ng's recordings alone, never on what the model itself says.

python -m training.recogniser --out runs
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor, nn

from omnirt.evaluation.measures import word_error_rate

from . import world
from .codec import Corpus, centroid_mel
from .config import SPEECH_RATE, VOICES, Budget
from .loop import padded, train
from .mel import BANDS, log_mel
from .stage import Arguments
from .voices import HELD_OUT_VOICES, REPLY_VOICES, Voice, question_voices, speak_all

_SEED = 0
_WIDTH = 160
_SHIFT, _SCALE = 5.0, 2.5  # of log-mels: about zero mean, unit variance
_SILENCE = -8.0  # the level of the dither
_LOUDER, _NOISE = 0.7, 0.3  # at random while it trains: a recording's level, each value's error
_MOST_WORDS = 6
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """recordings: half in the reply voices. tests: sentences a voice."""

    recordings: int
    tests: int
    budget: Budget


SIZE = Size(6000, 300, Budget(2000, 32, 2e-3))
SHORT = Size(120, 12, Budget(20, 8, 2e-3))


class Listener(nn.Module):
    """Log-mels [B, T, 80] -> log probabilities of a word or none (0), [B, T // 4, words + 1]."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(BANDS, _WIDTH, 5, 2, padding=2)
        self.second = nn.Conv1d(_WIDTH, _WIDTH, 5, 2, padding=2)
        self.recurrent = nn.GRU(_WIDTH, _WIDTH, 1, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * _WIDTH, words + 1)

    def forward(self, mels: Tensor) -> Tensor:
        x = ((mels + _SHIFT) / _SCALE).mT
        x = nn.functional.gelu(self.first(x))
        x = nn.functional.gelu(self.second(x))
        return self.out(self.recurrent(x.mT)[0]).log_softmax(-1)


class Recogniser:
    def __init__(self, listener: Listener, words: Sequence[str]) -> None:
        self._listener, self._words = listener.eval(), words

    @classmethod
    def load(cls, folder: Path) -> "Recogniser":
        """folder: the stage's own."""
        words = json.loads((folder / "words.json").read_text())
        listener = Listener(len(words))
        listener.load_state_dict(torch.load(folder / "model.pt"))
        return cls(listener, words)

    def hear(self, wave: np.ndarray | Tensor) -> str:
        """float32 [n] at 24 kHz -> its words."""
        return self.hear_mel(log_mel(torch.as_tensor(wave)[None])[0])

    @torch.inference_mode()
    def hear_mel(self, mel: Tensor) -> str:
        """Log-mel [T, 80] -> its words."""
        best = self._listener(mel[None])[0].argmax(-1).unique_consecutive()
        return " ".join(self._words[index - 1] for index in best.tolist() if index)


def main(arguments: Arguments) -> None:
    size = SHORT if arguments.short else SIZE
    folder = arguments.out / "recogniser"
    if not (folder / "model.pt").exists():
        learn(folder, size)
    figures = _figures(Recogniser.load(folder), arguments.out / "codec", size.tests)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    _log.info("word error rates on held-out sentences: %s", figures)


def learn(folder: Path, size: Size) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.json").write_text(json.dumps(world.WORDS))
    torch.manual_seed(_SEED)
    listener = Listener(len(world.WORDS))
    texts = _texts(size.recordings)
    lines = list(zip(texts, _voices(size.recordings), strict=True))
    mels = [
        log_mel(torch.from_numpy(speech.samples)[None])[0].half()
        for speech in speak_all(lines, SPEECH_RATE, seed=_SEED)
    ]
    ids = {word: index + 1 for index, word in enumerate(world.WORDS)}
    labels = [torch.tensor([ids[word] for word in text.split()]) for text in texts]

    def loss(step: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(step)
        picks = torch.randint(len(texts), (size.budget.batch,), generator=generator).tolist()
        batch = padded((mels[index].float() for index in picks), _SILENCE)
        louder = torch.randn(len(picks), 1, 1, generator=generator) * _LOUDER
        noise = torch.randn(batch.shape, generator=generator) * _NOISE
        told = listener(batch + louder + noise).transpose(0, 1)
        frames = torch.tensor([-(-len(mels[index]) // 4) for index in picks])
        targets = [labels[index] for index in picks]
        lengths = torch.tensor([len(target) for target in targets])
        return {"loss": nn.functional.ctc_loss(told, torch.cat(targets), frames, lengths)}

    train(folder, listener, size.budget, loss)


def _texts(count: int) -> list[str]:
    """Answers and lists of any words, half of each."""
    rng = Random(_SEED)
    texts = world.answers(count // 2, _SEED + 1)
    while len(texts) < count:
        texts.append(" ".join(rng.choices(world.WORDS, k=rng.randint(1, _MOST_WORDS))))
    rng.shuffle(texts)
    return texts


def _voices(count: int) -> list[Voice]:
    """The reply voices for half, at their own and other speeds and pitches; then all the others."""
    replies = list(REPLY_VOICES.values())
    varied = question_voices(count // 4, _SEED, replies)
    fixed = [replies[index % len(replies)] for index in range(count // 4)]
    return varied + fixed + question_voices(count - 2 * (count // 4), _SEED + 1)


def _figures(recogniser: Recogniser, codec: Path, count: int) -> dict[str, float]:
    """Word error rates: real recordings, voices never heard, and codes alone if there are some."""
    texts = world.held_out_answers(count, _SEED)
    figures = {}
    strangers = question_voices(count, _SEED, HELD_OUT_VOICES)
    voices = {name: [voice] * count for name, voice in REPLY_VOICES.items()} | {"others": strangers}
    for name, speakers in voices.items():
        spoken = speak_all(list(zip(texts, speakers, strict=True)), SPEECH_RATE, seed=_SEED + 1)
        heard = [recogniser.hear(speech.samples) for speech in spoken]
        figures[name] = round(word_error_rate(list(zip(texts, heard, strict=True))), 4)
    if (codec / "held_out").exists():
        corpus = Corpus.load(codec / "held_out")
        for voice, name in enumerate(VOICES):
            heard = [
                recogniser.hear_mel(centroid_mel(codec, corpus.codes_of(index), voice))
                for index in range(len(corpus))
            ]
            pairs = list(zip(corpus.texts, heard, strict=True))
            figures[f"{name}, codes alone"] = round(word_error_rate(pairs), 4)
    return figures


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
