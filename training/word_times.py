"""When each word of an answer begins, from the synthesiser's own events."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from .voices import REPLY_VOICES, speak, trimmed


def word_times(text: str) -> np.ndarray:
    """Seconds where each word begins, in the trimmed recording of the codec's first voice."""
    return trimmed(speak(text, next(iter(REPLY_VOICES.values())))).words


def all_word_times(texts: Sequence[str], workers: int = 1) -> list[np.ndarray]:
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return list(pool.map(word_times, texts, chunksize=32))
