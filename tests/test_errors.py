"""Every mistake a user can make has a named error, and the runtime goes on afterwards."""

import io
import json
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from omnirt import (
    CapacityError,
    CheckpointError,
    InputError,
    OmniRuntime,
    SamplingParams,
    WaveSchedule,
)

SHORT = {
    "thinker": SamplingParams(max_new_tokens=4),
    "talker": SamplingParams(max_new_tokens=6),
    "wave": WaveSchedule(points=2),
}


def user(*content) -> list[dict]:
    return [{"role": "user", "content": list(content)}]


TEXT = user({"type": "text", "text": "Hello."})


def audio(value) -> list[dict]:
    return user({"type": "audio", "audio": value})


def silent_film(folder) -> str:
    """A video without a sound track, cut from nothing but pictures."""
    import av

    path = folder / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 56, 56, "yuv420p"
        for i in range(16):
            picture = np.full((56, 56, 3), i * 8, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return str(path)


def file_with(folder, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (56, 56)).save(buffer, "PNG")
    return buffer.getvalue()


# name -> (messages or a function of a folder, options, error, a word of its message)
REQUESTS = {
    "unknown voice": (TEXT, {"voice": "Nobody"}, InputError, "Nobody"),
    "unknown role": ([{"role": "robot", "content": "Hi"}], {}, InputError, "robot"),
    "unknown type": (user({"type": "smell", "smell": "rose"}), {}, InputError, "smell"),
    "no messages": ([], {}, InputError, "messages"),
    "zero-length text": (user({"type": "text", "text": ""}), {}, InputError, "text"),
    "missing file": (audio("/nowhere/clip.wav"), {}, InputError, "/nowhere/clip.wav"),
    "empty file": (lambda d: audio(file_with(d, "e.wav", b"")), {}, InputError, "e.wav|empty"),
    "text called wav": (
        lambda d: audio(file_with(d, "t.wav", b"this is no sound\n" * 40)),
        {},
        InputError,
        "t.wav|audio",
    ),
    "corrupt picture": (
        lambda d: user({"type": "image", "image": file_with(d, "c.png", png()[:60])}),
        {},
        InputError,
        "c.png|image",
    ),
    "corrupt video": (
        lambda d: user({"type": "video", "video": file_with(d, "c.mp4", b"\0" * 999)}),
        {},
        InputError,
        "c.mp4|video",
    ),
    "empty clip": (audio(np.zeros(0, np.float32)), {}, InputError, "audio"),
    "clip with NaN": (audio(np.full(9000, np.nan, np.float32)), {}, InputError, "audio"),
    "silent video, sound asked": (
        lambda d: user({"type": "video", "video": silent_film(d)}),
        {"use_audio_in_video": True},
        InputError,
        "sound|audio",
    ),
    "prompt beyond the context": (
        user({"type": "text", "text": "word " * 3000}),
        {},
        CapacityError,
        "context",
    ),
    "seed out of range": (TEXT, {"seed": -1}, InputError, "seed"),
    "stop id out of range": (
        TEXT,
        {"thinker": SamplingParams(stop_token_ids=(10**6,))},
        InputError,
        "thinker.stop_token_ids",
    ),
    "more speech than a session holds": (
        TEXT,
        {"talker": SamplingParams(max_new_tokens=10_000)},
        InputError,
        "talker.max_new_tokens",
    ),
    "flow noise of a wrong shape": (
        TEXT,
        {"flow_noise": np.zeros((5, 5, 5), np.float32)},
        InputError,
        "flow_noise",
    ),
    "flow noise too short": (
        TEXT,
        {**SHORT, "flow_noise": np.zeros((1, 80), np.float32)},
        InputError,
        "flow_noise",
    ),
}


@pytest.fixture(scope="module")
def runtime(checkpoint):
    with OmniRuntime.from_pretrained(str(checkpoint("tiny")), context=2048) as made:
        yield made


@pytest.mark.parametrize("name", REQUESTS)
def test_bad_request(runtime, tmp_path, name):
    messages, options, error, word = REQUESTS[name]
    with pytest.raises(error, match=word):
        runtime.generate(messages(tmp_path) if callable(messages) else messages, **options)
    assert len(runtime.generate(TEXT, seed=1, **SHORT).token_ids) == 4


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: SamplingParams(temperature=-1), "temperature"),
        (lambda: SamplingParams(top_p=0), "top_p"),
        (lambda: SamplingParams(top_k=-1), "top_k"),
        (lambda: SamplingParams(repetition_penalty=0), "repetition_penalty"),
        (lambda: SamplingParams(max_new_tokens=0), "max_new_tokens"),
        (lambda: WaveSchedule(points=1), "points=1: use 2 to 65"),
        (lambda: WaveSchedule(points=66), "points=66"),
        (lambda: WaveSchedule(points=18, solver="rk4"), "points=18: use 2 to 17"),
        (lambda: WaveSchedule(solver="heun"), "solver"),
        (lambda: WaveSchedule(guidance=-1), "guidance"),
        (lambda: WaveSchedule(first=0), "first=0"),
        (lambda: WaveSchedule(first=9), "chunk=8: use at least first=9"),
        (lambda: WaveSchedule(lookahead=-1), "lookahead=-1"),
        (lambda: WaveSchedule(chunk=60, lookahead=13), r"chunk=60: .* 72 blocks"),
        (lambda: WaveSchedule(lookahead=80), "lookahead=80"),
        (lambda: WaveSchedule(growth=1), "growth=1: use 1.1 to 72"),
        (lambda: WaveSchedule.preset("fast"), "wave='fast': use .* 'balanced', 'exact'"),
    ],
)
def test_bad_option(make, field):
    with pytest.raises(InputError, match=field):
        make()


