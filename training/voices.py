"""Synthetic speech of espeak-ng (GPL-3.0-or-later, as `pip install espeakng-loader`), by ctypes.

The library keeps one voice and one callback per process: one thread may speak at a time, and
``speak_all`` uses processes.
"""

import _ctypes
import ctypes
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context

import espeakng_loader
import numpy as np
import soxr

ESPEAK_RATE = 22_050
EDGE = 0.05  # seconds of near silence kept on either side
DITHER = 10 ** (-70 / 20)  # rms: digital silence has no logarithm worth learning
_SILENT = 0.01  # of the loudest sample
Seed = int | tuple[int, ...]

_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8 = 2, 1, 1
_RATE, _PITCH = 1, 3  # espeak_PARAMETER
_LIST_END, _WORD, _PHONEME = 0, 1, 7  # espeak_EVENT_TYPE
_IPA, _STRESS = 2, str.maketrans("", "", "ˈˌ")


@dataclass(frozen=True)
class Voice:
    """speed: words a minute. pitch: 0 to 99."""

    language: str
    variant: str
    speed: int = 150
    pitch: int = 50

    @property
    def name(self) -> str:
        return f"{self.language}+{self.variant}"


@dataclass(frozen=True)
class Speech:
    """samples: float32 [n] in [-1, 1]. times, words: where phonemes and words begin, seconds."""

    samples: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    words: np.ndarray = field(repr=False)


LANGUAGES = ("en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-029")  # "en" is British
_VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m8", "f1", "f2", "f3", "f4"),
    *("Andy", "Annie", "Gene", "linda", "Michael", "Mario", "Mike", "steph", "zac", "rob"),
    *("Alex", "Alicia", "Denis", "Diogo", "Henrique", "Hugo", "Jacky", "Marco", "Nguyen", "Storm"),
    *("adam", "anika", "antonio", "aunty", "benjamin", "boris", "caleb", "ed", "edward", "grandma"),
    *("grandpa", "ian", "klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "marcelo", "max"),
    *("michel", "miguel", "mike2", "norbert", "pablo", "paul", "pedro", "quincy", "robert"),
    *("sandro", "shelby", "travis", "john"),
)
_HELD_OUT = ("m7", "f5", "Lee", "Gene2", "belinda", "Andrea", "david", "victor")
QUESTION_VOICES = tuple(Voice(language, name) for language in LANGUAGES for name in _VARIANTS)
HELD_OUT_VOICES = tuple(Voice(language, name) for language in LANGUAGES for name in _HELD_OUT)
# One language and one speed: the phonemes of one text pair up.
REPLY_VOICES = {
    "Chelsie": Voice("en-us", "f3", 150, 55),
    "Ethan": Voice("en-us", "m3", 150, 45),
}


def question_voices(
    count: int, seed: int, pool: Sequence[Voice] = QUESTION_VOICES, speed: tuple = (120, 190)
) -> list[Voice]:
    """Voices of the pool in turn, each with its own speed and pitch."""
    generator = np.random.default_rng(seed)
    picks = generator.permuted(np.arange(count) % len(pool))
    speeds = generator.integers(*speed, count, endpoint=True)
    pitches = generator.integers(25, 75, count, endpoint=True)
    return [
        replace(pool[pick], speed=int(speed), pitch=int(pitch))
        for pick, speed, pitch in zip(picks, speeds, pitches, strict=True)
    ]


def speak(text: str, voice: Voice) -> Speech:
    """The text spoken, at ESPEAK_RATE, untrimmed."""
    with _Espeak() as espeak:
        return espeak.speak(text, voice)


def phonemes(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """How the reply voices' language says each word: IPA without stress."""
    with _Espeak() as espeak:
        espeak.choose(next(iter(REPLY_VOICES.values())).language)
        return {word: espeak.phonemes(word) for word in words}


def speak_all(
    lines: Sequence[tuple[str, Voice]], rate: int, workers: int = 2, seed: Seed = 0
) -> list[Speech]:
    """Each text spoken by its voice, at ``rate``, trimmed to EDGE on either side and dithered."""
    work = partial(_recording, rate=rate, seed=seed)
    if workers == 1:
        return list(map(work, range(len(lines)), lines))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return list(pool.map(work, range(len(lines)), lines, chunksize=32))


def _recording(index: int, line: tuple[str, Voice], rate: int, seed: Seed) -> Speech:
    speech = trimmed(speak(*line))
    samples = soxr.resample(speech.samples, ESPEAK_RATE, rate)
    noise = np.random.default_rng([*np.atleast_1d(seed), index]).normal(0, DITHER, len(samples))
    return replace(speech, samples=(samples + noise).clip(-1, 1).astype(np.float32))


def trimmed(speech: Speech) -> Speech:
    """EDGE seconds before the first and after the last sound; times move along."""
    level = np.abs(speech.samples)
    loud = np.flatnonzero(level > _SILENT * level.max())
    edge = round(EDGE * ESPEAK_RATE)
    padded = np.pad(speech.samples, edge)  # sound from loud[0] + edge on
    kept = padded[loud[0] : loud[-1] + 2 * edge + 1]
    later, end = (edge - loud[0]) / ESPEAK_RATE, len(kept) / ESPEAK_RATE
    return Speech(kept, *((at + later).clip(0, end) for at in (speech.times, speech.words)))


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Espeak:
    """The library freshly loaded: its oscillators and random numbers start where they always do.

    Otherwise a recording would depend on what was said before it.
    """

    def __init__(self) -> None:
        self._pieces: list[np.ndarray] = []
        self._starts: dict[int, list[int]] = {_WORD: [], _PHONEME: []}  # samples, of each event

    def __enter__(self) -> "_Espeak":
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS)
        if rate != ESPEAK_RATE:
            raise RuntimeError(f"espeak-ng gives {rate} samples a second, not {ESPEAK_RATE}")
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._callback = _Callback(self._hear)  # the library keeps no reference
        self._library.espeak_SetSynthCallback(self._callback)
        return self

    def __exit__(self, *_: object) -> None:
        self._library.espeak_Terminate()
        _ctypes.dlclose(self._library._handle)

    def choose(self, voice: str) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"espeak-ng has no voice {voice}")

    def speak(self, text: str, voice: Voice) -> Speech:
        self.choose(voice.name)
        self._library.espeak_SetParameter(_RATE, voice.speed, 0)
        self._library.espeak_SetParameter(_PITCH, voice.pitch, 0)
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 0, 0, _UTF8, None, None)
        if not self._pieces:
            raise ValueError(f"espeak-ng finds nothing to say in {text!r}")
        samples = np.concatenate(self._pieces).astype(np.float32) / 32768
        times, words = (
            np.array(self._starts[kind], np.float64) / ESPEAK_RATE for kind in (_PHONEME, _WORD)
        )
        return Speech(samples, times, words)

    def phonemes(self, word: str) -> tuple[str, ...]:
        spell = self._library.espeak_TextToPhonemes
        spell.restype = ctypes.c_char_p
        text = ctypes.c_char_p(word.encode())
        said = spell(ctypes.byref(text), _UTF8, _IPA | ord("_") << 8).decode()
        return tuple(said.translate(_STRESS).split("_"))

    def _hear(self, wave, count: int, events) -> int:
        """espeak_SetSynthCallback's: 0 to go on."""
        if wave and count:
            self._pieces.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type != _LIST_END:
            if events[index].type in self._starts:
                self._starts[events[index].type].append(events[index].sample)
            index += 1
        return 0
