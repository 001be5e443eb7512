"""Quantized checkpoints from end to end: on disk, on the fly, by other tools, beside plain ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import quantized_checkpoints as made
from omnirt import OmniRuntime, ops
from omnirt.engine.answer import answer
from omnirt.engine.loader import Models, load_models
from omnirt.engine.teacher import ThinkerRows, states
from omnirt.errors import CheckpointError, InputError
from omnirt.formats import Quantized
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.options import Defaults, Options
from omnirt.types import SamplingParams
from omnirt.weights.checkpoint import Checkpoint

PRESETS = ("tiny", "tiny-7b", "odd")
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
ROUND = {"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True}
FOREIGN = {
    "gptq": GPTQ,
    "gptq with zero-points": GPTQ | {"sym": False, "desc_act": True},
    "gptq_v2": GPTQ | {"sym": False, "checkpoint_format": "gptq_v2"},
    "auto-round": ROUND | {"packing_format": "auto_round:auto_gptq"},
    "awq": AWQ,
}
QUESTION = [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]


def reply(folder: Path, **options):
    with OmniRuntime.from_pretrained(str(folder), **options) as runtime:
        return runtime.generate(
            QUESTION,
            seed=3,
            thinker=SamplingParams(temperature=0, max_new_tokens=16),
            talker=SamplingParams(max_new_tokens=30),
        )


def same(a, b) -> bool:
    """Equal ids and speech; torch's float32 products depend a little on where a weight lies."""
    ids = (a.token_ids, a.codec_ids) == (b.token_ids, b.codec_ids)
    return ids and np.abs(a.audio - b.audio).max() < 1e-4


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("word", ["int8", "int4"])
def test_on_the_fly_equals_on_disk(checkpoint, tmp_path, name, word):
    parts = {"thinker": word, "talker": word, "encoders": "int8"}
    folder = made.packed(checkpoint(name), tmp_path / "packed", parts)
    stored = reply(folder, quantization={"token2wav": "int8"})
    assert same(stored, reply(checkpoint(name), quantization=word))
    assert not same(stored, reply(checkpoint(name)))


def loaded(folder: Path, **quantization: str) -> Models:
    return load_models(Checkpoint.open(folder), True, "float32", quantization)


def read(models: Models, rows: torch.Tensor) -> torch.Tensor:
    """The logits after each of some rows."""
    places = torch.arange(len(rows)).expand(3, -1)
    h = states(models.thinker, models.thinker.config.text, ThinkerRows(rows, places, None, None))
    return models.thinker.lm_head(h)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("format", ["int8", "int4-zero"])
def test_means_its_dequantized_values(checkpoint, tmp_path, name, format):
    parts = {"thinker": format, "encoders": format}
    weights = made.rounded(checkpoint(name), parts)
    quantized = loaded(checkpoint(name), **parts)
    plain = loaded(made.plain(checkpoint(name), tmp_path / "plain", weights))
    ids = torch.randint(0, 500, (40,), generator=torch.Generator().manual_seed(1))
    mel = torch.randn(plain.thinker.audio_encoder.mel_bins, 90, generator=torch.manual_seed(2))
    assert torch.equal(quantized.thinker.embed(ids), plain.thinker.embed(ids))
    x = plain.thinker.embed(ids)
    with torch.inference_mode():
        with ops.use("reference"):
            want, heard = read(plain, x), plain.thinker.audio_encoder([mel])
            torch.testing.assert_close(read(quantized, x), want)
            torch.testing.assert_close(quantized.thinker.audio_encoder([mel]), heard)
        off = (read(quantized, x) - want).norm() / want.norm()
        assert off < 0.05  # rounded activations
        assert (quantized.thinker.audio_encoder([mel]) - heard).norm() / heard.norm() < 0.05


def greedy(folder: Path, **quantization: str) -> list[int]:
    """Text by the reference backend, in float32."""
    opened = Checkpoint.open(folder)
    models = load_models(opened, False, "float32", quantization)
    prompt = build_prompt(QUESTION, Processor.from_folder(folder))
    options = Options(thinker=SamplingParams(temperature=0, max_new_tokens=16))
    with ops.use("reference"), torch.inference_mode():
        return answer(models, opened.config, Defaults.of(models).request(prompt, options))[0]


@pytest.mark.parametrize("name", PRESETS)
def test_an_int8_cache_of_keys_and_values(checkpoint, name):
    choice = {"kv_cache": "int8"}
    small = reply(checkpoint(name), dtype="float32", quantization=choice)
    assert small.token_ids == greedy(checkpoint(name), **choice)
    models = load_models(Checkpoint.open(checkpoint(name)), True, "float32", choice)
    assert models.cache_dtype == torch.int8


@pytest.mark.parametrize("name", ["tiny", "tiny-7b"])
@pytest.mark.parametrize("tool", FOREIGN)
def test_other_tools_checkpoints(checkpoint, tmp_path, name, tool):
    source = checkpoint(name)
    folder, weights = made.foreign(source, tmp_path / "foreign", FOREIGN[tool])
    opened = Checkpoint.open(folder)
    opened.verify()
    assert opened.quantized.keys() == weights.keys()
    for key, weight in weights.items():
        assert torch.equal(opened.weight(key).dequantize(), weight.dequantize())
    plain = made.plain(source, tmp_path / "plain", weights)
    assert greedy(folder) == greedy(plain)
    kernels = reply(folder, dtype="float32").token_ids  # which round activations
    assert kernels[:6] == reply(plain).token_ids[:6]


