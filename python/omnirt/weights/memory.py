"""What a model takes in memory, from its configuration alone."""

import torch

from omnirt.config import DecoderConfig

from .model_config import ModelConfig
from .names import PARTS, expected_tensors, in_part

FLOAT = torch.float32.itemsize
PREFILL_ROWS = 512  # prompt rows in flight
VOCODER_FRAMES = 256  # mel frames in flight
GROWTH_PERCENT = 87  # of the vocoder: 7 products of its blocks stand for 3 to 5 taps

Row = tuple[str, int]


def memory_plan(
    config: ModelConfig,
    context: int = 32768,
    sessions: int = 1,
    dtype: torch.dtype = torch.bfloat16,
    talker: bool = True,
    ring_rows: int = 512,
    speech_rows: int = 4160,
) -> list[Row]:
    """Rows (name, bytes); the last one is the peak, an estimate.

    context: tokens of prompt and reply of each of ``sessions``. dtype: of Thinker, Talker and their
    caches (Token2Wav is float32). ring_rows: reply rows between Thinker and Talker. speech_rows:
    codec steps that the Talker's cache holds besides the context.
    """
    talker = talker and config.talker is not None
    weights = _weights(config, dtype, talker)
    rows = [*weights, ("weights", sum(size for _, size in weights))]
    text = config.thinker.text
    caches = [("thinker", text, context)]
    if talker:
        caches.append(("talker", config.talker.decoder, context + speech_rows))
    held = rows[-1][1]
    if talker:
        stored = dict(weights)["token2wav.code2wav_bigvgan_model"]
        rows.append(("vocoder, added by its fast convolutions", stored * GROWTH_PERCENT // 100))
        held += rows[-1][1]
    for name, decoder, tokens in caches:
        per_token = kv_bytes_per_token(decoder, dtype)
        label = f"{name} KV, {sessions} x {tokens} tokens of {per_token} bytes"
        rows.append((label, sessions * tokens * per_token))
        held += rows[-1][1]
    rows.append(
        ("rings and marks", sessions * (ring_rows * text.hidden_size * FLOAT + text.vocab_size))
    )
    rows.append(("activations", _activations(config, talker)))
    return [*rows, ("peak", held + rows[-2][1] + rows[-1][1])]


def kv_bytes_per_token(decoder: DecoderConfig, dtype: torch.dtype) -> int:
    """Keys and values of one token in all layers."""
    return 2 * decoder.num_layers * decoder.num_kv_heads * decoder.head_dim * dtype.itemsize


def _weights(config: ModelConfig, dtype: torch.dtype, talker: bool) -> list[Row]:
    specs = expected_tensors(config, talker)

    def size(part: str) -> int:
        item = FLOAT if part.startswith("token2wav") else dtype.itemsize
        return item * sum(spec.numel for name, spec in specs.items() if in_part(name, part))

    return [(part, size(part)) for part in PARTS if size(part)]


def _activations(config: ModelConfig, talker: bool) -> int:
    """The larger of a prefill chunk's and a vocoder window's float32 activations."""
    decoders = [config.thinker.text, *([config.talker.decoder] if talker else [])]
    prefill = max(8 * d.hidden_size + 3 * d.intermediate_size for d in decoders) * PREFILL_ROWS
    if not talker:
        return prefill * FLOAT
    vocoder, width, length = config.token2wav.bigvgan, 0, VOCODER_FRAMES
    for stage, rate in enumerate(vocoder.upsample_rates, start=1):
        length *= rate
        width = max(width, length * (vocoder.initial_channels >> stage))
    return max(prefill, 8 * width) * FLOAT
