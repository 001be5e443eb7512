"""What a model takes in memory, from its configuration alone."""

import torch

from omnirt.config import DecoderConfig
from omnirt.formats import Format, parts
from omnirt.kv_rows import row_size

from .model_config import ModelConfig
from .names import PARTS, expected_tensors, in_part
from .precisions import Precisions, part_of
from .quantized_files import Packed
from .tensor_spec import TensorSpec

FLOAT = torch.float32.itemsize
PREFILL_ROWS = 512  # prompt rows in flight
VOCODER_FRAMES = 256  # mel frames in flight
GROWTH_PERCENT = 87  # of the vocoder: 7 products of its blocks stand for 3 to 5 taps

_FLOW_BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}
_AS_STORED = Precisions({})

Row = tuple[str, int]


def memory_plan(
    config: ModelConfig,
    context: int = 32768,
    sessions: int = 1,
    dtype: torch.dtype = torch.bfloat16,
    talker: bool = True,
    ring_rows: int = 512,
    speech_rows: int = 4160,
    precisions: Precisions = _AS_STORED,
) -> list[Row]:
    """Rows (name, bytes); the last one is the peak, an estimate.

    context: tokens of prompt and reply of each of ``sessions``. dtype: of Thinker, Talker and their
    caches (Token2Wav is float32). ring_rows: reply rows between Thinker and Talker. speech_rows:
    codec steps that the Talker's cache holds besides the context. precisions: what is quantized
    besides what config.json says of its files.
    """
    talker = talker and config.talker is not None
    weights = _weights(config, dtype, talker, precisions)
    rows = [*weights, ("weights", sum(size for _, size in weights))]
    text = config.thinker.text
    caches = [("thinker", text, context)]
    if talker:
        caches.append(("talker", config.talker.decoder, context + speech_rows))
    held = rows[-1][1]
    if talker:
        vocoder = dict(weights)["token2wav.code2wav_bigvgan_model"]
        rows.append(("vocoder, added by its fast convolutions", vocoder * GROWTH_PERCENT // 100))
        held += rows[-1][1]
    cached = precisions.cache_dtype or dtype
    for name, decoder, tokens in caches:
        per_token = kv_bytes_per_token(decoder, cached)
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
    row = row_size(decoder.head_dim, dtype) * dtype.itemsize
    return 2 * decoder.num_layers * decoder.num_kv_heads * row


def _weights(
    config: ModelConfig, dtype: torch.dtype, talker: bool, precisions: Precisions
) -> list[Row]:
    specs = expected_tensors(config, talker)
    flow = precisions.token2wav or config.quantization.token2wav or "float32"

    def size(name: str, spec: TensorSpec) -> int:
        if in_part(name, "token2wav.code2wav_dit_model"):
            return _flow_bytes(name, spec, _FLOW_BYTES[flow])
        if in_part(name, "token2wav"):
            return FLOAT * spec.numel
        format = _stored(config, name, spec.shape) or precisions.format(name, spec.shape)
        return dtype.itemsize * spec.numel if format is None else _packed_bytes(format, spec.shape)

    sizes = {n: size(n, spec) for n, spec in specs.items()}
    rows = [(part, sum(s for n, s in sizes.items() if in_part(n, part))) for part in PARTS]
    return [(part, total) for part, total in rows if total]


def _stored(config: ModelConfig, name: str, shape: tuple[int, ...]) -> Format | None:
    """The format of the files; of other tools' files, as far as config.json tells."""
    part, layout = part_of(name, shape), config.quantization.layout(name)
    told = isinstance(layout, Packed) or part == "thinker"
    return layout.format if part and layout and told else None


def _packed_bytes(format: Format, shape: tuple[int, int]) -> int:
    return sum(TensorSpec(*part).nbytes for part in parts(format, shape).values())


def _flow_bytes(name: str, spec: TensorSpec, item: int) -> int:
    """Products of the layers are packed; what norms are computed from is given back."""
    if ".attn." in name or ".ff." in name:
        return item * spec.numel
    return 0 if "norm" in name else FLOAT * spec.numel


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
