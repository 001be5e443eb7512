"""config.json: both generations of key names load; what does not fit together is named."""

import copy

import pytest

from omnirt.config import Environment
from omnirt.errors import CheckpointError, InputError
from omnirt.weights.model_config import ModelConfig
from omnirt.weights.presets import config_of, preset

TEXT = "thinker_config.text_config"
VISION = "thinker_config.vision_config"
AUDIO = "thinker_config.audio_config"
TALKER = "talker_config"
DIT = "token2wav_config.dit_config"
VOCODER = "token2wav_config.bigvgan_config"

# where, key, bad value (None removes the key), what the message must say
BAD = [
    ("", "thinker_config", None, "config.thinker_config is missing"),
    ("", "model_type", "qwen2_vl", "use 'qwen2_5_omni'"),
    ("", "quantization_config", {"bits": 4}, "quantization_config"),
    ("thinker_config", "eos_token_id", -1, "token id >= 0"),
    ("thinker_config", "text_config", [], "must be an object"),
    (TEXT, "hidden_size", None, "text_config.hidden_size is missing"),
    (TEXT, "hidden_size", 256.0, "hidden_size=256.0: must be a whole number"),
    (TEXT, "num_attention_heads", 3, "num_attention_heads=3: must divide hidden_size=256"),
    (TEXT, "num_key_value_heads", 4, "num_key_value_heads=4: must divide num_attention_heads=2"),
    (TEXT, "vocab_size", 520, "vocab_size=520: must be above the largest special token id, 525"),
    (TEXT, "vocab_size", 700, "vocab_size=700: must be above the talker's text id 730"),
    (TEXT, "rope_scaling", {"mrope_section": [16, 24, 23]}, "sum to head_dim / 2 = 64"),
    (TEXT, "rope_scaling", {"rope_type": "yarn", "mrope_section": [16, 24, 24]}, "'yarn'"),
    (TEXT, "rope_theta", 0, "rope_theta=0: must be a number > 0"),
    (TEXT, "use_sliding_window", True, "not supported"),
    (TEXT, "tie_word_embeddings", True, "not supported"),
    (TEXT, "hidden_act", "gelu", "use 'silu'"),
    (AUDIO, "output_dim", 128, "output_dim=128: must equal text_config.hidden_size=256"),
    (AUDIO, "encoder_attention_heads", 5, "must divide d_model=48"),
    (AUDIO, "n_window", 101, "must be even"),
    (VISION, "out_hidden_size", 128, "out_hidden_size=128: must equal"),
    (VISION, "num_heads", 3, "must divide hidden_size=32"),
    (VISION, "num_heads", 16, "multiple of 4 \\* num_heads=16"),
    (VISION, "fullatt_block_indexes", [1, 4], "must be below depth=4"),
    (VISION, "window_size", 100, "must be a multiple of patch_size \\* spatial_merge_size = 28"),
    (TALKER, "embedding_size", 128, "must equal thinker_config.text_config.hidden_size=256"),
    (TALKER, "head_dim", 63, "must be even"),
    (TALKER, "head_dim", 128, "sum to head_dim / 2 = 64"),
    (TALKER, "vocab_size", 8296, "vocab_size=8296: must be above the codec id 8296"),
    (TALKER, "tts_codec_end_token_id", None, "tts_codec_end_token_id is missing"),
    (DIT, "hidden_size", 48, "must equal num_attention_heads \\* head_dim = 32"),
    (DIT, "num_embeds", 9000, "must be at most talker_config.vocab_size=8448"),
    (DIT, "block_size", 25, "multiple of repeats=2"),
    (DIT, "enc_channels", [16, 16, 8, 16, 48], "all but the last must be equal"),
    (DIT, "enc_channels", [16, 16, 16, 16, 40], "the last must be 48"),
    (DIT, "enc_kernel_sizes", [5, 3, 3, 3], "as many as enc_channels"),
    (VOCODER, "mel_dim", 100, "must equal dit_config.mel_dim=80"),
    (VOCODER, "upsample_rates", [5, 3, 2, 2, 2, 3], "must be 240 samples a mel frame, is 360"),
    (VOCODER, "upsample_kernel_sizes", [11, 7, 4, 4, 4, 5], "each larger by an even number"),
    (VOCODER, "upsample_initial_channel", 96, "must be a multiple of 64"),
    (VOCODER, "resblock_dilation_sizes", [[1, 3, 5]], "3 dilations > 0 for each"),
    (VOCODER, "resblock_kernel_sizes", [3, 7, 8], "must be odd"),
]


def tiny() -> dict:
    sizes = preset("tiny")
    return copy.deepcopy(config_of(sizes, sizes.plain_tokens))


def at(config: dict, path: str) -> dict:
    for key in filter(None, path.split(".")):
        config = config[key]
    return config


@pytest.mark.parametrize(("path", "key", "value", "message"), BAD)
def test_bad_value_is_named(path, key, value, message):
    config = tiny()
    at(config, path)[key] = value
    with pytest.raises(CheckpointError, match=message):
        ModelConfig.from_dict(config)


def test_newer_key_names_load_alike():
    config, want = tiny(), ModelConfig.from_dict(tiny())
    for path in (TEXT, TALKER):
        section = at(config, path)
        section["rope_parameters"] = section.pop("rope_scaling")
        section["rope_parameters"]["rope_theta"] = section.pop("rope_theta")
    del at(config, VISION)["embed_dim"], at(config, VISION)["in_chans"]
    for key in ("dim", "depth", "heads"):
        del at(config, DIT)[key]
    thinker = at(config, "thinker_config")
    for kind in ("audio", "image", "video"):
        thinker[f"{kind}_token_id"] = thinker.pop(f"{kind}_token_index")
    assert ModelConfig.from_dict(config) == want


def test_older_key_names_and_defaults_load_alike():
    config, want = tiny(), ModelConfig.from_dict(tiny())
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads"):
        del at(config, DIT)[key]
    del at(config, VISION)["hidden_size"], at(config, VISION)["in_channels"]
    assert ModelConfig.from_dict(config) == want
    for key in ("block_size", "look_ahead_layers", "look_backward_layers"):
        del at(config, DIT)[key]
    dit = ModelConfig.from_dict(config).token2wav.dit
    assert (dit.block_size, dit.look_ahead_layers) == (24, {10})
    assert dit.look_backward_layers == {0, 20}


def test_newer_dit_names_win():
    config = tiny()
    at(config, DIT)["dim"] = 1024
    assert ModelConfig.from_dict(config).token2wav.dit.hidden_size == 32


@pytest.mark.parametrize("key", ["enable_audio_output", "enable_talker"])
def test_checkpoint_without_speech(key):
    config = ModelConfig.from_dict({**tiny(), key: False})
    assert config.talker is None
    assert config.token2wav is None


def test_environment():
    assert Environment.read({}) == Environment(None, None)
    read = Environment.read({"OMNIRT_ISA": "avx2", "OMNIRT_THREADS": "3"})
    assert read == Environment("avx2", 3)
    for value in ("0", "-1", "two"):
        with pytest.raises(InputError, match="OMNIRT_THREADS"):
            Environment.read({"OMNIRT_THREADS": value})
