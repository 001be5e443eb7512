"""Answers of the training split as the model itself will say them, for its ears to learn from.

python -m training.echoes --out runs

Codes, flow and vocoder change a voice; what learned from recordings only mishears every sixth word.
"""

from random import Random

import soxr
import torch
from tqdm import tqdm

from omnirt.types import WaveSchedule

from .codec import Corpus
from .config import SPEECH_RATE, VOICES
from .recordings import ECHOES, RATE, save_waves
from .scoring import sound_of, token2wav_of
from .stage import Arguments

ANSWERS, SHORT = 800, 8


@torch.inference_mode()
def main(arguments: Arguments) -> None:
    file = arguments.out / "recordings" / "train" / ECHOES
    if file.exists():
        return
    corpus, token2wav = Corpus.load(arguments.out / "codec" / "train"), token2wav_of(arguments.out)
    count, schedule = SHORT if arguments.short else ANSWERS, WaveSchedule.preset("balanced")
    waves = []
    picks = Random("echoes").sample(range(len(corpus)), count)
    for i, index in enumerate(tqdm(picks, "echoes", disable=None)):
        codes, voice = corpus.codes_of(index).tolist(), VOICES[i % len(VOICES)]
        wave = sound_of(token2wav, codes, voice, schedule, seed=i)
        waves.append(soxr.resample(wave, SPEECH_RATE, RATE).clip(-1, 1))
    save_waves(file, [corpus.texts[index] for index in picks], waves)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
