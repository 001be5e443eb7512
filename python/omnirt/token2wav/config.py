"""Sizes of Token2Wav: speaker encoder, flow-matching transformer (DiT), BigVGAN vocoder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from omnirt.config import Section

SAMPLES_PER_FRAME = 240  # 24 kHz speech from 100 mel frames a second
SAMPLE_RATE = 24_000


@dataclass(frozen=True)
class SpeakerConfig:
    """ECAPA-TDNN (arXiv 2005.07143): reference mel -> one vector of ``dim`` numbers."""

    mel_dim: int
    channels: tuple[int, ...]
    kernel_sizes: tuple[int, ...]
    dilations: tuple[int, ...]
    attention_channels: int
    res2net_scale: int
    se_channels: int
    dim: int

    @property
    def reach(self) -> int:
        """Frames that its widest convolution mirrors at an end; a recording must have more."""
        pairs = zip(self.kernel_sizes, self.dilations, strict=True)
        return max(dilation * (kernel - 1) // 2 for kernel, dilation in pairs)

    @classmethod
    def from_section(cls, s: Section) -> "SpeakerConfig":
        config = cls(
            mel_dim=s.size("mel_dim"),
            channels=s.wholes("enc_channels"),
            kernel_sizes=s.wholes("enc_kernel_sizes"),
            dilations=s.wholes("enc_dilations"),
            attention_channels=s.size("enc_attention_channels"),
            res2net_scale=s.size("enc_res2net_scale"),
            se_channels=s.size("enc_se_channels"),
            dim=s.size("enc_dim"),
        )
        config._check(s)
        return config

    def _check(self, s: Section) -> None:
        channels, kernels, scale = self.channels, self.kernel_sizes, self.res2net_scale
        s.require(
            len(channels) >= 3 and len(set(channels[:-1])) == 1 and channels[0] % scale == 0,
            "enc_channels",
            list(channels),
            f"all but the last must be equal and a multiple of enc_res2net_scale={scale}",
        )
        joined = sum(channels[1:-1])
        s.require(
            channels[-1] == joined, "enc_channels", list(channels), f"the last must be {joined}"
        )
        same = len(channels) == len(kernels) == len(self.dilations)
        s.require(
            same and all(k % 2 for k in kernels) and all(self.dilations),
            "enc_kernel_sizes",
            list(kernels),
            "must be odd, and as many as enc_channels and enc_dilations (each > 0)",
        )


@dataclass(frozen=True)
class DitConfig:
    """The flow-matching transformer; block_size is in mel frames.

    look_backward_layers, look_ahead_layers: layers whose blocks also see the previous or
    next block.
    num_codes: codec ids that the talker may speak; the table has one row more.
    """

    hidden_size: int
    num_layers: int
    num_heads: int
    head_dim: int
    ff_mult: int
    codec_dim: int
    speaker_dim: int
    mel_dim: int
    num_codes: int
    repeats: int
    block_size: int
    look_ahead_layers: frozenset[int]
    look_backward_layers: frozenset[int]
    speaker: SpeakerConfig
    rope_theta: float
    time_dim: int = 256
    norm_eps: float = 1e-6

    @property
    def input_dim(self) -> int:
        """Width of the concatenated input: noisy mel, speaker vector, voice vector, code."""
        return self.mel_dim + self.speaker.dim + self.speaker_dim + self.codec_dim

    @property
    def cached_layers(self) -> tuple[int, ...]:
        """Layers that look back, in order: a window leaves its last keys and values there."""
        return tuple(i for i in range(self.num_layers) if i in self.look_backward_layers)

    @property
    def ff_dim(self) -> int:
        return self.hidden_size * self.ff_mult

    @classmethod
    def from_section(cls, s: Section) -> "DitConfig":
        """Released files say dim, depth, heads; newer names win. The mask's keys have defaults."""
        config = cls(
            hidden_size=s.size("hidden_size", "dim"),
            num_layers=s.size("num_hidden_layers", "depth"),
            num_heads=s.size("num_attention_heads", "heads"),
            head_dim=s.size("head_dim"),
            ff_mult=s.size("ff_mult"),
            codec_dim=s.size("emb_dim"),
            speaker_dim=s.size("enc_emb_dim"),
            mel_dim=s.size("mel_dim"),
            num_codes=s.size("num_embeds"),
            repeats=s.size("repeats"),
            block_size=s.size("block_size", default=24),
            look_ahead_layers=frozenset(s.wholes("look_ahead_layers", default=(10,))),
            look_backward_layers=frozenset(s.wholes("look_backward_layers", default=(0, 20))),
            speaker=SpeakerConfig.from_section(s),
            rope_theta=s.number("rope_theta", default=10000.0),
        )
        config._check(s)
        return config

    def _check(self, s: Section) -> None:
        inner = self.num_heads * self.head_dim
        s.require(
            self.hidden_size == inner,
            "hidden_size",
            self.hidden_size,
            f"must equal num_attention_heads * head_dim = {inner}",
        )
        s.require(
            self.head_dim % 2 == 0, "head_dim", self.head_dim, "must be even for rotary pairs"
        )
        s.require(
            self.block_size % self.repeats == 0,
            "block_size",
            self.block_size,
            f"must hold whole codes: a multiple of repeats={self.repeats}",
        )


