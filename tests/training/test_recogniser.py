"""The listener, barely trained."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("espeakng_loader")

from training import recogniser, world
from training.config import Budget
from training.recogniser import Listener, Recogniser, Size


def test_repeated_words_need_a_pause(monkeypatch, tmp_path):
    """What is heard twice in a row is one word, unless nothing lies between."""
    listener = Listener(2)
    told = torch.nn.functional.one_hot(torch.tensor([[0, 1, 1, 0, 1, 2, 0]]), 3).float()
    monkeypatch.setattr(listener, "forward", lambda mels: told)
    assert Recogniser(listener, ["one", "two"]).hear_mel(torch.zeros(28, 80)) == "one one two"


def test_learns_and_loads(tmp_path):
    folder = tmp_path / "recogniser"
    recogniser.learn(folder, Size(8, 2, Budget(50, 2, 2e-3)))
    curve = json.loads((folder / "curve.json").read_text())
    assert np.mean([point["loss"] for point in curve]) < 12
    heard = Recogniser.load(folder).hear(np.zeros(24_000, np.float32))
    assert set(heard.split()) <= set(world.WORDS)
