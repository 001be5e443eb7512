"""When each word of an answer begins, from the synthesiser's own events."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from .voices import ESPEAK_RATE, REPLY_VOICES, _Espeak, trimmed

_LIST_END, _WORD = 0, 1  # espeak_EVENT_TYPE


class _Words(_Espeak):
    """Keeps the sample where each word begins."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[int] = []

    def _hear(self, wave, count: int, events) -> int:
        index = 0
        while events[index].type != _LIST_END:
            if events[index].type == _WORD:
                self.words.append(events[index].sample)
            index += 1
        return super()._hear(wave, count, events)


def word_times(text: str) -> np.ndarray:
    """Seconds where each word begins, in the trimmed recording of the codec's first voice."""
    with _Words() as espeak:
        speech = espeak.speak(text, next(iter(REPLY_VOICES.values())))
        starts = np.array(espeak.words) / ESPEAK_RATE
    return trimmed(speech.samples, starts)[1]


def all_word_times(texts: Sequence[str], workers: int = 1) -> list[np.ndarray]:
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return list(pool.map(word_times, texts, chunksize=32))