def edit_config(folder, change) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def truncate(folder) -> None:
    path = next(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-5000])


def rename_tensor(folder, old: bytes, new: bytes) -> None:
    """Edit a header in place: names of one length keep every offset."""
    path = next(folder.glob("*.safetensors"))
    data = path.read_bytes()
    size = 8 + struct.unpack("<Q", data[:8])[0]
    path.write_bytes(data[:size].replace(old, new) + data[size:])


def wrong_shape(config) -> None:
    config["thinker_config"]["text_config"]["intermediate_size"] += 8


def odd_heads(config) -> None:
    config["thinker_config"]["text_config"]["num_key_value_heads"] = 3


CHECKPOINTS = {
    "truncated shard": (truncate, "safetensors"),
    "missing tensor": (
        lambda d: rename_tensor(d, b"thinker.lm_head.weight", b"thinker.lm_hook.weight"),
        "missing: thinker.lm_head.weight",
    ),
    "unexpected tensor": (
        lambda d: rename_tensor(d, b"thinker.lm_head.weight", b"thinker.lm_hook.weight"),
        "unexpected: thinker.lm_hook.weight",
    ),
    "wrong shape": (lambda d: edit_config(d, wrong_shape), "misshapen"),
    "inconsistent sizes": (lambda d: edit_config(d, odd_heads), "num_key_value_heads"),
    "no config": (lambda d: (d / "config.json").unlink(), "config.json"),
    "no tokenizer": (
        lambda d: [(d / n).unlink() for n in ("tokenizer.json", "vocab.json", "merges.txt")],
        "tokenizer.json",
    ),
    "no voices": (lambda d: (d / "spk_dict.pt").unlink(), "spk_dict.pt"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_bad_checkpoint(checkpoint, tmp_path, name):
    damage, word = CHECKPOINTS[name]
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("tiny"), folder)
    damage(folder)
    with pytest.raises(CheckpointError, match=word):
        OmniRuntime.from_pretrained(str(folder))


def test_hub_name_while_offline(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="nobody/nothing"):
        OmniRuntime.from_pretrained("nobody/nothing")


def test_bad_loading_options(checkpoint):
    folder = str(checkpoint("tiny"))
    with pytest.raises(InputError, match="device"):
        OmniRuntime.from_pretrained(folder, device="abacus")
    with pytest.raises(InputError, match="dtype"):
        OmniRuntime.from_pretrained(folder, dtype="float8")
    for parts in ({"ear": "int8"}, {"thinker.norm": "int8"}):
        with pytest.raises(InputError, match=f"quantization='{next(iter(parts))}': its parts are"):
            OmniRuntime.from_pretrained(folder, quantization=parts)
    with pytest.raises(InputError, match=r"quantization='int3': use one of 'int8', 'int4'"):
        OmniRuntime.from_pretrained(folder, quantization="int3")
    with pytest.raises(InputError, match=r"quantization\['thinker'\]='bfloat16': use one of"):
        OmniRuntime.from_pretrained(folder, quantization={"thinker": "bfloat16"})
    with pytest.raises(InputError, match=r"quantization\['token2wav'\]='int3'"):
        OmniRuntime.from_pretrained(folder, quantization={"token2wav": "int3"})
    for field, value in (("threads", -2), ("max_sessions", 0), ("context", 10**6)):
        with pytest.raises(InputError, match=field):
            OmniRuntime.from_pretrained(folder, **{field: value})
