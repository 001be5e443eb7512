"""Sizes and special ids of the Thinker: audio encoder, vision encoder, language model."""

from collections.abc import Mapping
from dataclasses import dataclass

from omnirt.config import DecoderConfig, Section


@dataclass(frozen=True)
class AudioConfig:
    """The Whisper-style encoder. n_window: half of a chunk's mel frames, chunks are independent."""

    d_model: int
    num_layers: int
    num_heads: int
    ffn_dim: int
    mel_bins: int
    n_window: int
    max_source_positions: int
    output_dim: int
    layer_norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.d_model // self.num_heads

    @classmethod
    def from_section(cls, s: Section) -> "AudioConfig":
        s.refuse("activation_function", "gelu")
        s.refuse("scale_embedding", False)
        config = cls(
            d_model=s.size("d_model"),
            num_layers=s.size("encoder_layers", "num_hidden_layers"),
            num_heads=s.size("encoder_attention_heads"),
            ffn_dim=s.size("encoder_ffn_dim"),
            mel_bins=s.size("num_mel_bins"),
            n_window=s.size("n_window"),
            max_source_positions=s.size("max_source_positions"),
            output_dim=s.size("output_dim"),
        )
        config._check(s)
        return config

    def _check(self, s: Section) -> None:
        d, heads, window = self.d_model, self.num_heads, self.n_window
        s.require(d % heads == 0, "encoder_attention_heads", heads, f"must divide d_model={d}")
        s.require(d % 2 == 0 and d > 2, "d_model", d, "must be even: half sine, half cosine")
        limit = self.max_source_positions
        s.require(
            window % 2 == 0 and window <= limit,
            "n_window",
            window,
            f"must be even and at most max_source_positions={limit}",
        )


@dataclass(frozen=True)
class VisionConfig:
    """The vision transformer.

    window_size: side of an attention window in pixels. full_attention_blocks: blocks that attend
    over a whole frame pair instead.
    """

    depth: int
    hidden_size: int
    num_heads: int
    intermediate_size: int
    patch_size: int
    temporal_patch_size: int
    spatial_merge_size: int
    window_size: int
    full_attention_blocks: frozenset[int]
    out_hidden_size: int
    in_channels: int
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def patch_dim(self) -> int:
        """Numbers in one flattened patch (channels x frames x height x width)."""
        return self.in_channels * self.temporal_patch_size * self.patch_size**2

    @property
    def merged_size(self) -> int:
        """Width of one merge unit: spatial_merge_size^2 patches side by side."""
        return self.hidden_size * self.spatial_merge_size**2

    @classmethod
    def from_section(cls, s: Section) -> "VisionConfig":
        s.refuse("hidden_act", "silu")
        config = cls(
            depth=s.size("depth"),
            hidden_size=s.size("hidden_size", "embed_dim"),
            num_heads=s.size("num_heads"),
            intermediate_size=s.size("intermediate_size"),
            patch_size=s.size("patch_size", "spatial_patch_size"),
            temporal_patch_size=s.size("temporal_patch_size"),
            spatial_merge_size=s.size("spatial_merge_size"),
            window_size=s.size("window_size"),
            full_attention_blocks=frozenset(s.wholes("fullatt_block_indexes")),
            out_hidden_size=s.size("out_hidden_size"),
            in_channels=s.size("in_channels", "in_chans", default=3),
        )
        config._check(s)
        return config

    def _check(self, s: Section) -> None:
        hidden, heads, depth = self.hidden_size, self.num_heads, self.depth
        s.require(hidden % heads == 0, "num_heads", heads, f"must divide hidden_size={hidden}")
        s.require(
            self.head_dim % 4 == 0,
            "hidden_size",
            hidden,
            f"must be a multiple of 4 * num_heads={heads}, for rotary angles in two axes",
        )
        s.require(
            all(block < depth for block in self.full_attention_blocks),
            "fullatt_block_indexes",
            sorted(self.full_attention_blocks),
            f"must be below depth={depth}",
        )
        unit = self.patch_size * self.spatial_merge_size
        s.require(
            self.window_size % unit == 0,
            "window_size",
            self.window_size,
            f"must be a multiple of patch_size * spatial_merge_size = {unit}",
        )


@dataclass(frozen=True)
class ThinkerConfig:
    """The Thinker. Ids are rows of the language model's embedding table."""

    text: DecoderConfig
    audio: AudioConfig
    vision: VisionConfig
    audio_token_id: int
    image_token_id: int
    video_token_id: int
    audio_start_id: int
    audio_end_id: int
    vision_start_id: int
    vision_end_id: int
    position_id_per_seconds: int
    seconds_per_chunk: int
    bos_id: int
    eos_id: int
    pad_id: int

    @classmethod
    def from_dict(cls, values: Mapping) -> "ThinkerConfig":
        """Read ``thinker_config`` of config.json. Raises CheckpointError."""
        s = Section(values, "thinker_config")
        config = cls(
            text=DecoderConfig.from_section(s.section("text_config")),
            audio=AudioConfig.from_section(s.section("audio_config")),
            vision=VisionConfig.from_section(s.section("vision_config")),
            audio_token_id=s.token("audio_token_id", "audio_token_index"),
            image_token_id=s.token("image_token_id", "image_token_index"),
            video_token_id=s.token("video_token_id", "video_token_index"),
            audio_start_id=s.token("audio_start_token_id"),
            audio_end_id=s.token("audio_end_token_id"),
            vision_start_id=s.token("vision_start_token_id"),
            vision_end_id=s.token("vision_end_token_id"),
            position_id_per_seconds=s.size("position_id_per_seconds"),
            seconds_per_chunk=s.size("seconds_per_chunk"),
            bos_id=s.token("bos_token_id"),
            eos_id=s.token("eos_token_id"),
            pad_id=s.token("pad_token_id"),
        )
        config._check(s)
        return config

    def _check(self, s: Section) -> None:
        hidden, vocab = self.text.hidden_size, self.text.vocab_size
        for key, width in (
            ("audio_config.output_dim", self.audio.output_dim),
            ("vision_config.out_hidden_size", self.vision.out_hidden_size),
        ):
            s.require(width == hidden, key, width, f"must equal text_config.hidden_size={hidden}")
        largest = max(
            *(self.audio_token_id, self.image_token_id, self.video_token_id),
            *(self.audio_start_id, self.audio_end_id, self.vision_start_id, self.vision_end_id),
            *(self.bos_id, self.eos_id, self.pad_id),
        )
        s.require(
            largest < vocab,
            "text_config.vocab_size",
            vocab,
            f"must be above the largest special token id, {largest}",
        )
