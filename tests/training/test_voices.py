"""Synthetic speech: the same for the same words and voice, trimmed, at the rate asked for."""

import itertools

import numpy as np
import pytest

pytest.importorskip("espeakng_loader")

from training.voices import (
    EDGE,
    ESPEAK_RATE,
    HELD_OUT_VOICES,
    LANGUAGES,
    QUESTION_VOICES,
    REPLY_VOICES,
    Voice,
    question_voices,
    speak,
    speak_all,
)


def test_phonemes_of_the_reply_voices_pair_up():
    spoken = [speak("twelve minus five is seven", voice) for voice in REPLY_VOICES.values()]
    first, second = (speech.times for speech in spoken)
    assert len(first) == len(second) > 15
    for speech in spoken:
        assert (np.diff(speech.times) >= 0).all()
        assert speech.times[-1] <= len(speech.samples) / ESPEAK_RATE


def test_a_recording_does_not_depend_on_what_was_said_before():
    voice = Voice("en-us", "m3")
    alone = speak("a red circle", voice)
    speak("something else", Voice("en", "f2", 180, 70))
    assert np.array_equal(alone.samples, speak("a red circle", voice).samples)


def test_speed_and_pitch_change_the_recording():
    slow, fast = (speak("a red circle", Voice("en-us", "m3", speed)) for speed in (120, 180))
    assert len(slow.samples) > 1.2 * len(fast.samples)
    low, high = (speak("a red circle", Voice("en-us", "m3", pitch=pitch)) for pitch in (20, 80))
    assert not np.array_equal(low.samples[:8000], high.samples[:8000])


def test_recordings_are_trimmed_and_never_silent():
    rate = 24_000
    (speech,) = speak_all([("a red circle", REPLY_VOICES["Ethan"])], rate, workers=1)
    assert speech.samples.dtype == np.float32
    edges = speech.samples[: round(0.8 * EDGE * rate)], speech.samples[-round(0.8 * EDGE * rate) :]
    for edge in edges:
        assert 1e-4 < np.sqrt(np.mean(edge**2)) < 2e-3
    assert np.abs(speech.samples).max() > 0.3
    assert 0 < speech.times[0] < 2 * EDGE


def test_workers_do_not_change_the_recordings():
    lines = [("two", voice) for voice in question_voices(4, seed=1)]
    alone, together = (speak_all(lines, 16_000, workers) for workers in (1, 2))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.samples, other.samples)


def test_every_voice_exists_and_none_is_in_both_pools():
    variants = len(QUESTION_VOICES) // len(LANGUAGES)
    pools = QUESTION_VOICES[:variants], QUESTION_VOICES[::variants], HELD_OUT_VOICES[:8]
    for voice in itertools.chain(*pools):
        assert np.abs(speak("yes", voice).samples).max() > 0.1
    assert not {v.variant for v in QUESTION_VOICES} & {v.variant for v in HELD_OUT_VOICES}
    with pytest.raises(ValueError, match="xx"):
        speak("yes", Voice("xx", "m1"))


def test_words_begin_one_after_another():
    speech = speak("twelve minus five is seven", REPLY_VOICES["Ethan"])
    assert len(speech.words) == 5
    assert (np.diff(speech.words) > 0.1).all()
    assert speech.words[-1] < speech.times[-1]
