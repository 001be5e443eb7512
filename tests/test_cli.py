"""The command line: what it prints, writes and answers."""

import json
import os
import wave

import pytest

from omnirt.cli import main


def ask(folder, *more: str) -> list[str]:
    return ["run", "--model", str(folder), "--seed", "1", "--max-new-tokens", "6", *more]


def test_run_prints_text_and_writes_speech(checkpoint, assets, tmp_path, capsys):
    out = tmp_path / "reply.wav"
    picture, clip, film = (str(assets / n) for n in ("picture.png", "question.wav", "video.mp4"))
    files = ("--image", picture, "--audio", clip, "--video", film, "--use-audio-in-video")
    limits = ("--max-codes", "10", "--voice", "Ethan", "--out", str(out))
    assert main(ask(checkpoint("tiny"), "--text", "What is it?", *files, *limits)) == 0
    shown = capsys.readouterr()
    stages = ("load", "prefill", "first text", "first audio code", "first audio", "total")
    for stage in (*stages, "real-time factor", "underruns"):
        assert stage in shown.out
    assert "reply.wav" in shown.err
    with wave.open(str(out)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2)
        assert file.getnframes() > 0


def test_run_json_is_one_event_a_line(checkpoint, capsys):
    assert main(ask(checkpoint("tiny"), "--text", "Hi", "--max-codes", "10", "--json")) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["event"] for event in events} == {"text", "audio", "done"}
    times = [event["time"] for event in events]
    assert times == sorted(times)
    stats = events[-1]["stats"]
    assert stats["text_tokens"] == 6
    told = {"event", "sample_rate", *stats["chunks"][0]}
    audio = [event for event in events if event["event"] == "audio"]
    assert all(set(event) == told for event in audio)
    assert [event["start"] for event in audio] == [chunk["start"] for chunk in stats["chunks"]]
    assert {"codes", "lookahead", "solve", "vocode"} < told
    assert {"real_time_factor", "underruns", "underrun_seconds"} < set(stats)


def test_run_without_audio(checkpoint, capsys):
    assert main(ask(checkpoint("tiny"), "--text", "Hi", "--no-audio")) == 0
    assert "first audio" not in capsys.readouterr().out


@pytest.mark.parametrize("word", ["int4", "thinker=int8, talker=int4-32,token2wav=int8"])
def test_run_quantized(checkpoint, capsys, word):
    more = ("--text", "Hi", "--max-codes", "4", "--quantization", word)
    assert main(ask(checkpoint("tiny"), *more)) == 0
    assert "total" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["int3", "thinker=int3", "ear=int8", "thinker="])
def test_unknown_quantization(checkpoint, capsys, word):
    assert main(ask(checkpoint("tiny"), "--text", "Hi", "--quantization", word)) == 2
    assert "omnirt: quantization" in capsys.readouterr().err


def test_errors_are_one_line_and_status_2(checkpoint, capsys):
    assert main(ask(checkpoint("tiny"), "--audio", "/nowhere.wav")) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("omnirt: ")
    assert "/nowhere.wav" in shown


def test_unwritable_output(checkpoint, tmp_path, capsys):
    out = str(tmp_path / "no" / "reply.wav")
    assert main(ask(checkpoint("tiny"), "--text", "Hi", "--max-codes", "4", "--out", out)) == 2
    assert out in capsys.readouterr().err


def test_info_of_machine_and_model(checkpoint, capsys):
    assert main(["info"]) == 0
    machine = capsys.readouterr().out
    assert "cores" in machine
    assert "kernels" in machine
    assert main(["info", str(checkpoint("tiny"))]) == 0
    assert "peak" in capsys.readouterr().out


@pytest.mark.parametrize("threads", [None, "1", "6"])
def test_info_tells_who_shares_the_cores(threads, monkeypatch, capsys):
    monkeypatch.delenv("OMNIRT_THREADS", raising=False)
    if threads is not None:
        monkeypatch.setenv("OMNIRT_THREADS", threads)
    cores = int(threads or len(os.sched_getaffinity(0)))
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert f"{cores} cores, helping threads: {cores - 1}; a lane that" in shown
    assert all(lane in shown for lane in ("thinker", "talker", "wave", "equal parts"))


def test_info_needs_only_the_config(checkpoint, tmp_path, capsys):
    (tmp_path / "config.json").write_text((checkpoint("tiny-7b") / "config.json").read_text())
    assert main(["info", str(tmp_path)]) == 0
    assert "weights" in capsys.readouterr().out


def test_no_command_is_usage(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "demo" in capsys.readouterr().err
