"""The whole model's configuration: config.json read, checked and cross-checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omnirt.config import Section
from omnirt.errors import CheckpointError
from omnirt.talker.config import TalkerConfig
from omnirt.thinker.config import ThinkerConfig
from omnirt.token2wav.config import Token2WavConfig

from .quantization_config import QuantizationConfig


@dataclass(frozen=True)
class ModelConfig:
    """talker and token2wav are both there, or both None for a checkpoint that only writes text."""

    thinker: ThinkerConfig
    talker: TalkerConfig | None
    token2wav: Token2WavConfig | None
    quantization: QuantizationConfig = QuantizationConfig()

    @classmethod
    def from_dict(cls, values: Mapping) -> "ModelConfig":
        """Read a parsed config.json. Raises CheckpointError with key, value and fix."""
        s = Section(values, "config")
        s.refuse("model_type", "qwen2_5_omni")
        quantization = QuantizationConfig.from_config(s)
        thinker = ThinkerConfig.from_dict(s.mapping("thinker_config"))
        speaks = values.get("enable_audio_output", True) and values.get("enable_talker", True)
        if not (speaks and s.has("talker_config")):
            return cls(thinker, None, None, quantization)
        talker = TalkerConfig.from_dict(s.mapping("talker_config"))
        token2wav = Token2WavConfig.from_dict(s.mapping("token2wav_config"))
        _check_hand_over(s, thinker, talker, token2wav)
        return cls(thinker, talker, token2wav, quantization)

    @classmethod
    def from_file(cls, path: Path) -> "ModelConfig":
        return cls.from_dict(read_json(path))


def read_json(path: Path) -> dict:
    """An object from a JSON file. Raises CheckpointError if it is absent or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file; download the checkpoint again") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not readable as JSON ({error}); download it again"
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds no JSON object; download it again")
    return values


def _check_hand_over(
    s: Section, thinker: ThinkerConfig, talker: TalkerConfig, token2wav: Token2WavConfig
) -> None:
    """Sizes that one model hands to the next."""
    hidden, vocab = thinker.text.hidden_size, thinker.text.vocab_size
    s.require(
        talker.embedding_size == hidden,
        "talker_config.embedding_size",
        talker.embedding_size,
        f"must equal thinker_config.text_config.hidden_size={hidden}",
    )
    largest = max(talker.text_pad_id, talker.text_bos_id, talker.text_eos_id)
    s.require(
        largest < vocab,
        "thinker_config.text_config.vocab_size",
        vocab,
        f"must be above the talker's text id {largest}",
    )
    codes, codec_vocab = token2wav.dit.num_codes, talker.decoder.vocab_size
    s.require(
        codes <= codec_vocab,
        "token2wav_config.dit_config.num_embeds",
        codes,
        f"must be at most talker_config.vocab_size={codec_vocab}",
    )
