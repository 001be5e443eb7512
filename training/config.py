"""Sizes of the small model, and how long each stage trains.

The topology, tensor names and special tokens are the released ones (Qwen2.5-Omni technical report,
arXiv 2503.20215); only sizes, vocabulary and the codec's ids are smaller.
"""

from dataclasses import dataclass

from omnirt.weights.presets import Decoder, Preset, config_of

PLAIN_TOKENS = 1088  # bytes and whole words, and some spare
CODES = 1024  # ids 1..CODES; 0 is the flow's unconditional row
CODEC_PAD, CODEC_BOS, CODEC_EOS, CODEC_MASK = (CODES + i for i in (1, 2, 3, 4))
VOICES = ("Chelsie", "Ethan")
SPEECH_RATE = 24_000
WINDOW = 400  # mel frames (4 s) that the audio encoder sees at once: questions are rarely cut
REFERENCE_FRAMES = 300  # 3 s of each voice
MAX_PICTURE = 112 * 112  # pixels; larger pictures are made smaller

PRESET = Preset(
    text=Decoder(192, 576, 4, 3, 1, (8, 12, 12)),
    talker=Decoder(256, 768, 4, 4, 2, (16, 16, 0)),
    vocab_size=PLAIN_TOKENS + 256,
    plain_tokens=PLAIN_TOKENS,
    audio=(192, 3, 3, 768),
    vision=(128, 4, 2, 256),
    full_attention_blocks=(1, 3),
    dit=(192, 5, 3),
    look_ahead=(2,),
    look_backward=(0, 4),
    codec_dim=64,
    speaker=(64, 64, 32, 32),
    vocoder_channels=128,
)


def model_config() -> dict:
    """config.json of the small model, in the released layout."""
    values = config_of(PRESET, PLAIN_TOKENS)
    values["thinker_config"]["audio_config"]["n_window"] = WINDOW // 2
    values["talker_config"] |= {
        "vocab_size": CODES + 8,
        "tts_codec_pad_token_id": CODEC_PAD,
        "tts_codec_start_token_id": CODEC_BOS,
        "tts_codec_end_token_id": CODEC_EOS,
        "tts_codec_mask_token_id": CODEC_MASK,
    }
    values["token2wav_config"]["dit_config"]["num_embeds"] = CODES + 1
    values["token2wav_config"]["bigvgan_config"] |= {
        "upsample_rates": [5, 4, 4, 3],
        "upsample_kernel_sizes": [11, 8, 8, 7],
        "resblock_kernel_sizes": [3, 7],
        "resblock_dilation_sizes": [[1, 3, 5]] * 2,
    }
    return values


@dataclass(frozen=True)
class Budget:
    """One training run. rate: the highest learning rate of a cosine that starts with a ramp."""

    steps: int
    batch: int
    rate: float