@dataclass(frozen=True)
class BigVGANConfig:
    """The vocoder (BigVGAN, arXiv 2206.04658): mel -> waveform, channels halve at each stage."""

    mel_dim: int
    initial_channels: int
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]

    @property
    def hop(self) -> int:
        """Samples per mel frame."""
        return math.prod(self.upsample_rates)

    @classmethod
    def from_section(cls, s: Section) -> "BigVGANConfig":
        config = cls(
            mel_dim=s.size("mel_dim"),
            initial_channels=s.size("upsample_initial_channel"),
            upsample_rates=s.wholes("upsample_rates"),
            upsample_kernel_sizes=s.wholes("upsample_kernel_sizes"),
            resblock_kernel_sizes=s.wholes("resblock_kernel_sizes"),
            resblock_dilations=s.rows("resblock_dilation_sizes"),
        )
        config._check(s)
        return config

    def _check(self, s: Section) -> None:
        rates, kernels = self.upsample_rates, self.upsample_kernel_sizes
        s.require(
            self.hop == SAMPLES_PER_FRAME,
            "upsample_rates",
            list(rates),
            f"the product must be {SAMPLES_PER_FRAME} samples a mel frame, is {self.hop}",
        )
        fits = all(k >= r and (k - r) % 2 == 0 for r, k in zip(rates, kernels, strict=False))
        s.require(
            len(kernels) == len(rates) and fits,
            "upsample_kernel_sizes",
            list(kernels),
            f"must be as many as upsample_rates={list(rates)}, each larger by an even number",
        )
        s.require(
            self.initial_channels % 2 ** len(rates) == 0,
            "upsample_initial_channel",
            self.initial_channels,
            f"must be a multiple of {2 ** len(rates)}",
        )
        dilations = self.resblock_dilations
        s.require(
            len(dilations) == len(self.resblock_kernel_sizes)
            and all(len(row) == 3 and all(row) for row in dilations),
            "resblock_dilation_sizes",
            [list(row) for row in dilations],
            "must hold 3 dilations > 0 for each of resblock_kernel_sizes",
        )
        s.require(
            all(k % 2 for k in self.resblock_kernel_sizes),
            "resblock_kernel_sizes",
            list(self.resblock_kernel_sizes),
            "must be odd",
        )


@dataclass(frozen=True)
class Token2WavConfig:
    """Codec ids -> mel -> 24 kHz waveform."""

    dit: DitConfig
    bigvgan: BigVGANConfig

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    @classmethod
    def from_dict(cls, values: Mapping) -> "Token2WavConfig":
        """Read ``token2wav_config`` of config.json. Raises CheckpointError."""
        s = Section(values, "token2wav_config")
        config = cls(
            dit=DitConfig.from_section(s.section("dit_config")),
            bigvgan=BigVGANConfig.from_section(s.section("bigvgan_config")),
        )
        mel = config.dit.mel_dim
        s.require(
            config.bigvgan.mel_dim == mel,
            "bigvgan_config.mel_dim",
            config.bigvgan.mel_dim,
            f"must equal dit_config.mel_dim={mel}",
        )
        return config
