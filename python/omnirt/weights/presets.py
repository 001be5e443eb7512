"""config.json of the released sizes and of small ones of the same shape, made from a few numbers.

The released values are those of Qwen/Qwen2.5-Omni-3B and Qwen/Qwen2.5-Omni-7B. Small presets keep
the layout (grouped heads, rotary sections, masks, every component) and have a small vocabulary.
"""

from dataclasses import dataclass

from omnirt.errors import InputError

RELEASED_PLAIN_TOKENS = 151643
SMALL_PLAIN_TOKENS = 512
# Offsets of special ids from the first one, which follows the plain tokens.
TEXT_PAD, TEXT_BOS, TEXT_EOS, FIRST_VOICE = 216, 217, 218, 229


@dataclass(frozen=True)
class Decoder:
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    mrope_section: tuple[int, int, int]


@dataclass(frozen=True)
class Preset:
    """Sizes that differ between presets; what all share is written in ``config_of``."""

    text: Decoder
    talker: Decoder
    vocab_size: int
    plain_tokens: int = SMALL_PLAIN_TOKENS
    audio: tuple[int, int, int, int] = (48, 2, 3, 96)  # d_model, layers, heads, ffn
    vision: tuple[int, int, int, int] = (32, 4, 2, 76)  # hidden, depth, heads, intermediate
    full_attention_blocks: tuple[int, ...] = (1, 3)
    dit: tuple[int, int, int] = (32, 4, 2)  # hidden, depth, heads
    look_ahead: tuple[int, ...] = (1,)
    look_backward: tuple[int, ...] = (0, 2)
    codec_dim: int = 16
    speaker: tuple[int, int, int, int] = (16, 16, 8, 8)  # dim, channels, attention, se
    vocoder_channels: int = 64

    @property
    def head_dim(self) -> int:
        return 2 * sum(self.talker.mrope_section)


_RELEASED = {
    "plain_tokens": RELEASED_PLAIN_TOKENS,
    "audio": (1280, 32, 20, 5120),
    "vision": (1280, 32, 16, 3420),
    "full_attention_blocks": (7, 15, 23, 31),
    "dit": (1024, 22, 16),
    "look_ahead": (10,),
    "look_backward": (0, 20),
    "codec_dim": 512,
    "speaker": (128, 256, 64, 64),
    "vocoder_channels": 1536,
}

PRESETS = {
    "3b": Preset(
        text=Decoder(2048, 11008, 36, 16, 2, (16, 24, 24)),
        talker=Decoder(896, 4864, 24, 14, 2, (16, 16, 0)),
        vocab_size=151936,
        **_RELEASED,
    ),
    "7b": Preset(
        text=Decoder(3584, 18944, 28, 28, 4, (16, 24, 24)),
        talker=Decoder(896, 18944, 24, 12, 4, (16, 24, 24)),
        vocab_size=152064,
        **_RELEASED,
    ),
    "tiny": Preset(
        text=Decoder(256, 320, 3, 2, 1, (16, 24, 24)),
        talker=Decoder(128, 192, 2, 4, 2, (16, 16, 0)),
        vocab_size=768,
    ),
    "tiny-7b": Preset(
        text=Decoder(256, 384, 3, 8, 4, (4, 6, 6)),
        talker=Decoder(96, 224, 2, 4, 4, (16, 24, 24)),
        vocab_size=768,
    ),
    "odd": Preset(
        text=Decoder(102, 151, 3, 3, 1, (5, 7, 5)),
        talker=Decoder(43, 61, 2, 3, 1, (3, 5, 3)),
        vocab_size=757,
        audio=(42, 3, 3, 67),
        vision=(60, 3, 3, 41),
        full_attention_blocks=(2,),
        dit=(30, 3, 3),
        look_ahead=(2,),
        look_backward=(1,),
        codec_dim=11,
        speaker=(9, 10, 5, 3),
    ),
}


def preset(name: str) -> Preset:
    if name not in PRESETS:
        raise InputError(f"preset={name!r}: use one of {', '.join(sorted(PRESETS))}")
    return PRESETS[name]


def config_of(p: Preset, first_special: int) -> dict:
    """A config.json in the released layout, Token2Wav with the old and the new key names.

    first_special: id of <|endoftext|>; the other special ids keep their released distance from it.
    """
    media = {
        "audio_token_index": first_special + 3,
        "audio_start_token_id": first_special + 4,
        "audio_end_token_id": first_special + 5,
        "vision_start_token_id": first_special + 9,
        "vision_end_token_id": first_special + 10,
        "image_token_index": first_special + 12,
        "video_token_index": first_special + 13,
        "position_id_per_seconds": 25,
        "seconds_per_chunk": 2,
    }
    return {
        "architectures": ["Qwen2_5OmniModel"],
        "model_type": "qwen2_5_omni",
        "enable_audio_output": True,
        "enable_talker": True,
        "torch_dtype": "bfloat16",
        "thinker_config": _thinker(p, media, first_special),
        "talker_config": _talker(p, media, first_special),
        "token2wav_config": {
            "model_type": "qwen2_5_omni_token2wav",
            "dit_config": _dit(p),
            "bigvgan_config": _bigvgan(p),
        },
    }


