"""What recordings go through before they are heard, and the model's own speech among them."""

from random import Random

import numpy as np
import pytest

pytest.importorskip("espeakng_loader", reason="the training's voices need espeakng-loader")
pytest.importorskip("transformers", reason="training needs transformers")

from training import echoes, recordings
from training.config import VOICES
from training.examples import in_room, noisy


def test_a_room_is_heard_around_the_speech():
    samples = np.full(1000, 8000, np.int16)
    padded = in_room(samples, Random(3))
    speech = np.flatnonzero(padded)
    assert len(padded) > len(samples) == len(speech) == np.ptp(speech) + 1
    assert np.count_nonzero(noisy(padded, Random(4))) == len(padded)


def test_echoes_hold_what_lists_and_sums_lack():
    texts = ["two cats", "red star", "one plus two is three", "up", "three red stars", "a bell"]
    chosen = echoes.picks(texts, 2, Random(0))
    few, rest = chosen[:-2], chosen[-2:]
    times = {text: sum(texts[i] == text for i, _ in few) for text in texts}
    both = len(VOICES)
    assert times == {texts[0]: both, texts[1]: 0, texts[2]: 0} | {
        "up": echoes.TIMES * both,
        "three red stars": both,
        "a bell": echoes.TIMES * both,
    }
    assert [voice for _, voice in rest] == list(VOICES)


def test_waves_are_kept_by_text(tmp_path):
    waves = [np.float32([0.5, -0.5]), np.float32([0.25]), np.float32([1, 0, -1])]
    recordings.save_waves(tmp_path / recordings.ECHOES, ["up", "down", "up"], waves)
    recordings.save_waves(tmp_path / recordings.FILE, ["up"], waves[:1], **_a_clip())
    loaded = recordings.Recordings.load(tmp_path).waves
    assert [len(wave) for wave in loaded["up"]] == [2, 2, 3]
    assert loaded["down"][0].tolist() == [8191]


def _a_clip() -> dict[str, np.ndarray]:
    names = np.array([("red", "star", "up", "bell")])
    return {"seen": names, "files": np.zeros(3, np.uint8), "files_ends": np.array([3])}
