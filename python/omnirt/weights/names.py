"""Every tensor of a checkpoint, by its released name: shape and released dtype, from the config."""

from dataclasses import dataclass

import torch

from omnirt.config import DecoderConfig
from omnirt.talker.config import TalkerConfig
from omnirt.thinker.config import AudioConfig, ThinkerConfig, VisionConfig
from omnirt.token2wav.config import BigVGANConfig, DitConfig, SpeakerConfig, Token2WavConfig

from .model_config import ModelConfig
from .tensor_spec import TensorSpec

PARTS = (
    "thinker.audio_tower",
    "thinker.visual",
    "thinker.model",
    "thinker.lm_head",
    "talker",
    "token2wav.code2wav_dit_model",
    "token2wav.code2wav_bigvgan_model",
)


def expected_tensors(config: ModelConfig, talker: bool = True) -> dict[str, TensorSpec]:
    """Name -> TensorSpec. talker=False leaves out the Talker and Token2Wav."""
    specs: dict[str, TensorSpec] = {}
    _thinker(_Table(specs, "thinker.", torch.bfloat16), config.thinker)
    if talker and config.talker is not None and config.token2wav is not None:
        _talker(_Table(specs, "talker.", torch.bfloat16), config.talker)
        _token2wav(_Table(specs, "token2wav.", torch.float32), config.token2wav)
    return specs


def in_part(name: str, part: str) -> bool:
    """Whether the tensor ``name`` belongs to the sub-model ``part``, one of PARTS or a prefix."""
    return name == part or name.startswith(part + ".")


@dataclass
class _Table:
    """Collects names under a prefix."""

    specs: dict[str, TensorSpec]
    prefix: str
    dtype: torch.dtype

    def scope(self, name: str) -> "_Table":
        return _Table(self.specs, f"{self.prefix}{name}.", self.dtype)

    def add(self, name: str, *shape: int) -> None:
        self.specs[self.prefix + name] = TensorSpec(shape, self.dtype)

    def linear(self, name: str, out: int, *inputs: int, bias: bool = True) -> None:
        """A matrix [out, in], or a convolution [out, in, kernel...]."""
        self.add(f"{name}.weight", out, *inputs)
        if bias:
            self.add(f"{name}.bias", out)

    def norm(self, name: str, size: int, bias: bool = False) -> None:
        self.add(f"{name}.weight", size)
        if bias:
            self.add(f"{name}.bias", size)


def _thinker(t: _Table, c: ThinkerConfig) -> None:
    _audio(t.scope("audio_tower"), c.audio)
    _vision(t.scope("visual"), c.vision)
    _decoder(t.scope("model"), c.text, c.text.hidden_size)
    t.linear("lm_head", c.text.vocab_size, c.text.hidden_size, bias=False)


def _audio(t: _Table, c: AudioConfig) -> None:
    d = c.d_model
    t.linear("conv1", d, c.mel_bins, 3)
    t.linear("conv2", d, d, 3)
    t.add("audio_bos_eos_token.weight", 2, c.output_dim)
    for i in range(c.num_layers):
        layer = t.scope(f"layers.{i}")
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            layer.linear(f"self_attn.{name}", d, d, bias=name != "k_proj")
        layer.norm("self_attn_layer_norm", d, bias=True)
        layer.linear("fc1", c.ffn_dim, d)
        layer.linear("fc2", d, c.ffn_dim)
        layer.norm("final_layer_norm", d, bias=True)
    t.norm("ln_post", d, bias=True)
    t.linear("proj", c.output_dim, d)


def _vision(t: _Table, c: VisionConfig) -> None:
    d, patch = c.hidden_size, c.patch_size
    t.add("patch_embed.proj.weight", d, c.in_channels, c.temporal_patch_size, patch, patch)
    for i in range(c.depth):
        block = t.scope(f"blocks.{i}")
        block.norm("norm1", d)
        block.norm("norm2", d)
        for name in ("q", "k", "v", "proj"):
            block.linear(f"attn.{name}", d, d)
        block.linear("mlp.gate_proj", c.intermediate_size, d)
        block.linear("mlp.up_proj", c.intermediate_size, d)
        block.linear("mlp.down_proj", d, c.intermediate_size)
    t.norm("merger.ln_q", d)
    t.linear("merger.mlp.0", c.merged_size, c.merged_size)
    t.linear("merger.mlp.2", c.out_hidden_size, c.merged_size)


