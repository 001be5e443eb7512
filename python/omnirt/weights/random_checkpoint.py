"""Seeded random checkpoints in the released layout: for tests, demos and timing; nothing learned.

The scales keep such a model lively: greedy replies wander instead of repeating one id, texts are
plain tokens, codec ids stay inside the vocoder's table, nothing ends by itself, and the speech
follows the codes.
"""

import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from omnirt.errors import InputError

from .model_config import ModelConfig
from .names import expected_tensors, in_part
from .presets import FIRST_VOICE, SMALL_PLAIN_TOKENS, Preset, config_of, preset
from .random_tokenizer import write_tokenizer
from .shards import write_shards
from .tensor_spec import TensorSpec

VOICES = ("Chelsie", "Ethan")
SHARD_BYTES = 4 << 30
REFERENCE_FRAMES = 400

# Numbers are drawn once and every tensor is a scaled, shifted tiling of them: 12 GB in seconds. The
# count is prime, so that no two rows of a matrix start at the same number.
_BLOCK = 4_194_301

# (part of the name, gain): weights have standard deviation gain / sqrt(inputs); first match counts.
_GAINS = (
    ("lm_head", 6.0),
    ("codec_head", 3.0),
    ("attn_norm.linear", 0.3),
    ("norm_out.linear", 0.3),
    ("conv_post", 0.06),
    ("conv_pre", 2.0),
    ("resblocks", 0.7),
    ("proj_out", 2.5),
    ("q_proj", 1.5),
    ("k_proj", 1.5),
)
# Those that write to the residual stream; divided by the root of the depth, so that the last token
# counts in a deep decoder too.
_RESIDUAL_GAINS = (
    ("o_proj", 2.5),
    ("down_proj", 1.0),
    ("out_proj", 1.0),
    ("fc2", 1.0),
    ("attn.proj", 1.0),
    ("to_out", 1.0),
    ("ff.ff.3", 1.0),
)
_TABLES = {"embed_tokens": 1.0, "audio_bos_eos_token": 1.0, "codec_embed": 3.0}


def write_random_checkpoint(
    folder: str | os.PathLike,
    preset_name: str = "tiny",
    seed: int = 0,
    voices: tuple[str, ...] = VOICES,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write a whole checkpoint to ``folder``, which appears only when it is complete.

    preset_name: a key of presets.PRESETS. Full sizes keep the released ids; only one tensor is in
    memory at a time. Raises InputError if the preset is unknown or the folder is not empty.
    """
    sizes = preset(preset_name)
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"folder={str(target)!r}: is there already; remove it or choose another")
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        _write(partial, sizes, seed, voices, shard_bytes)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _write(
    folder: Path, sizes: Preset, seed: int, voices: tuple[str, ...], shard_bytes: int
) -> None:
    first_special = sizes.plain_tokens
    values = config_of(sizes, first_special)
    config = ModelConfig.from_dict(values)
    write_tokenizer(folder, first_special)
    (folder / "config.json").write_text(json.dumps(values, indent=2))
    generation = {"eos_token_id": config.thinker.eos_id, "pad_token_id": config.thinker.pad_id}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2))
    source = _Source(config, seed)
    torch.save(source.speakers(voices, first_special), folder / "spk_dict.pt")
    write_shards(folder, source.specs, source.chunks, shard_bytes)


class _Source:
    """The values of every tensor, in flat pieces."""

    def __init__(self, config: ModelConfig, seed: int) -> None:
        self.specs = expected_tensors(config)
        self._config = config
        self._rng = np.random.Generator(np.random.Philox(seed))
        block = self._rng.standard_normal(_BLOCK, dtype=np.float32)
        self._block = torch.from_numpy(block)
        offsets = self._rng.integers(0, _BLOCK, len(self.specs))
        self._offsets = dict(zip(self.specs, offsets.tolist(), strict=True))

    def chunks(self, name: str) -> Iterator[torch.Tensor]:
        spec = self.specs[name]
        if name.endswith("rotary_embed.inv_freq"):
            yield self._stored_frequencies(spec)
            return
        live = self._live_rows(name, spec) * (spec.numel // spec.shape[0])
        yield from self._tiles(name, spec, live)
        for done in range(live, spec.numel, _BLOCK):
            yield torch.zeros(min(spec.numel - done, _BLOCK), dtype=spec.dtype)

    def speakers(self, voices: tuple[str, ...], first_special: int) -> dict:
        """What spk_dict.pt holds: a text id, a voice vector and a reference log-mel per voice."""
        dit = self._config.token2wav.dit
        return {
            voice: {
                "bos_token": first_special + FIRST_VOICE - 2 * i,
                "cond": self._draw(1, dit.speaker_dim),
                "ref_mel": self._draw(1, REFERENCE_FRAMES, dit.mel_dim) * 2 - 4,
            }
            for i, voice in enumerate(voices)
        }

    def _draw(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self._rng.standard_normal(shape, np.float32))

    def _tiles(self, name: str, spec: TensorSpec, count: int) -> Iterator[torch.Tensor]:
        mean, std = _distribution(name, spec.shape, self._depth(name))
        start = self._offsets[name]
        if count < _BLOCK:
            wrapped = self._block[: max(start + count - _BLOCK, 0)]
            values = torch.cat([self._block[start : start + count], wrapped])
            yield (values * std + mean).to(spec.dtype)
            return
        values = (self._block * std + mean).to(spec.dtype)
        yield values[start:]
        for done in range(_BLOCK - start, count, _BLOCK):
            yield values[: count - done]

    def _depth(self, name: str) -> int:
        """Layers of the model that the tensor belongs to."""
        c = self._config
        depths = {
            "thinker.model": c.thinker.text.num_layers,
            "thinker.audio_tower": c.thinker.audio.num_layers,
            "thinker.visual": c.thinker.vision.depth,
            "talker": c.talker.decoder.num_layers,
            "token2wav.code2wav_dit_model": c.token2wav.dit.num_layers,
        }
        return next((depth for part, depth in depths.items() if in_part(name, part)), 1)

    def _live_rows(self, name: str, spec: TensorSpec) -> int:
        """Rows of an output head that may win; the others are zero."""
        if name == "thinker.lm_head.weight":
            return SMALL_PLAIN_TOKENS
        if name == "talker.codec_head.weight":
            return self._config.token2wav.dit.num_codes
        return spec.shape[0]

    def _stored_frequencies(self, spec: TensorSpec) -> torch.Tensor:
        """Released files hold the rotary frequencies rounded to bfloat16."""
        steps = torch.arange(spec.numel, dtype=torch.float32) / spec.numel
        frequencies = 1.0 / self._config.token2wav.dit.rope_theta**steps
        return frequencies.to(torch.bfloat16).to(spec.dtype)


def _distribution(name: str, shape: tuple[int, ...], depth: int) -> tuple[float, float]:
    """Mean and standard deviation."""
    if name.endswith(("act.alpha", "act.beta")):
        return 0.0, 0.1
    if name.endswith(".bias"):
        return 0.0, 0.01 if "bigvgan" in name else 0.05
    if len(shape) == 1:
        return 1.0, 0.1
    for part, std in _TABLES.items():
        if part in name:
            return 0.0, std
    gains = [*_GAINS, *((part, gain / math.sqrt(depth)) for part, gain in _RESIDUAL_GAINS)]
    gain = next((gain for part, gain in gains if part in name), 1.0)
    transposed = ".ups." in name  # [in, out, kernel], and stride is about half of the kernel
    inputs = 2 * shape[0] if transposed else math.prod(shape[1:])
    return 0.0, gain / math.sqrt(inputs)
