"""Launches of Token2Wav, and of the audio encoder's convolutions, at a released model's shapes.

See registry.py. Windows are those of the default schedule: 9 blocks of frames for the flow, in two
rows of guidance, and a whole window of the vocoder.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from omnirt.weights.presets import Preset, config_of

from . import conv, flow, flow_attention, flow_keep, flow_solver, vocoder_pointwise
from .call import Call
from .flow_linear import flow_gated_linear, flow_linear
from .vocoder_conv import vocoder_conv
from .vocoder_snake import vocoder_snake
from .vocoder_upsample import vocoder_upsample

BLOCKS, ROWS, EVALUATIONS = 9, 2, 5
FRAMES = 192 + 2 * 34  # of a vocoder window and its context
AUDIO_FRAMES = 200  # mel frames of a chunk of sound
EPS = 1e-6
LOW = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Calls = Iterator[tuple[str, Call]]


def calls(preset: Preset) -> Calls:
    """(name, Call) of every kernel that makes speech from codes."""
    config = config_of(preset, 0)
    sound = config["token2wav_config"]
    for precision, dtype in LOW.items():
        yield from _named(f"flow.{precision}", _flow(sound["dit_config"], dtype))
    yield from _named("vocoder", _vocoder(sound["bigvgan_config"]))
    yield from _named("audio", _front(config["thinker_config"]["audio_config"]))


def _named(prefix: str, found: Calls) -> Calls:
    for name, call in found:
        yield f"{prefix}.{name}", call


def _flow(dit: dict, dtype: torch.dtype) -> Calls:
    """One evaluation. Its weights and activations between them are of ``dtype``."""
    width, mel, heads = dit["dim"], dit["mel_dim"], dit["heads"]
    frames, inner = BLOCKS * dit["block_size"], width * dit["ff_mult"]
    live, half, table_rows = frames * ROWS, width // heads // 2, 6 * dit["depth"] + 2
    state = _new(16, dtype=torch.int32)
    y, base, h = _new(frames, mel), _new(frames, width), _new(live, width)
    mixed, qkv = _new(live, width, dtype=dtype), _new(live, 3 * width, dtype=dtype)
    hidden, velocity = _new(live, inner, dtype=dtype), _new(live, mel)
    cos, sin = _new(frames, half), _new(frames, half)

    def weight(outputs: int, inputs: int) -> tuple[Tensor, Tensor]:
        return _new(outputs, inputs, dtype=dtype), _new(outputs)

    yield "noise", flow.flow_noise(state, y)
    yield "enter", flow_linear(state, y, _new(width, mel), None, base, 1)
    projected = _new(dit["num_embeds"] + 1, width)
    yield "input", flow.flow_input(state, base, projected, dit["repeats"], h, ROWS)
    yield "rope_angles", flow.flow_rope_angles(state, _new(half), cos, sin)
    yield "modulate", flow.flow_modulate(state, table_rows, h, 0, 1, EPS, mixed, ROWS)
    yield "qkv", flow_linear(state, mixed, *weight(3 * width, width), qkv, ROWS)
    layers = len(dit["look_backward_layers"])
    for name, back, ahead, layer in (("own", 0, 0, None), ("ahead", 0, 1, None), ("back", 1, 0, 1)):
        shape = (heads, dit["block_size"], back, ahead)
        call = flow_attention.flow_attention(
            state, layers, ROWS, qkv, *shape, cos, sin, layer, mixed
        )
        yield f"attention.{name}", call
    shape = (heads, dit["block_size"], cos, sin)
    yield "keep", flow_keep.flow_keep(state, layers, ROWS, qkv, *shape, 1)
    gated = (mixed, *weight(width, width), 2, h, ROWS)
    yield "out", flow_gated_linear(state, table_rows, *gated)
    yield "up", flow_linear(state, mixed, *weight(inner, width), hidden, ROWS, gelu=True)
    gated = (hidden, *weight(width, inner), 5, h, ROWS)
    yield "down", flow_gated_linear(state, table_rows, *gated)
    last = _new(live, width)
    yield "leave", flow_linear(state, last, _new(mel, width), _new(mel), velocity, ROWS)
    factors, slopes = _new(EVALUATIONS, flow_solver.FACTORS), _new(4, frames, mel)
    solver = (velocity, factors, 0.5, slopes, y, _new(frames, mel), ROWS)
    yield "advance", flow_solver.flow_advance(state, *solver)


def _vocoder(bigvgan: dict) -> Calls:
    """One window. Spans lie in pairs: what is read, then what it becomes."""
    mel, width, rows = bigvgan["mel_dim"], bigvgan["upsample_initial_channel"], FRAMES
    read, write = _new(2, 2, dtype=torch.int32)
    yield "clamp", vocoder_pointwise.vocoder_clamp(read, _new(rows, mel), 0.1, 0.6, _new(rows, mel))
    yield "pre", _conv(write, mel, width, 7, 1, rows)
    for i, rate in enumerate(bigvgan["upsample_rates"]):
        taps, channels = bigvgan["upsample_kernel_sizes"][i], width // 2
        x, weight, y = _new(rows, width), _new(taps, channels, width), _new(rows * rate, channels)
        padding, rows, width = (taps - rate) // 2, rows * rate, channels
        call = vocoder_upsample(read, x, weight, _new(channels), rate, padding, y)
        yield f"{i}.upsample", call
        yield f"{i}.copy", vocoder_pointwise.vocoder_mean(write, [y], _new(*y.shape))
        yield f"{i}.snake", vocoder_snake(write, y, _new(width), _new(width), _new(*y.shape))
        blocks = zip(
            bigvgan["resblock_kernel_sizes"], bigvgan["resblock_dilation_sizes"], strict=True
        )
        for taps, dilations in blocks:
            for dilation in dilations:
                call = _conv(write, width, width, taps, dilation, rows)
                yield f"{i}.conv.k{taps}.d{dilation}", call
            yield f"{i}.conv.k{taps}.add", _conv(write, width, width, taps, 1, rows, add=True)
        yield f"{i}.mean", vocoder_pointwise.vocoder_mean(write, [y] * 3, _new(*y.shape))
    hidden = _new(rows, width)
    yield "post_snake", vocoder_snake(read, hidden, _new(width), _new(width), _new(rows, width))
    wave = _new(rows, 1)
    yield "post", vocoder_conv(write, hidden, _new(7, 1, width), None, 1, wave)
    yield "clip", vocoder_pointwise.vocoder_clamp(read, wave, 1.0, 0.0, _new(rows, 1))


def _conv(
    span: Tensor, channels: int, outputs: int, taps: int, dilation: int, rows: int,
    add: bool = False,
) -> Call:  # fmt: skip
    x, weight, out = _new(rows, channels), _new(taps, outputs, channels), _new(rows, outputs)
    return vocoder_conv(span, x, weight, _new(outputs), dilation, out, add)


def _front(audio: dict) -> Calls:
    """The two convolutions before the audio encoder, of which the second halves the frames."""
    mel, width, dtype = audio["num_mel_bins"], audio["d_model"], torch.bfloat16
    for name, inputs, stride in (("conv1", mel, 1), ("conv2", width, 2)):
        x, weight = _new(1, inputs, AUDIO_FRAMES), _new(width, inputs, 3, dtype=dtype)
        out = _new(1, width, AUDIO_FRAMES // stride)
        yield name, conv.conv1d(x, weight, _new(width, dtype=dtype), out, stride, 1)


def _new(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(*shape, dtype=dtype, device="meta")
