"""``omnirt quantize``: what it writes, what a killed run leaves, what it refuses."""

import errno
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from omnirt import ops
from omnirt.cli import main
from omnirt.errors import CheckpointError, InputError
from omnirt.evaluation.run import evaluate
from omnirt.evaluation.study import Limits
from omnirt.formats import FORMATS, Quantized
from omnirt.quantization.run import quantize
from omnirt.weights.checkpoint import Checkpoint
from omnirt.weights.names import in_part

PARTS = {"thinker": "int4", "talker": "int8", "token2wav": "int8"}


@pytest.fixture
def questions(tmp_path) -> Path:
    folder = tmp_path / "questions"
    folder.mkdir()
    (folder / "a.txt").write_text("What is it?")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", ["tiny", "odd"])
@pytest.mark.parametrize("encoders", [{}, {"encoders": "int8"}])
def test_the_copy_holds_what_quantizing_gives(checkpoint, tmp_path, name, encoders):
    source, made = checkpoint(name), tmp_path / "made"
    quantize(str(source), str(made), PARTS | encoders)
    full, small = Checkpoint.open(source), Checkpoint.open(made)
    small.verify()
    assert {"talker.codec_head.weight", "thinker.model.embed_tokens.weight"} <= set(small.quantized)
    assert small.config.quantization.token2wav == "int8"
    formats = {"thinker.model.layers": "int4", "thinker.lm_head": "int4", "talker": "int8"}
    for weight in [n for part in ("thinker", "talker", "token2wav") for n in full.names(part)]:
        found, stored = small.weight(weight), full.weight(weight)
        if weight not in small.quantized:
            assert torch.equal(found, stored), weight
            continue
        format = next((f for p, f in formats.items() if in_part(weight, p)), "int8")
        want = ops.quantize(stored, FORMATS[format])
        assert isinstance(found, Quantized)
        assert torch.equal(found.dequantize(), want.dequantize()), weight
    others = {p.name for p in source.iterdir()} - {"model.safetensors", "config.json"}
    assert all((made / n).read_bytes() == (source / n).read_bytes() for n in others)
    assert [p.name for p in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize(("thinker", "method"), [("int4", "gptq"), ("int4-zero", "gptq_v2")])
def test_gptq_readers_find_their_keys(checkpoint, tmp_path, thinker, method):
    quantize(str(checkpoint("tiny")), str(tmp_path / "made"), {"thinker": thinker})
    told = json.loads((tmp_path / "made" / "config.json").read_text())["quantization_config"]
    assert (told["quant_method"], told["bits"], told["group_size"]) == ("gptq", 4, 128)
    assert (told["sym"], told["checkpoint_format"]) == (thinker == "int4", method)
    made = Checkpoint.open(tmp_path / "made")
    assert "thinker.model.layers.0.mlp.up_proj.qweight" in made
    assert "talker.model.layers.0.mlp.up_proj.weight" in made


UNHEARD = {
    "c": "Write about the sea in winter, and how to cross it.",
    "d": "Name three birds that a child may know.",
    "e": "Why does bread rise before it is baked?",
    "f": "How far is the next village from the bridge?",
}


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_calibrated_methods_are_closer_to_the_full_model(checkpoint, questions, tmp_path, method):
    """On questions that calibration did not hear, text and speech; both parts in INT4."""
    (questions / "b.txt").write_text("Tell me a story about a horse that could see the moon.")
    unheard = tmp_path / "unheard"
    unheard.mkdir()
    for name, text in UNHEARD.items():
        (unheard / f"{name}.txt").write_text(text)
    source, lost = str(checkpoint("tiny")), {}
    parts = {"thinker": "int4", "talker": "int4"}
    for name, folder in (("rtn", None), (method, str(questions))):
        quantize(source, str(tmp_path / name), parts, name, folder)
        found = evaluate(source, str(tmp_path / name), str(unheard), limits=Limits(48, 96))
        lost[name] = found["measures"]
    for measure in ("text: KL (nats)", "codec: KL (nats)"):
        assert 0 < lost[method][measure] < 0.9 * lost["rtn"][measure], measure


KILLED = """
import os, signal, sys
from pathlib import Path
from omnirt.quantization import work
from omnirt.cli import main

left, write = int(sys.argv[1]), work.write_shard

def write_shard(path, tensors):
    global left
    write(path, tensors)
    left -= 1
    if left < 0:
        os.truncate(path, path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

work.write_shard = write_shard
main(sys.argv[2:])
"""


@pytest.mark.parametrize(("method", "shards"), [("rtn", 0), ("rtn", 5), ("gptq", 4), ("gptq", 9)])
def test_a_killed_run_goes_on(checkpoint, questions, tmp_path, method, shards, monkeypatch, capsys):
    whole, target = tmp_path / "whole", tmp_path / "made"
    options = ["--thinker", "int4", "--talker", "int8", "--method", method]
    options += [] if method == "rtn" else ["--calibration", str(questions)]
    command = ["quantize", str(checkpoint("tiny")), str(target), *options]
    died = subprocess.run([sys.executable, "-c", KILLED, str(shards), *command])
    assert died.returncode == -signal.SIGKILL
    work = tmp_path / ".made.unfinished"
    for folder in (target, work, work / "model"):
        with pytest.raises(CheckpointError, match="not finished; give the same omnirt quantize"):
            Checkpoint.open(folder)
    kept = {p.name: p.stat().st_mtime_ns for p in (work / "model").glob("*.safetensors")}
    assert len(kept) == shards + 1
    assert main(command) == 0
    again = {n: t for n, t in kept.items() if (target / n).stat().st_mtime_ns != t}
    assert len(again) == 1  # the half that was being written
    assert main(["quantize", str(checkpoint("tiny")), str(whole), *options]) == 0
    assert contents(target) == contents(whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "questions", "whole"]


def unfinished(checkpoint, tmp_path) -> list[str]:
    command = ["quantize", str(checkpoint("tiny")), str(tmp_path / "made"), "--thinker", "int4"]
    subprocess.run([sys.executable, "-c", KILLED, "3", *command])
    return command


def test_damage_to_what_was_done_is_mended(checkpoint, tmp_path, caplog):
    command = unfinished(checkpoint, tmp_path)
    shard = tmp_path / ".made.unfinished" / "model" / "model-00002-of-00014.safetensors"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert main(command) == 0
    assert "damaged, made anew" in caplog.text
    quantize(str(checkpoint("tiny")), str(tmp_path / "whole"), {"thinker": "int4"})
    assert contents(tmp_path / "made") == contents(tmp_path / "whole")


def test_another_choice_does_not_go_on(checkpoint, tmp_path, capsys):
    command = unfinished(checkpoint, tmp_path)
    assert main([*command[:-1], "int8"]) == 2
    assert (
        "unfinished with another choice of formats; give the same again" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("parts", "more", "message"),
    [
        ({"thinker": "int3"}, {}, r"quantization\['thinker'\]='int3': use one of 'int8'"),
        ({"ears": "int8"}, {}, "quantization='ears': its parts are"),
        ({"token2wav": "int4"}, {}, r"quantization\['token2wav'\]='int4': use one of"),
        ({"kv_cache": "int8"}, {}, r"quantization\['kv_cache'\]='int8': files hold no cache"),
        ({}, {}, "name at least one part"),
        (PARTS, {"method": "magic"}, "method='magic': use one of rtn, gptq, awq"),
        (PARTS, {"method": "gptq"}, "calibration=None with method='gptq': gptq and awq need"),
        (PARTS, {"calibration": "x"}, "calibration='x' with method='rtn'"),
        (PARTS, {"method": "awq", "calibration": "nowhere"}, "folder='nowhere': holds no .txt"),
    ],
)
def test_bad_choices_leave_nothing(checkpoint, tmp_path, parts, more, message):
    with pytest.raises(InputError, match=message):
        quantize(str(checkpoint("tiny")), str(tmp_path / "made"), parts, **more)
    assert not list(tmp_path.iterdir())


def test_bad_part_on_the_command_line(checkpoint, tmp_path, capsys):
    command = ["quantize", str(checkpoint("tiny")), str(tmp_path / "made"), "--part"]
    assert main([*command, "thinker.lm_head"]) == 2
    assert "part='thinker.lm_head': write it as thinker.lm_head=int8" in capsys.readouterr().err
    assert main([*command, "thinker.lm_head=int8"]) == 0
    assert set(Checkpoint.open(tmp_path / "made").quantized) == {"thinker.lm_head.weight"}


def test_what_is_there_is_not_touched(checkpoint, tmp_path):
    (tmp_path / "made").mkdir()
    with pytest.raises(InputError, match="made': is there already; remove it or name another"):
        quantize(str(checkpoint("tiny")), str(tmp_path / "made"), PARTS)


def test_a_quantized_checkpoint_is_refused(checkpoint, tmp_path):
    quantize(str(checkpoint("tiny")), str(tmp_path / "made"), PARTS)
    with pytest.raises(InputError, match="is quantized already; start from the full"):
        quantize(str(tmp_path / "made"), str(tmp_path / "twice"), PARTS)
    assert [p.name for p in tmp_path.iterdir()] == ["made"]


def test_no_room_is_told_before_anything_is_written(checkpoint, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="GB are to be written, 0.00 GB are free"):
        quantize(str(checkpoint("tiny")), str(tmp_path / "made"), PARTS)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk_fills_up(checkpoint, small_disk, monkeypatch):
    plenty = shutil.disk_usage(small_disk)._replace(free=1 << 40)
    monkeypatch.setattr("shutil.disk_usage", lambda path: plenty)
    with pytest.raises(InputError, match="No space left on device; give it room"):
        quantize(str(checkpoint("tiny")), str(small_disk / "made"), PARTS)
    assert [p.name for p in small_disk.iterdir()] == [".made.unfinished"]
    with pytest.raises(CheckpointError, match="is not finished"):
        Checkpoint.open(small_disk / "made")


def test_a_disk_that_fills_up_keeps_what_is_done(checkpoint, tmp_path, monkeypatch):
    from omnirt.quantization import work

    write, left = work.write_shard, [4]

    def full(path, tensors):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, tensors)

    monkeypatch.setattr(work, "write_shard", full)
    with pytest.raises(InputError, match="No space left on device; give it room"):
        quantize(str(checkpoint("tiny")), str(tmp_path / "made"), PARTS)
    left[0] = 10**6
    quantize(str(checkpoint("tiny")), str(tmp_path / "made"), PARTS)
    assert 10**6 - left[0] == len(list((tmp_path / "made").glob("*.safetensors"))) - 4
    Checkpoint.open(tmp_path / "made").verify()


def test_a_part_that_is_not_there_is_refused(checkpoint, tmp_path):
    source = shutil.copytree(checkpoint("tiny"), tmp_path / "text")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"enable_audio_output": False}))
    tensors = load_file(source / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if "thinker." in n}, source / "model.safetensors")
    with pytest.raises(InputError, match="has no such part, leave it out"):
        quantize(str(source), str(tmp_path / "made"), PARTS)
    quantize(str(source), str(tmp_path / "made"), {"thinker": "int4"})
    Checkpoint.open(tmp_path / "made").verify(talker=False)


def test_two_runs_do_not_write_the_same(checkpoint, tmp_path, monkeypatch):
    from omnirt.quantization import work

    write, told = work.write_shard, []

    def again(path, tensors):
        if not told:
            told.append("")
            with pytest.raises(InputError, match="another run is writing it") as refused:
                quantize(str(checkpoint("tiny")), str(tmp_path / "made"), PARTS)
            told.append(str(refused.value))
        write(path, tensors)

    monkeypatch.setattr(work, "write_shard", again)
    quantize(str(checkpoint("tiny")), str(tmp_path / "made"), PARTS)
    assert len(told) == 2
