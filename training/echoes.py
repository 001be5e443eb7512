"""Answers of the training split as the model itself will say them, for its ears to learn from.

python -m training.echoes --out runs

Codes, flow and vocoder change a voice; what learned from recordings only mishears every sixth word.
"""

from collections.abc import Sequence
from random import Random

import soxr
import torch
from tqdm import tqdm

from omnirt.types import WaveSchedule

from . import world
from .codec import Corpus
from .config import SPEECH_RATE, VOICES
from .recordings import ECHOES, RATE, save_waves
from .scoring import sound_of, token2wav_of
from .stage import Arguments

ANSWERS, SHORT = 1600, 8
TIMES = 6  # of each answer in _SHORTEST by each voice
_SHORTEST = {
    *world.SOUNDS.values(),
    *world.DIRECTIONS.values(),
    *world.COLOURS,
    *world.NUMBERS[: world.MOST_SHAPES + 1],
    world.UNKNOWN,
}
_PLAIN = {*world.SAYABLE, *"is plus minus".split(), *world.UNKNOWN.split()}


def picks(texts: Sequence[str], count: int, rng: Random) -> list[tuple[int, str]]:
    """Index and voice of what to say: by both voices the answers that are few and short or have
    words that lists and sums lack, then ``count`` of all.
    """
    chosen = []
    for i, text in enumerate(texts):
        times = TIMES if text in _SHORTEST else int(not _PLAIN.issuperset(text.split()))
        chosen += [(i, voice) for voice in VOICES] * times
    some = rng.sample(range(len(texts)), count)
    return chosen + [(index, VOICES[i % len(VOICES)]) for i, index in enumerate(some)]


@torch.inference_mode()
def main(arguments: Arguments) -> None:
    file = arguments.out / "recordings" / "train" / ECHOES
    if file.exists():
        return
    corpus, token2wav = Corpus.load(arguments.out / "codec" / "train"), token2wav_of(arguments.out)
    count, schedule = SHORT if arguments.short else ANSWERS, WaveSchedule.preset("balanced")
    chosen, waves = picks(corpus.texts, count, Random("echoes")), []
    for seed, (index, voice) in enumerate(tqdm(chosen, "echoes", disable=None)):
        codes = corpus.codes_of(index).tolist()
        wave = sound_of(token2wav, codes, voice, schedule, seed)
        waves.append(soxr.resample(wave, SPEECH_RATE, RATE).clip(-1, 1))
    save_waves(file, [corpus.texts[index] for index, _ in chosen], waves)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