def _decoder(d: Decoder, vocab_size: int) -> dict:
    return {
        "hidden_size": d.hidden,
        "intermediate_size": d.intermediate,
        "num_hidden_layers": d.layers,
        "num_attention_heads": d.heads,
        "num_key_value_heads": d.kv_heads,
        "vocab_size": vocab_size,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "rope_scaling": {
            "mrope_section": list(d.mrope_section),
            "rope_type": "default",
            "type": "default",
        },
        "max_position_embeddings": 32768,
        "max_window_layers": 28,
        "use_sliding_window": False,
        "sliding_window": 32768,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "use_cache": True,
    }


def _thinker(p: Preset, media: dict, first_special: int) -> dict:
    d_model, layers, heads, ffn = p.audio
    width, depth, vision_heads, intermediate = p.vision
    return {
        "model_type": "qwen2_5_omni_thinker",
        **media,
        "pad_token_id": first_special,
        "bos_token_id": first_special + 1,
        "eos_token_id": first_special + 2,
        "vision_token_id": first_special + 11,
        "torch_dtype": "bfloat16",
        "text_config": {"model_type": "qwen2_5_omni_text", **_decoder(p.text, p.vocab_size)},
        "audio_config": {
            "model_type": "qwen2_5_omni_audio_encoder",
            "activation_function": "gelu",
            "d_model": d_model,
            "encoder_layers": layers,
            "num_hidden_layers": layers,
            "encoder_attention_heads": heads,
            "encoder_ffn_dim": ffn,
            "num_mel_bins": 128,
            "n_window": 100,
            "max_source_positions": 1500,
            "output_dim": p.text.hidden,
            "scale_embedding": False,
        },
        "vision_config": {
            "model_type": "qwen2_5_omni_vision_encoder",
            "depth": depth,
            "embed_dim": width,
            "hidden_size": width,
            "hidden_act": "silu",
            "num_heads": vision_heads,
            "intermediate_size": intermediate,
            "in_channels": 3,
            "in_chans": 3,
            "patch_size": 14,
            "spatial_patch_size": 14,
            "temporal_patch_size": 2,
            "spatial_merge_size": 2,
            "tokens_per_second": 25,
            "window_size": 112,
            "fullatt_block_indexes": list(p.full_attention_blocks),
            "out_hidden_size": p.text.hidden,
        },
    }


def _talker(p: Preset, media: dict, first_special: int) -> dict:
    return {
        "model_type": "qwen2_5_omni_talker",
        **media,
        **_decoder(p.talker, vocab_size=8448),
        "head_dim": p.head_dim,
        "embedding_size": p.text.hidden,
        "spatial_merge_size": 2,
        "torch_dtype": "bfloat16",
        "tts_codec_pad_token_id": 8292,
        "tts_codec_start_token_id": 8293,
        "tts_codec_end_token_id": 8294,
        "tts_codec_mask_token_id": 8296,
        "tts_text_pad_token_id": first_special + TEXT_PAD,
        "tts_text_start_token_id": first_special + TEXT_BOS,
        "tts_text_end_token_id": first_special + TEXT_EOS,
    }


def _dit(p: Preset) -> dict:
    dim, depth, heads = p.dit
    speaker_dim, channels, attention, squeeze = p.speaker
    return {
        "model_type": "qwen2_5_omni_dit",
        "dim": dim,
        "depth": depth,
        "heads": heads,
        "hidden_size": dim,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "head_dim": dim // heads,
        "ff_mult": 2,
        "emb_dim": p.codec_dim,
        "mel_dim": 80,
        "num_embeds": 8193,
        "repeats": 2,
        "block_size": 24,
        "look_ahead_layers": list(p.look_ahead),
        "look_backward_layers": list(p.look_backward),
        "enc_dim": speaker_dim,
        "enc_emb_dim": 192,
        "enc_channels": [channels] * 4 + [3 * channels],
        "enc_kernel_sizes": [5, 3, 3, 3, 1],
        "enc_dilations": [1, 2, 3, 4, 1],
        "enc_attention_channels": attention,
        "enc_res2net_scale": 2,
        "enc_se_channels": squeeze,
        "torch_dtype": "float32",
    }


def _bigvgan(p: Preset) -> dict:
    return {
        "model_type": "qwen2_5_omni_bigvgan",
        "mel_dim": 80,
        "upsample_initial_channel": p.vocoder_channels,
        "upsample_rates": [5, 3, 2, 2, 2, 2],
        "upsample_kernel_sizes": [11, 7, 4, 4, 4, 4],
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5]] * 3,
        "use_bias_at_final": False,
    }
