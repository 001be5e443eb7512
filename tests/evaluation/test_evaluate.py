"""``omnirt eval`` on small random checkpoints."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from omnirt.cli import main
from omnirt.errors import CheckpointError, InputError
from omnirt.evaluation.run import evaluate
from omnirt.evaluation.study import Limits
from omnirt.quantization.run import quantize

SHORT = Limits(tokens=12, codes=30)


@pytest.fixture
def data(tmp_path, assets):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_text("What is it?")
    shutil.copy(assets / "question.wav", folder / "b.wav")
    return str(folder)


def test_a_model_equals_itself(checkpoint, data):
    folder = str(checkpoint("tiny"))
    result = evaluate(folder, folder, data, limits=SHORT)
    measures = result["measures"]
    assert (result["tokens"], result["codes"]) == (24, 58)
    assert result["conversations"] == ["a", "b"]
    for name, value in measures.items():
        assert value == (0 if "KL" in name or "distance" in name else 1), name
    assert len(measures) == 11


@pytest.mark.parametrize("part", ["thinker.model", "talker", "token2wav.code2wav_bigvgan_model"])
def test_what_is_changed_is_what_is_seen(checkpoint, data, tmp_path, part):
    folder = tmp_path / "changed"
    shutil.copytree(checkpoint("tiny"), folder)
    tensors = load_file(folder / "model.safetensors")
    noise = torch.Generator().manual_seed(0)
    for name, tensor in tensors.items():
        if name.startswith(part) and tensor.dim() == 2 + ("bigvgan" in part):
            change = 0.3 * tensor.float().std() * torch.randn(tensor.shape, generator=noise)
            tensors[name] = (tensor + change).to(tensor.dtype)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    found = evaluate(str(checkpoint("tiny")), str(folder), data, limits=SHORT)["measures"]
    thinker, talker, sound = (part.startswith(p) for p in ("thinker", "talker", "token2wav"))
    assert (found["text: KL (nats)"] > 1e-3) == thinker
    assert (found["text: agreement"] < 1) == thinker
    assert (found["codec: KL (nats)"] > 1e-3) == talker
    assert (found["codec, own thinker: KL (nats)"] > 1e-3) == (thinker or talker)
    assert (found["log-mel distance (dB)"] > 0.1) == sound


def test_quantized_on_disk_equals_quantized_on_the_fly(checkpoint, data, tmp_path):
    source, parts = str(checkpoint("tiny")), {"thinker": "int4", "talker": "int8"}
    quantize(source, str(tmp_path / "made"), parts)
    disk = evaluate(source, str(tmp_path / "made"), data, limits=SHORT)
    fly = evaluate(source, source, data, quantization=parts, limits=SHORT)
    assert disk["measures"] == fly["measures"]
    assert 0 < disk["measures"]["codec: KL (nats)"] < disk["measures"]["text: KL (nats)"]
    assert disk["quantized"]["bytes"] < disk["full"]["bytes"]


def test_command_writes_a_table_and_json(checkpoint, data, assets, tmp_path, capsys):
    chapter = tmp_path / "speech" / "1" / "2"
    chapter.mkdir(parents=True)
    (chapter / "1-2.trans.txt").write_text("1-2-0 HELLO THERE\n")
    shutil.copy(assets / "question.wav", chapter / "1-2-0.wav")
    folder, out = str(checkpoint("tiny")), tmp_path / "out.json"
    limits = ["--max-new-tokens", "4", "--max-codes", "6"]
    options = ["--data", data, "--librispeech", str(tmp_path / "speech"), "--json", str(out)]
    assert main(["eval", folder, folder, *limits, *options]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == "|---|---|---|"
    assert any(line.startswith("| word error rate | ") for line in shown)
    assert "| text: agreement |  | 1 |" in shown
    told = json.loads(out.read_text())
    assert told["full"]["word error rate"] == told["quantized"]["word error rate"] > 0


def test_bad_arguments(checkpoint, tmp_path):
    folder = str(checkpoint("tiny"))
    with pytest.raises(InputError, match="holds no .txt"):
        evaluate(folder, folder, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="has no speaker/chapter"):
        evaluate(folder, folder, librispeech=str(tmp_path))
    with pytest.raises(CheckpointError, match="model='nowhere': no such folder"):
        evaluate("nowhere", folder)
