"""A text model that can copy before it has learned anything."""

import pytest
import torch

pytest.importorskip("transformers", reason="training needs transformers")

from training.released import new_thinker  # before transformers' classes

# isort: split

from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
    apply_multimodal_rotary_pos_emb,
)

T = 40


def attention(model, layer, x):
    """Softmax of every head's logits, [heads, T, T]."""
    block = model.layers[layer].self_attn
    q, k = (
        f(x).view(1, T, -1, block.head_dim).transpose(1, 2) for f in (block.q_proj, block.k_proj)
    )
    angles = model.rotary_emb(x, torch.arange(T).expand(3, 1, T))
    q, k = apply_multimodal_rotary_pos_emb(q, k, *angles, block.rope_scaling["mrope_section"])
    scores = (q @ k.transpose(2, 3))[0] * block.scaling
    return scores.masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf).softmax(-1)


@torch.no_grad()
def test_heads_look_at_the_row_before_at_earlier_rows_and_where_the_token_was_before():
    model = new_thinker().model
    torch.manual_seed(0)
    ids = torch.randperm(500)[: T // 2].repeat(2)
    x = model.embed_tokens.weight[ids][None]
    first = attention(model, 0, model.layers[0].input_layernorm(x))
    assert first[0].diagonal(-1).min() > 0.9
    recent = torch.stack([first[1].diagonal(-lag)[-20:].mean() for lag in range(15)])
    assert 5 <= recent.argmax() <= 9
    assert recent[3:12].sum() > 0.9
    angles = model.rotary_emb(x, torch.arange(T).expand(3, 1, T))
    x = model.layers[0](x, position_embeddings=angles)[0]
    second = attention(model, 1, model.layers[1].input_layernorm(x))
    after_the_last = second[0].diagonal(1 - T // 2)
    assert after_the_last.mean() > 4 / T