def _decoder(t: _Table, c: DecoderConfig, embedding_size: int) -> None:
    hidden, inner, kv = c.hidden_size, c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim
    t.add("embed_tokens.weight", c.vocab_size, embedding_size)
    for i in range(c.num_layers):
        layer = t.scope(f"layers.{i}")
        layer.linear("self_attn.q_proj", inner, hidden)
        layer.linear("self_attn.k_proj", kv, hidden)
        layer.linear("self_attn.v_proj", kv, hidden)
        layer.linear("self_attn.o_proj", hidden, inner, bias=False)
        layer.linear("mlp.gate_proj", c.intermediate_size, hidden, bias=False)
        layer.linear("mlp.up_proj", c.intermediate_size, hidden, bias=False)
        layer.linear("mlp.down_proj", hidden, c.intermediate_size, bias=False)
        layer.norm("input_layernorm", hidden)
        layer.norm("post_attention_layernorm", hidden)
    t.norm("norm", hidden)


def _talker(t: _Table, c: TalkerConfig) -> None:
    t.linear("thinker_to_talker_proj", c.decoder.hidden_size, c.embedding_size)
    _decoder(t.scope("model"), c.decoder, c.embedding_size)
    t.linear("codec_head", c.decoder.vocab_size, c.decoder.hidden_size, bias=False)


def _token2wav(t: _Table, c: Token2WavConfig) -> None:
    _dit(t.scope("code2wav_dit_model"), c.dit)
    _bigvgan(t.scope("code2wav_bigvgan_model"), c.bigvgan)


def _dit(t: _Table, c: DitConfig) -> None:
    d = c.hidden_size
    t.linear("time_embed.time_mlp.0", d, c.time_dim)
    t.linear("time_embed.time_mlp.2", d, d)
    t.add("text_embed.codec_embed.weight", c.num_codes + 1, c.codec_dim)
    t.linear("input_embed.proj", d, c.input_dim)
    _speaker(t.scope("input_embed.spk_encoder"), c.speaker)
    t.add("rotary_embed.inv_freq", c.head_dim // 2)
    for i in range(c.num_layers):
        block = t.scope(f"transformer_blocks.{i}")
        block.linear("attn_norm.linear", 6 * d, d)
        for name in ("to_q", "to_k", "to_v", "to_out.0"):
            block.linear(f"attn.{name}", d, d)
        block.linear("ff.ff.0", c.ff_dim, d)
        block.linear("ff.ff.3", d, c.ff_dim)
    t.linear("norm_out.linear", 2 * d, d)
    t.linear("proj_out", c.mel_dim, d)


def _speaker(t: _Table, c: SpeakerConfig) -> None:
    width, joined = c.channels[0], c.channels[-1]
    part = width // c.res2net_scale
    t.linear("blocks.0.conv", width, c.mel_dim, c.kernel_sizes[0])
    for i in range(1, len(c.channels) - 1):
        block = t.scope(f"blocks.{i}")
        block.linear("tdnn1.conv", width, width, 1)
        for k in range(c.res2net_scale - 1):
            block.linear(f"res2net_block.blocks.{k}.conv", part, part, c.kernel_sizes[i])
        block.linear("tdnn2.conv", width, width, 1)
        block.linear("se_block.conv1", c.se_channels, width, 1)
        block.linear("se_block.conv2", width, c.se_channels, 1)
    t.linear("mfa.conv", joined, joined, c.kernel_sizes[-1])
    t.linear("asp.tdnn.conv", c.attention_channels, 3 * joined, 1)
    t.linear("asp.conv", joined, c.attention_channels, 1)
    t.linear("fc", c.dim, 2 * joined, 1)


def _bigvgan(t: _Table, c: BigVGANConfig) -> None:
    t.linear("conv_pre", c.initial_channels, c.mel_dim, 7)
    width, kernels = c.initial_channels, c.resblock_kernel_sizes
    for i, kernel in enumerate(c.upsample_kernel_sizes):
        t.add(f"ups.{i}.0.weight", width, width // 2, kernel)
        t.add(f"ups.{i}.0.bias", width // 2)
        width //= 2
        for j, size in enumerate(kernels):
            _residual_block(t.scope(f"resblocks.{i * len(kernels) + j}"), width, size)
    _snake(t.scope("activation_post"), width)
    t.linear("conv_post", 1, width, 7, bias=False)


def _residual_block(t: _Table, width: int, kernel: int) -> None:
    for i in range(3):
        t.linear(f"convs1.{i}", width, width, kernel)
        t.linear(f"convs2.{i}", width, width, kernel)
    for i in range(6):
        _snake(t.scope(f"activations.{i}"), width)


def _snake(t: _Table, width: int) -> None:
    t.add("act.alpha", width)
    t.add("act.beta", width)
