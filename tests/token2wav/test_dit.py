"""One evaluation of the velocity field against transformers 4.57.1."""

import pytest
import torch

from hf_token2wav import build, speakers
from omnirt.ops.window import FlowWindow
from omnirt.token2wav.dit import DiT

LENGTHS = (1, 11, 12, 13, 24, 25, 100)


def _random(frames: int) -> torch.Tensor:
    return torch.randn(frames, 80, generator=torch.Generator().manual_seed(frames))


def _codes(count: int) -> torch.Tensor:
    codes = torch.randint(0, 50, (count,), generator=torch.Generator().manual_seed(count))
    codes[0] = 49
    return codes


def _ours(dit: DiT, x: torch.Tensor, codes: torch.Tensor, t: float, rows: int = 2) -> torch.Tensor:
    """Velocity [rows, T, 80] of one window over everything, in buffers that are larger."""
    speaker, window = speakers()["Ethan"], FlowWindow(rows)
    window.frames, window.evaluation = len(x), 1
    window.voice = dit.voice(speaker.ref_mel[0], speaker.cond[0])
    window.codes, window.table = codes.int(), dit.table([0.9, t])
    window.cache = dit.cache(2, rows)
    y = torch.cat((x, torch.full((5, 80), float("nan"))))
    velocity = dit.evaluate(window, y, dit.workspace(len(y), rows))
    return velocity[: len(x) * rows].unflatten(0, (-1, rows)).transpose(0, 1)


def _theirs(model, x: torch.Tensor, codes: torch.Tensor, t: float) -> torch.Tensor:
    speaker = speakers()["Ethan"]
    with torch.no_grad():
        return model(
            hidden_states=x[None],
            condition_vector=speaker.ref_mel,
            speaker_embedding=speaker.cond[:, None].repeat(1, len(x), 1),
            quantized_code=codes[None],
            time_step=torch.tensor(t),
        )


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("t", [0.0, 0.3572124])
def test_both_rows_are_the_released_ones(count, t):
    theirs, config, weights = build()
    dit = DiT(config.dit, weights.scope("code2wav_dit_model"))
    x, codes = _random(2 * count), _codes(count)
    want = _theirs(theirs.code2wav_dit_model, x, codes, t)
    got = _ours(dit, x, codes, t)
    assert got.shape == (2, 2 * count, 80)
    torch.testing.assert_close(got, want, atol=2e-5 * float(want.abs().max()), rtol=0)
    alone = _ours(dit, x, codes, t, rows=1)
    torch.testing.assert_close(alone[0], got[0], atol=1e-5, rtol=0)


def test_rotary_frequencies_of_the_checkpoint_or_of_the_formula():
    theirs, config, weights = build()
    weights = weights.scope("code2wav_dit_model")
    formula = DiT(config.dit, weights, stored_rope=False)
    exact = 10000 ** -(torch.arange(0, 16, 2) / 16)
    torch.testing.assert_close(formula.inv_freq, exact)
    assert not torch.equal(weights["rotary_embed.inv_freq"], exact)
    x, codes = _random(400), _codes(200)
    got = _ours(formula, x, codes, 0.5)
    assert not torch.allclose(got, _ours(DiT(config.dit, weights), x, codes, 0.5), atol=1e-4)
    model = theirs.code2wav_dit_model
    model.rotary_embed.inv_freq.copy_(exact)
    torch.testing.assert_close(got, _theirs(model, x, codes, 0.5), atol=1e-4, rtol=0)


def test_a_frame_reaches_as_far_as_the_blocks_say():
    """Layers 0 and 4 look a block back and layer 2 one ahead: 2 blocks back, 1 ahead in all."""
    _, config, weights = build()
    dit = DiT(config.dit, weights.scope("code2wav_dit_model"))
    x, codes = _random(8 * 24), _codes(8 * 12)
    changed = x.clone()
    changed[4 * 24 + 5] += 1
    moved = (_ours(dit, x, codes, 0.5) - _ours(dit, changed, codes, 0.5)).abs()
    blocks = moved.amax((0, 2)).unflatten(0, (8, 24)).amax(1) > 1e-6
    assert blocks.tolist() == [False, False, False, True, True, True, True, False]


@pytest.mark.parametrize(("precision", "bound"), [("bfloat16", 0.01), ("int8", 0.05)])
def test_lower_precisions_are_close(precision, bound):
    """Root mean square error against the scale of the velocity: rounding, but not none."""
    _, config, weights = build()
    weights, x, codes = weights.scope("code2wav_dit_model"), _random(100), _codes(50)
    want = _ours(DiT(config.dit, weights), x, codes, 0.5)
    got = _ours(DiT(config.dit, weights, precision=precision), x, codes, 0.5)
    assert 1e-5 < float((got - want).std() / want.std()) < bound


def test_only_what_new_tables_need_stays_in_the_checkpoint():
    """Weights are mapped files: what is packed must not be held twice."""
    _, config, weights = build()
    weights = weights.scope("code2wav_dit_model")
    dit = DiT(config.dit, weights)
    held = {tensor.data_ptr() for tensor in _tensors(dit)}
    kept = {name for name, tensor in weights.items() if tensor.data_ptr() in held}
    parts = ("spk_encoder", "time_embed", "attn_norm", "norm_out")
    assert kept
    assert [name for name in kept if not any(part in name for part in parts)] == []


def _tensors(thing):
    """Every tensor that an object of the package holds."""
    if isinstance(thing, torch.Tensor):
        yield thing
    elif isinstance(thing, (list, tuple)):
        for item in thing:
            yield from _tensors(item)
    elif type(thing).__module__.startswith("omnirt"):
        yield from _tensors(list(vars(thing).values()))
