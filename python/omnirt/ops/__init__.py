"""The seam: every computation of the models, by name. Models call these and never name a device."""

from .backend import active, all_ops, declined, op, use
from .cpu import activation as _cpu_activation
from .cpu import attention as _cpu_attention
from .cpu import conv as _cpu_conv
from .cpu import embedding as _cpu_embedding
from .cpu import flow as _cpu_flow
from .cpu import gemm as _cpu_gemm
from .cpu import linear as _cpu_linear
from .cpu import norm as _cpu_norm
from .cpu import quantize as _cpu_quantize
from .cpu import random as _cpu_random
from .cpu import rope as _cpu_rope
from .cpu import sampling as _cpu_sampling
from .cpu import vocoder as _cpu_vocoder
from .packed import pack
from .packed_conv import pack_conv, pack_conv_transpose
from .reference import (
    activation,
    attention,
    conv,
    embedding,
    flow,
    gemm,
    norm,
    random,
    sampling,
    vocoder,
)
from .reference import linear as _linear
from .reference import quantize as _quantize
from .reference import rope as _rope

__all__ = ["active", "all_ops", "declined", "pack", "pack_conv", "pack_conv_transpose", "use"]

linear = op(_linear.linear, cpu=_cpu_linear.linear)
quantize = op(_quantize.quantize, cpu=_cpu_quantize.quantize)

rms_norm = op(norm.rms_norm, cpu=_cpu_norm.rms_norm)
add_rms_norm = op(norm.add_rms_norm, cpu=_cpu_norm.add_rms_norm)
layer_norm = op(norm.layer_norm, cpu=_cpu_norm.layer_norm)

silu_mul = op(activation.silu_mul, cpu=_cpu_activation.silu_mul)
gelu = op(activation.gelu, cpu=_cpu_activation.gelu)

embed = op(embedding.embed, cpu=_cpu_embedding.embed)
state_embed = op(embedding.state_embed, cpu=_cpu_embedding.state_embed)
talker_input = op(embedding.talker_input, cpu=_cpu_embedding.talker_input)
ring_append = op(embedding.ring_append, cpu=_cpu_embedding.ring_append)

rope_angles = op(_rope.rope_angles, cpu=_cpu_rope.rope_angles)
state_rope_angles = op(_rope.state_rope_angles, cpu=_cpu_rope.state_rope_angles)
rope = op(_rope.rope, cpu=_cpu_rope.rope)
rope_append = op(_rope.rope_append, cpu=_cpu_rope.rope_append)

kv_write = op(attention.kv_write, cpu=_cpu_attention.kv_write)
prefill_attention = op(attention.prefill_attention, cpu=_cpu_attention.prefill_attention)
paged_attention = op(attention.paged_attention, cpu=_cpu_attention.paged_attention)
segment_attention = op(attention.segment_attention, cpu=_cpu_attention.segment_attention)

conv1d = op(conv.conv1d, cpu=_cpu_conv.conv1d)

vocoder_conv = op(vocoder.vocoder_conv, cpu=_cpu_vocoder.vocoder_conv)
vocoder_upsample = op(vocoder.vocoder_upsample, cpu=_cpu_vocoder.vocoder_upsample)
vocoder_snake = op(vocoder.vocoder_snake, cpu=_cpu_vocoder.vocoder_snake)
vocoder_mean = op(vocoder.vocoder_mean, cpu=_cpu_vocoder.vocoder_mean)
vocoder_clamp = op(vocoder.vocoder_clamp, cpu=_cpu_vocoder.vocoder_clamp)

flow_noise = op(flow.flow_noise, cpu=_cpu_flow.flow_noise)
flow_input = op(flow.flow_input, cpu=_cpu_flow.flow_input)
flow_modulate = op(flow.flow_modulate, cpu=_cpu_flow.flow_modulate)
flow_rope_angles = op(flow.flow_rope_angles, cpu=_cpu_flow.flow_rope_angles)
flow_attention = op(flow.flow_attention, cpu=_cpu_flow.flow_attention)
flow_linear = op(gemm.flow_linear, cpu=_cpu_gemm.flow_linear)
flow_gated_linear = op(gemm.flow_gated_linear, cpu=_cpu_gemm.flow_gated_linear)

sample = op(sampling.sample, cpu=_cpu_sampling.sample)
philox_uniform = op(random.philox_uniform, cpu=_cpu_random.philox_uniform)