@pytest.fixture
def packed(checkpoint, tmp_path) -> Path:
    parts = {"thinker": "int4-zero", "talker": "int8"}
    return made.packed(checkpoint("tiny"), tmp_path / "packed", parts)


def test_packed_weights_are_mapped(packed):
    opened = Checkpoint.open(packed)
    name = "talker.model.layers.1.mlp.up_proj.weight"
    weight = opened.weight(name)
    assert isinstance(weight, Quantized)
    assert weight.data.data_ptr() == opened[f"{name}.data"].data_ptr()


STEM = "thinker.model.layers.2.mlp.down_proj"


def damage(folder: Path, **changes: torch.Tensor | None) -> None:
    tensors = {**load_file(folder / made.FILE), **changes}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, folder / made.FILE)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("weight.scales", None, f"missing: {STEM}.weight.scales"),
        ("weight.zeros", None, f"missing: {STEM}.weight.zeros"),
        (
            "weight.data",
            torch.zeros(1),
            f"misshapen: {STEM}.weight.data is [1], must be [16, 40, 64]",
        ),
        (
            "weight.scales",
            torch.zeros(16, 3, 16),
            f"wrong dtype: {STEM}.weight.scales is F32, use F16",
        ),
        ("qweight", torch.zeros(1), f"unexpected: {STEM}.qweight"),
    ],
)
def test_damage_of_packed_weights_is_named(packed, part, value, message):
    damage(packed, **{f"{STEM}.{part}": value})
    with pytest.raises(CheckpointError) as caught:
        OmniRuntime.from_pretrained(str(packed))
    assert message.format(f"{STEM}.{part}") in str(caught.value)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("scales", None, f"missing: {STEM}.scales"),
        (
            "qzeros",
            torch.zeros(3, 33).int(),
            f"misshapen: {STEM}.qzeros is [3, 33], must be [3, 32]",
        ),
        ("scales", torch.zeros(3, 256), f"wrong dtype: {STEM}.scales is F32, use F16"),
        ("bias", torch.ones(256), f"{STEM}.bias must be zeros"),
        ("g_idx", torch.arange(320).int() % 3, f"{STEM}.g_idx: groups are out of order"),
    ],
)
def test_damage_of_gptq_weights_is_named(checkpoint, tmp_path, part, value, message):
    folder, _ = made.foreign(checkpoint("tiny"), tmp_path / "gptq", GPTQ)
    damage(folder, **{f"{STEM}.{part}": value})
    with pytest.raises(CheckpointError) as caught:
        OmniRuntime.from_pretrained(str(folder))
    assert message.format(f"{STEM}.{part}") in str(caught.value)


def test_biases_of_zeros_and_no_group_indices(checkpoint, tmp_path):
    folder, _ = made.foreign(checkpoint("tiny"), tmp_path / "gptq", GPTQ)
    before = reply(folder)
    damage(folder, **{f"{STEM}.bias": torch.zeros(256), f"{STEM}.g_idx": None})
    assert same(reply(folder), before)


@pytest.mark.parametrize("word", ["int4", {"thinker": "int8"}])
def test_is_not_quantized_twice(packed, word):
    with pytest.raises(InputError, match="is quantized already; name other parts only"):
        OmniRuntime.from_pretrained(str(packed), quantization=word)
    assert reply(packed, quantization={"encoders": "int8"}).token_ids


def test_token2wav_as_the_files_say(packed):
    values = json.loads((packed / "config.json").read_text())
    before = reply(packed, quantization={"token2wav": "int8"})
    values["quantization_config"]["omnirt"]["token2wav"] = "int8"
    (packed / "config.json").write_text(json.dumps(values))
    assert same(reply(packed), before)
    assert not same(reply(packed, quantization={"token2wav": "float32"}), before)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bits": 3}, "quantization_config.bits=3: only 4 is supported"),
        ({"group_size": 64}, "quantization_config.group_size=64: only 128 or 32 are supported"),
        ({"group_size": -1}, "quantization_config.group_size=-1"),
        ({"quant_method": "bitsandbytes"}, "quant_method='bitsandbytes': use 'gptq' or"),
        ({"checkpoint_format": "marlin"}, "checkpoint_format='marlin': use 'gptq' or 'gptq_v2'"),
        ({"sym": "yes"}, "sym='yes': must be true or false"),
        ({"dynamic": {"-:.*": {}}}, "dynamic="),
        ({"omnirt": {"talker": "int5"}}, "quantization_config.omnirt.talker='int5': use int8 or"),
        ({"omnirt": {"token2wav": "int4"}}, "omnirt.token2wav='int4': use float32 or"),
        ({"quant_method": "awq", "version": "gemv"}, "version='gemv': not supported; use 'gemm'"),
        ({"quant_method": "awq", "zero_point": False}, "zero_point=False: not supported"),
        ({"quant_method": "auto-round", "packing_format": "auto_round:marlin"}, "packing_format="),
    ],
)
def test_unknown_quantization_config_is_named(checkpoint, tmp_path, values, message):
    folder = made.write(checkpoint("tiny"), tmp_path / "model", dict, GPTQ | values)
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(folder)
    assert message in str(caught.value)
