"""``omnirt demo``: the shipped model answers the shipped questions right, in text and in speech."""

import os
import subprocess
import sys
import wave

import pytest

from omnirt import OmniRuntime, demo
from omnirt.cli import main
from omnirt.console import write_wav

VOICES = ("Chelsie", "Ethan")
SECONDS = 10.0  # of the whole demo, on two cores
UNHEARD = {"clip-heard"}  # its ears do not make out the names of sounds in its own voices


@pytest.fixture(scope="module")
def runtime():
    with OmniRuntime.from_pretrained(str(demo.model_folder())) as found:
        yield found


@pytest.fixture(scope="module")
def replies(runtime):
    """(example, voice, reply) of all examples by both voices."""
    return [
        (asked, voice, demo.answer(runtime, asked, voice, seed=0))
        for asked in demo.examples()
        for voice in VOICES
    ]


def test_examples_are_of_every_kind():
    given = [set(asked.given) for asked in demo.examples()]
    assert {kind for kinds in given for kind in kinds} == {"text", "audio", "image", "video"}


def test_text_is_right(replies):
    assert [reply.text for *_, reply in replies] == [asked.answer for asked, *_ in replies]


def test_speech_says_the_text(runtime, replies, tmp_path):
    """As the model itself hears it, which does not know what was said."""
    wrong = []
    for i, (asked, voice, reply) in enumerate(replies):
        path = str(tmp_path / f"{i}.wav")
        write_wav(path, reply.audio, reply.sample_rate)
        heard = demo.heard(runtime, path)
        if asked.name not in UNHEARD and heard != reply.text:
            wrong.append((asked.name, voice, heard))
    assert not wrong


def test_replies_end_by_themselves(replies):
    assert max(len(reply.codec_ids) for *_, reply in replies) < demo.CODES - 1


def test_whole_demo_takes_less_than_ten_seconds(tmp_path):
    """Seconds of its process on one core, so that neighbours do not count."""
    before = os.times()
    command = [sys.executable, "-m", "omnirt", "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = os.times()
    took = sum(after[2:4]) - sum(before[2:4])
    assert took <= SECONDS
    for asked in demo.examples():
        assert f"answer: {asked.answer}\n" in done.stdout
        with wave.open(str(tmp_path / f"{asked.name}.wav")) as file:
            assert file.getnframes() > 0
    assert done.stdout.count("first audio code") == len(demo.examples())


def test_own_question(tmp_path, capsys):
    assert main(["demo", "--type", "what is three plus four", "--out", str(tmp_path)]) == 0
    assert "answer: three plus four is seven" in capsys.readouterr().out
    assert (tmp_path / "answer.wav").exists()


def test_own_sound_is_written_down(tmp_path, capsys):
    asked = next(asked for asked in demo.examples() if asked.name == "sum")
    assert main(["demo", "--audio", asked.audio, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"answer: {asked.answer}" in shown
    assert "heard: " in shown


def test_unwritable_folder(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    assert main(["demo", "--type", "one plus one", "--out", str(file / "out")]) == 2
    assert f"out={str(file / 'out')!r}" in capsys.readouterr().err
