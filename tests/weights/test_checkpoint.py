"""Opening checkpoints: what is stored comes back unchanged and unmoved; damage is named."""

import json
import os
import re
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file

from memory import resident
from omnirt import _core
from omnirt.errors import CheckpointError
from omnirt.weights.checkpoint import Checkpoint, read_config
from omnirt.weights.random_checkpoint import write_random_checkpoint
from omnirt.weights.tensor_files import INDEX_FILE, SINGLE_FILE


@pytest.fixture
def copied(checkpoint, tmp_path) -> Path:
    """A tiny checkpoint to damage."""
    return Path(shutil.copytree(checkpoint("tiny"), tmp_path / "model"))


def rewrite(folder: Path, **changes: torch.Tensor | None) -> None:
    """Replace tensors of the single file (keys with "__" for dots); None removes one."""
    tensors = load_file(folder / SINGLE_FILE)
    for key, value in changes.items():
        name = key.replace("__", ".")
        tensors = {k: v for k, v in tensors.items() if k != name}
        tensors |= {} if value is None else {name: value}
    save_file(tensors, folder / SINGLE_FILE, metadata={"format": "pt"})


def truncate(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


class MakesFolder:
    """A pickle that runs code when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def save_speakers(folder: Path, **changes: object) -> None:
    voice = {"bos_token": 700, "cond": torch.zeros(1, 192), "ref_mel": torch.zeros(1, 9, 80)}
    torch.save({"Voice": {**voice, **changes}}, folder / "spk_dict.pt")


def write_index(folder: Path, files: object) -> None:
    (folder / SINGLE_FILE).unlink()
    (folder / INDEX_FILE).write_text(json.dumps({"weight_map": files}))


NORM = torch.ones(256, dtype=torch.bfloat16)

# what is done to the folder, what the message must say
DAMAGE = {
    "truncated": (lambda f: truncate(f / SINGLE_FILE, 1_000_000), "model.safetensors: truncated"),
    "header cut": (lambda f: truncate(f / SINGLE_FILE, 100), "model.safetensors: truncated"),
    "empty file": (lambda f: truncate(f / SINGLE_FILE, 0), "model.safetensors: truncated"),
    "no tensors": (lambda f: (f / SINGLE_FILE).unlink(), "has neither model.safetensors nor"),
    "shard absent": (
        lambda f: write_index(f, {"a": "model-00001-of-00002.safetensors"}),
        "names files that are not there: model-00001-of-00002.safetensors",
    ),
    "bad index": (lambda f: write_index(f, ["a"]), "weight_map must map tensor names to files"),
    "missing": (
        lambda f: rewrite(f, talker__model__norm__weight=None, thinker__lm_head__weight=None),
        "2 tensors do not fit[^$]*missing: thinker.lm_head.weight\n  missing: talker.model.norm",
    ),
    "unexpected": (
        lambda f: rewrite(f, thinker__extra=NORM),
        "1 tensors do not fit[^$]*unexpected: thinker.extra",
    ),
    "misshapen": (
        lambda f: rewrite(f, thinker__model__norm__weight=NORM[:255].clone()),
        r"misshapen: thinker.model.norm.weight is \[255\], must be \[256\]",
    ),
    "wrong dtype": (
        lambda f: rewrite(f, thinker__model__norm__weight=NORM.to(torch.int8)),
        "wrong dtype: thinker.model.norm.weight is I8, use BF16 or F16 or F32",
    ),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json: no such file"),
    "config cut": (lambda f: truncate(f / "config.json", 99), "config.json: not readable as JSON"),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), "holds no JSON object"),
    "no voices file": (lambda f: (f / "spk_dict.pt").unlink(), "talker=False"),
    "voices cut": (lambda f: truncate(f / "spk_dict.pt", 999), "spk_dict.pt: damaged"),
    "voices empty": (lambda f: truncate(f / "spk_dict.pt", 0), "spk_dict.pt: damaged"),
    "no voice": (lambda f: torch.save({}, f / "spk_dict.pt"), "holds no voices"),
    "voice incomplete": (
        lambda f: torch.save({"V": {"cond": NORM}}, f / "spk_dict.pt"),
        "V: must hold bos_token, cond and ref_mel",
    ),
    "voice id": (lambda f: save_speakers(f, bos_token=768), "bos_token=768: must be an id below"),
    "voice vector": (lambda f: save_speakers(f, cond=torch.zeros(1, 191)), r"cond=\[1, 191\]"),
    "voice vectors": (lambda f: save_speakers(f, cond=torch.zeros(2, 192)), "must hold 192"),
    "voice mel": (lambda f: save_speakers(f, ref_mel=torch.zeros(0, 80)), r"ref_mel=\[0, 80\]"),
    "short voice": (lambda f: save_speakers(f, ref_mel=torch.zeros(4, 80)), "more than 4 frames"),
    "voice nan": (
        lambda f: save_speakers(f, cond=torch.full((192,), float("nan"))),
        "cond: holds infinite or undefined",
    ),
    "voice list": (lambda f: save_speakers(f, cond=[0.0]), "cond: must be a floating-point tensor"),
}


def open_fully(folder: Path | str) -> Checkpoint:
    opened = Checkpoint.open(folder)
    opened.verify()
    assert opened.speakers
    return opened


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(copied, damage, message):
    damage(copied)
    with pytest.raises(CheckpointError, match=message):
        open_fully(copied)


def test_no_code_in_a_voices_file_runs(copied, tmp_path):
    torch.save({"Voice": MakesFolder(tmp_path / "ran")}, copied / "spk_dict.pt")
    with pytest.raises(CheckpointError, match="holds more than plain tensors"):
        open_fully(copied)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["/no/such/folder", "./model", "model", "a/b/c", ""])
def test_no_such_folder(name):
    with pytest.raises(CheckpointError, match=f"model='{re.escape(name)}': no such folder"):
        Checkpoint.open(name)


def test_a_file_is_no_checkpoint(copied):
    with pytest.raises(CheckpointError, match="no such folder"):
        Checkpoint.open(copied / "config.json")


@pytest.fixture
def offline_hub(monkeypatch, tmp_path) -> Path:
    """The cache folder of a hub that cannot be reached."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_hub_name_while_offline(offline_hub):
    with pytest.raises(CheckpointError, match="model='Qwen/Absent'.*HF_HUB_OFFLINE"):
        Checkpoint.open("Qwen/Absent")


def test_hub_name_from_the_cache(offline_hub, checkpoint):
    entry = offline_hub / "models--some--model"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text("0" * 40)
    (entry / "snapshots").mkdir()
    (entry / "snapshots" / ("0" * 40)).symlink_to(checkpoint("tiny"))
    assert open_fully("some/model").config == read_config(checkpoint("tiny"))
    assert read_config("some/model") == read_config(checkpoint("tiny"))


@pytest.mark.parametrize("name", ["tiny", "tiny-7b", "odd"])
def test_stored_tensors_come_back(checkpoint, name):
    folder = checkpoint(name)
    opened = open_fully(folder)
    stored = load_file(folder / SINGLE_FILE)
    view = opened.weights()
    for key, value in stored.items():
        assert torch.equal(view[key], value), key
        assert view[key].dtype is value.dtype
    parts = ("thinker", "talker", "token2wav")
    assert [opened.bytes(part) for part in parts] == [
        sum(v.nbytes for k, v in stored.items() if k.startswith(part)) for part in parts
    ]


def test_scopes_and_dtype(checkpoint):
    opened = Checkpoint.open(checkpoint("tiny"))
    whole = opened.weights()["talker.model.norm.weight"]
    assert torch.equal(opened.weights("talker").scope("model")["norm.weight"], whole)
    converted = opened.weights("talker", dtype=torch.float32).scope("model")["norm.weight"]
    assert converted.dtype is torch.float32
    assert torch.equal(converted, whole.float())
    with pytest.raises(CheckpointError, match="has no tensor talker.nothing"):
        opened.weights("talker")["nothing"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads Linux's memory map")
def test_tensors_are_mapped_not_copied(checkpoint):
    """The address of a tensor's data lies where the kernel has mapped the file itself."""
    folder = checkpoint("tiny")
    opened = Checkpoint.open(folder)
    view = opened.weights()
    tensors = [view[name] for name in load_file(folder / SINGLE_FILE)]
    mapped = [
        tuple(int(end, 16) for end in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str((folder / SINGLE_FILE).resolve()))
    ]
    assert mapped
    for tensor in tensors:
        assert any(low <= tensor.data_ptr() < high for low, high in mapped)


def test_shards_hold_the_same(checkpoint, tmp_path):
    folder = write_random_checkpoint(tmp_path / "sharded", "tiny", shard_bytes=3_000_000)
    assert len(list(folder.glob("model-*.safetensors"))) > 3
    sharded, single = open_fully(folder).weights(), Checkpoint.open(checkpoint("tiny")).weights()
    index = json.loads((folder / INDEX_FILE).read_text())
    for name in index["weight_map"]:
        assert torch.equal(sharded[name], single[name]), name
    last = sorted(folder.glob("model-*.safetensors"))[-1]
    truncate(last, last.stat().st_size - 1)
    with pytest.raises(CheckpointError, match=f"{last.name}: truncated"):
        Checkpoint.open(folder)


def test_speaker_encoder_names_of_early_revisions(copied):
    tensors = load_file(copied / SINGLE_FILE)
    wrapped = r"(.*spk_encoder\..*(?:conv|conv1|conv2|fc))\.(weight|bias)"
    renamed = {re.sub(wrapped, r"\1.conv.\2", name): value for name, value in tensors.items()}
    assert len(renamed.keys() - tensors.keys()) == 40
    save_file(renamed, copied / SINGLE_FILE)
    view = open_fully(copied).weights()
    for name, value in tensors.items():
        assert torch.equal(view[name], value), name


def test_text_only_checkpoint(copied):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "enable_audio_output": False}))
    thinker = {k: v for k, v in load_file(copied / SINGLE_FILE).items() if k.startswith("thinker")}
    save_file(thinker, copied / SINGLE_FILE)
    opened = Checkpoint.open(copied)
    opened.verify(talker=False)
    with pytest.raises(CheckpointError, match="has no talker; load it with talker=False"):
        opened.verify()


def test_generation_config_may_be_absent(copied):
    assert Checkpoint.open(copied).generation_config["eos_token_id"] == 514
    (copied / "generation_config.json").unlink()
    assert Checkpoint.open(copied).generation_config == {}


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's smaps")
def test_released_pages_leave_memory_and_come_back(checkpoint):
    folder = checkpoint("tiny")
    opened = Checkpoint.open(str(folder))
    name = max(opened.names("token2wav"), key=lambda n: opened.weights()[n].nbytes)
    tensor = opened.weights()[name]
    before = tensor.clone()
    held = resident(folder)
    _core.release_pages(tensor)
    assert held - resident(folder) >= tensor.nbytes - 2 * 4096
    assert torch.equal(tensor, before)
