"""The Qwen2.5 decoder (arXiv 2412.15115) that thinker and talker share: pre-norm, grouped-query
attention with biased q, k, v, SwiGLU."""

import torch
from torch import Tensor

from omnirt import ops
from omnirt.config import DecoderConfig

from .attention import Attention
from .linear import Linear
from .weights import Weights


class DecoderLayer:
    """One layer. Works on (x, delta): the residual stream and what the layer before adds to it."""

    def __init__(self, config: DecoderConfig, index: int, weights: Weights) -> None:
        self.index, self.head_dim, self.eps = index, config.head_dim, config.rms_norm_eps
        attn, mlp = weights.scope("self_attn"), weights.scope("mlp")
        self.q, self.k, self.v = (Linear(attn.scope(n)) for n in ("q_proj", "k_proj", "v_proj"))
        self.o = Linear(attn.scope("o_proj"), bias=False)
        self.gate, self.up, self.down = (
            Linear(mlp.scope(n), bias=False) for n in ("gate_proj", "up_proj", "down_proj")
        )
        self.norm_attn = weights["input_layernorm.weight"]
        self.norm_mlp = weights["post_attention_layernorm.weight"]

    def __call__(
        self, x: Tensor, delta: Tensor | None, attend: Attention
    ) -> tuple[Tensor, Tensor]:  # [T, E] each
        if delta is None:
            h = ops.rms_norm(x, self.norm_attn, self.eps)
        else:
            x, h = ops.add_rms_norm(x, delta, self.norm_attn, self.eps)
        a = attend(self.index, *(self._heads(linear(h)) for linear in (self.q, self.k, self.v)))
        x, h = ops.add_rms_norm(x, self.o(a.flatten(1)), self.norm_mlp, self.eps)
        return x, self.down(ops.silu_mul(self.gate(h), self.up(h)))

    def _heads(self, x: Tensor) -> Tensor:  # [T, H * D] -> [T, H, D]
        return x.unflatten(-1, (-1, self.head_dim))


def rotary_frequencies(config: DecoderConfig) -> Tensor:  # float32 [head_dim / 2]
    exponent = torch.arange(0, config.head_dim, 2, dtype=torch.int64).float() / config.head_dim
    return 1.0 / (config.rope_theta**exponent)


class Decoder:
    """Layers and the final norm. ``inv_freq``: float32 [head_dim/2], the rotary frequencies."""

    def __init__(self, config: DecoderConfig, weights: Weights) -> None:
        self.eps, self.section = config.rms_norm_eps, config.mrope_section
        layers = weights.scope("layers")
        self.layers = [
            DecoderLayer(config, i, layers.scope(str(i))) for i in range(config.num_layers)
        ]
        self.norm = weights["norm.weight"]
        self.inv_freq = rotary_frequencies(config)

    def __call__(self, x: Tensor, attend: Attention) -> Tensor:
        """x: [T, E] -> the states after the final norm, [T, E]."""
        delta = None
        for layer in self.layers:
            x, delta = layer(x, delta, attend)
        return ops.add_rms_norm(x, delta, self.norm, self.eps)[1]
