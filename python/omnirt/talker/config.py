"""Sizes and special ids of the Talker, the language model that speaks in codec ids."""

from collections.abc import Mapping
from dataclasses import dataclass

from omnirt.config import DecoderConfig, Section


@dataclass(frozen=True)
class TalkerConfig:
    """The Talker. codec_* are rows of its own table, text_* rows of the Thinker's.

    embedding_size: width of its input rows, equal to the Thinker's hidden size; they are projected
    to decoder.hidden_size.
    """

    decoder: DecoderConfig
    embedding_size: int
    codec_pad_id: int
    codec_bos_id: int
    codec_eos_id: int
    codec_mask_id: int
    text_pad_id: int
    text_bos_id: int
    text_eos_id: int

    @property
    def stop_ids(self) -> tuple[int, int]:
        """Ids that end a speech: padding and end."""
        return self.codec_pad_id, self.codec_eos_id

    @property
    def suppressed_ids(self) -> tuple[int, ...]:
        """Ids that are never sampled."""
        return (self.codec_bos_id,)

    @classmethod
    def from_dict(cls, values: Mapping) -> "TalkerConfig":
        """Read ``talker_config`` of config.json. Raises CheckpointError."""
        s = Section(values, "talker_config")
        config = cls(
            decoder=DecoderConfig.from_section(s),
            embedding_size=s.size("embedding_size"),
            codec_pad_id=s.token("tts_codec_pad_token_id"),
            codec_bos_id=s.token("tts_codec_start_token_id"),
            codec_eos_id=s.token("tts_codec_end_token_id"),
            codec_mask_id=s.token("tts_codec_mask_token_id"),
            text_pad_id=s.token("tts_text_pad_token_id"),
            text_bos_id=s.token("tts_text_start_token_id"),
            text_eos_id=s.token("tts_text_end_token_id"),
        )
        largest = max(
            config.codec_pad_id, config.codec_bos_id, config.codec_eos_id, config.codec_mask_id
        )
        vocab = config.decoder.vocab_size
        s.require(largest < vocab, "vocab_size", vocab, f"must be above the codec id {largest}")
        return config
