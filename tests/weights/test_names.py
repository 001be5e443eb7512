"""Tensor names, counts and sizes of the released checkpoints, and the plan made from them."""

import pytest
import torch

from omnirt.weights.memory import kv_bytes_per_token, memory_plan
from omnirt.weights.model_config import ModelConfig
from omnirt.weights.names import PARTS, expected_tensors, in_part
from omnirt.weights.precisions import Precisions
from omnirt.weights.presets import config_of, preset

# tensors and parameters of each part: the index of Qwen/Qwen2.5-Omni-7B, and both models as
# transformers builds them; the DiT's stored rotary frequencies (32 numbers) count here too
RELEASED = {
    "3b": [
        (489, 637_676_544),
        (518, 668_684_288),
        (434, 311_164_928 + 2_774_773_760),
        (1, 311_164_928),
        (293, 384_604_928),
        (360, 333_607_760 + 32),
        (449, 115_443_504),
    ],
    "7b": [
        (489, 639_647_232),
        (518, 676_550_144),
        (338, 544_997_376 + 6_525_621_760),
        (1, 544_997_376),
        (293, 1_351_360_256),
        (360, 333_607_760 + 32),
        (449, 115_443_504),
    ],
}
BYTES = {"3b": 11_972_343_808 + 128, "7b": 22_362_553_344 + 128}


def released(name: str, quantization: dict | None = None) -> ModelConfig:
    sizes = preset(name)
    values = config_of(sizes, sizes.plain_tokens) | {"quantization_config": quantization}
    return ModelConfig.from_dict(values)


@pytest.mark.parametrize("name", RELEASED)
def test_counts_of_the_released_models(name):
    specs = expected_tensors(released(name))
    for part, want in zip(PARTS, RELEASED[name], strict=True):
        found = [spec.numel for key, spec in specs.items() if in_part(key, part)]
        assert (len(found), sum(found)) == want, part
    assert len(specs) == sum(count for count, _ in RELEASED[name])
    assert sum(spec.nbytes for spec in specs.values()) == BYTES[name]


def test_without_talker():
    specs = expected_tensors(released("3b"), talker=False)
    assert {name.split(".")[0] for name in specs} == {"thinker"}
    assert sum(spec.numel for spec in specs.values()) == 4_703_464_448


@pytest.mark.parametrize(
    ("name", "thinker", "talker"), [("3b", 36_864, 12_288), ("7b", 57_344, 49_152)]
)
def test_cache_bytes_per_token(name, thinker, talker):
    config = released(name)
    assert kv_bytes_per_token(config.thinker.text, torch.bfloat16) == thinker
    assert kv_bytes_per_token(config.talker.decoder, torch.bfloat16) == talker


def test_plan_adds_up():
    config = released("7b")
    plan = dict(memory_plan(config, context=1000, sessions=2))
    norms = [s for n, s in expected_tensors(config).items() if "dit" in n and "norm" in n]
    given_back = sum(spec.nbytes for spec in norms)
    assert given_back == 4 * 140_646_400
    assert plan["weights"] == BYTES["7b"] - given_back == sum(plan[part] for part in PARTS)
    parts = [size for name, size in plan.items() if name not in (*PARTS, "peak")]
    assert plan["peak"] == sum(parts)
    thinker_cache = next(size for name, size in plan.items() if name.startswith("thinker KV"))
    assert thinker_cache == 2 * 1000 * 57_344


def test_plan_of_text_only_in_float32():
    config = released("3b")
    plan = dict(memory_plan(config, dtype=torch.float32, talker=False))
    assert plan["weights"] == 4 * 4_703_464_448
    assert not [name for name in plan if name.startswith(("talker", "token2wav"))]


def quantized_size(formats: dict[str, str]) -> int:
    return dict(memory_plan(released("3b"), precisions=Precisions.of(formats)))["thinker.model"]


def test_plan_of_quantized_weights():
    linears, table = 36 * 77_070_336, 151_936 * 2048
    rest = 2 * (2_774_773_760 - linears)  # biases and norms
    assert quantized_size({"thinker.embedding": "int8"}) == 2 * linears + table + 4 * 151_936 + rest
    scales = linears // 128 * 2
    assert quantized_size({"thinker": "int4", "thinker.embedding": "int4"}) == (
        linears // 2 + scales + table // 2 + table // 128 * 2 + rest
    )
    zeros = linears // 128 // 2
    told = released("3b", {"quant_method": "awq", "bits": 4, "group_size": 128})
    assert dict(memory_plan(told))["thinker.model"] == (
        linears // 2 + scales + zeros + 2 * table + rest
    )
    small = dict(memory_plan(released("3b"), precisions=Precisions.of("int4")))
    assert small["token2wav.code2wav_dit_model"] < 0.25 * 2**30
