"""Calibration: hidden states layer by layer, what Linears are given, AWQ's scales put away."""

import numpy as np
import pytest
import torch

from omnirt import ops
from omnirt.engine.loader import load_models
from omnirt.engine.teacher import Rows, Said, states, thinker_rows
from omnirt.errors import EngineError
from omnirt.formats import FORMATS
from omnirt.quantization.decoding import Decoding
from omnirt.quantization.fold import fold
from omnirt.quantization.statistics import Statistics
from omnirt.types import PromptInputs
from omnirt.weights.checkpoint import Checkpoint
from stubs import DictWeights

LAYER = "thinker.model.layers.1"


@pytest.fixture
def opened(checkpoint) -> Checkpoint:
    return Checkpoint.open(checkpoint("tiny-7b"))


def sample(rows: int, width: int, seed: int) -> Rows:
    positions = torch.arange(rows).expand(3, -1)
    return Rows(torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)), positions)


def test_layer_by_layer_is_the_decoder(opened):
    models = load_models(opened, False, "auto", {})
    config = opened.config.thinker.text
    said = [Said(PromptInputs(np.arange(n) % 500), [5, 6, 7], [], None) for n in (9, 600)]
    read = [thinker_rows(models.thinker, s) for s in said]
    decoding = Decoding(config, read)
    for i in range(config.num_layers):
        decoding.advance(opened.weights(f"thinker.model.layers.{i}"))
    for got, rows in zip(decoding.normed(models.thinker.decoder.norm), read, strict=True):
        want = states(models.thinker, config, rows)
        torch.testing.assert_close(got, want, atol=2e-4, rtol=1e-4)


def test_statistics_are_of_what_linears_are_given(opened):
    config = opened.config.thinker.text
    weights, samples = opened.weights(LAYER), [sample(n, config.hidden_size, n) for n in (5, 12)]
    found = Decoding(config, samples).observe(weights)
    assert set(found) == {n.removeprefix(f"{LAYER}.") for n in opened.names(LAYER) if "proj.w" in n}
    norm = weights["input_layernorm.weight"]
    given = torch.cat([ops.rms_norm(s.rows, norm, config.rms_norm_eps) for s in samples])
    seen = found["self_attn.k_proj.weight"]
    assert seen.rows == 17
    torch.testing.assert_close(torch.block_diag(*seen.grams), given.T @ given)
    torch.testing.assert_close(seen.magnitude, given.abs().sum(0))


def test_folding_keeps_the_layer_as_it_is(opened):
    config = opened.config.thinker.text
    names = opened.names(LAYER)
    layer = {name.removeprefix(f"{LAYER}."): opened.weight(name) for name in names}
    samples = [sample(40, config.hidden_size, 1)]
    samples[0].rows[:, ::31] *= 30
    before = Decoding(config, samples)
    folded = fold(layer, before.observe(DictWeights(layer)), FORMATS["int4"])
    assert not torch.equal(folded.norms["input_layernorm.weight"], layer["input_layernorm.weight"])
    assert folded.columns["mlp.down_proj.weight"].std() > 0
    changed = {name: folded.weight(name, weight) for name, weight in layer.items()}
    after = Decoding(config, samples)
    before.advance(DictWeights(layer))
    after.advance(DictWeights(changed | folded.norms))
    torch.testing.assert_close(after.rows[0], before.rows[0], atol=1e-3, rtol=1e-4)


def test_numbers_that_are_not_finite_are_named():
    seen = Statistics(3)
    seen.add(torch.tensor([[1.0, torch.inf, 0.0]]))
    with pytest.raises(EngineError, match="infinite or undefined numbers"):
        _ = seen.factors
