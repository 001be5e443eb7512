"""The seam: every computation of the models, by name. Models call these and never name a device."""

from .backend import active, declined, op, use
from .cpu import conv as _cpu_conv
from .cpu import flow as _cpu_flow
from .reference import activation, attention, conv, embedding, flow, linear as _linear, norm, random
from .reference import rope as _rope, sampling

__all__ = ["active", "declined", "use"]

linear = op(_linear.linear)

rms_norm = op(norm.rms_norm)
add_rms_norm = op(norm.add_rms_norm)
layer_norm = op(norm.layer_norm)

silu_mul = op(activation.silu_mul)
gelu = op(activation.gelu)

embed = op(embedding.embed)
state_embed = op(embedding.state_embed)
talker_input = op(embedding.talker_input)
ring_append = op(embedding.ring_append)

rope_angles = op(_rope.rope_angles)
state_rope_angles = op(_rope.state_rope_angles)
rope = op(_rope.rope)
rope_append = op(_rope.rope_append)

kv_write = op(attention.kv_write)
prefill_attention = op(attention.prefill_attention)
paged_attention = op(attention.paged_attention)
segment_attention = op(attention.segment_attention)

conv1d = op(conv.conv1d, cpu=_cpu_conv.conv1d)
conv_transpose1d = op(conv.conv_transpose1d, cpu=_cpu_conv.conv_transpose1d)
snake = op(conv.snake, cpu=_cpu_conv.snake)

modulate = op(flow.modulate, cpu=_cpu_flow.modulate)
rope_first_head = op(flow.rope_first_head, cpu=_cpu_flow.rope_first_head)
block_attention = op(flow.block_attention, cpu=_cpu_flow.block_attention)

sample = op(sampling.sample)
philox_uniform = op(random.philox_uniform)
philox_normal = op(random.philox_normal)
