"""Every hot op on both backends, at the released 3B model's sizes: pytest bench/test_ops.py

The rate beside each time is the memory that the op must read (GB/s), or its arithmetic (GFLOP/s).
"""

import pytest
import torch

from omnirt import ops
from omnirt.formats import FORMATS
from omnirt.ops.state import KV_LEN, new_states, set_sampling
from omnirt.ops.window import FlowWindow

HIDDEN, MLP, HEADS, KV_HEADS, HEAD, VOCAB, PAGE = 2048, 11008, 16, 2, 128, 151936, 64
CONTEXT = 4096
FLOW, FLOW_HEADS, FLOW_BLOCK, FRAMES = 1024, 16, 24, 216  # a window of nine blocks
BF16 = torch.bfloat16


@pytest.fixture(params=["reference", "cpu"])
def run(request, benchmark):
    """run(name, *args, bytes=, flops=): times the op on one backend."""

    def time(name: str, *args, bytes: float = 0, flops: float = 0) -> None:
        with ops.use(request.param):
            benchmark(getattr(ops, name), *args)
        seconds = benchmark.stats.stats.median
        benchmark.extra_info |= {"GB/s": bytes / seconds / 1e9, "GFLOP/s": flops / seconds / 1e9}

    return time


def pages(context: int = CONTEXT) -> list[torch.Tensor]:
    """k_pages, v_pages of one layer and one sequence."""
    return [torch.randn(context // PAGE, KV_HEADS, PAGE, HEAD).to(BF16) for _ in range(2)]


def states() -> torch.Tensor:
    """A step in the middle of a reply."""
    made = new_states()
    set_sampling(made, 0.9, 40, 0.8, 1.05)
    made[:, KV_LEN] = CONTEXT - 1
    return made


@pytest.mark.parametrize("dtype", [torch.float32, BF16], ids=str)
@pytest.mark.parametrize("rows", [1, 4, 64, 512])
def test_linear(run, rows, dtype):
    weight = torch.randn(MLP, HIDDEN).to(dtype)
    flops = 2 * rows * weight.numel()
    run("linear", torch.randn(rows, HIDDEN), weight, bytes=weight.nbytes, flops=flops)


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("rows", [1, 4, 64, 512])
def test_quantized_linear(run, rows, precision):
    weight = ops.quantize(torch.randn(MLP, HIDDEN), FORMATS[precision])
    flops = 2 * rows * MLP * HIDDEN
    run("linear", torch.randn(rows, HIDDEN), weight, bytes=weight.nbytes, flops=flops)


@pytest.mark.parametrize("rows", [1, 512])
def test_add_rms_norm(run, rows):
    x = torch.randn(rows, HIDDEN)
    run("add_rms_norm", x, x, torch.ones(HIDDEN), 1e-6, bytes=2 * x.nbytes)


def test_layer_norm(run):
    x = torch.randn(512, 1280)
    run("layer_norm", x, torch.ones(1280), torch.zeros(1280), 1e-5, bytes=x.nbytes)


@pytest.mark.parametrize("rows", [1, 512])
def test_silu_mul(run, rows):
    x = torch.randn(rows, MLP)
    run("silu_mul", x, x, bytes=2 * x.nbytes)


def test_gelu(run):
    x = torch.randn(512, 5120)
    run("gelu", x, bytes=x.nbytes)


def test_embed(run):
    table = torch.randn(1000, HIDDEN).to(BF16)
    run("embed", torch.arange(512), table, bytes=512 * HIDDEN * 2)


def test_rope(run):
    angles = [torch.randn(512, HEAD // 2) for _ in range(2)]
    x = torch.randn(512, HEADS, HEAD)
    run("rope", x, *angles, bytes=x.nbytes)


def test_rope_append(run):
    q, k = torch.randn(1, HEADS, HEAD), torch.randn(1, KV_HEADS, HEAD)
    angles = [torch.randn(1, HEAD // 2) for _ in range(2)]
    table = torch.arange(CONTEXT // PAGE, dtype=torch.int32)[None]
    run("rope_append", q, k, k, *angles, states(), table, *pages(), bytes=q.nbytes)


def test_paged_attention(run):
    cache, table = pages(), torch.arange(CONTEXT // PAGE, dtype=torch.int32)[None]
    q = torch.randn(1, HEADS, HEAD)
    run("paged_attention", q, states(), table, *cache, bytes=2 * cache[0].nbytes)


def test_prefill_attention(run):
    rows, table = 512, torch.arange(CONTEXT // PAGE, dtype=torch.int32)
    flops = 4 * HEADS * HEAD * rows * (CONTEXT - rows / 2)
    q = torch.randn(rows, HEADS, HEAD)
    run("prefill_attention", q, table, CONTEXT - rows, *pages(), flops=flops)


def test_segment_attention(run):
    q, k, v = (torch.randn(2048, 16, 80) for _ in range(3))
    run("segment_attention", q, k, v, list(range(0, 2049, 64)), flops=4 * 2048 * 64 * 16 * 80)


def test_sample(run):
    logits, marks = 5 * torch.randn(1, VOCAB), torch.zeros(1, VOCAB, dtype=torch.uint8)
    run("sample", states(), logits, marks, marks[0], 0, bytes=logits.nbytes)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("frames", [24, 120])
def test_flow_linear(run, frames, precision):
    n, k, window = 2048, 1024, FlowWindow(2)
    window.frames, live = frames, 2 * frames
    packed, x, out = (
        ops.pack(torch.randn(n, k), precision),
        torch.randn(live, k),
        torch.ones(live, n),
    )
    size = {"bytes": packed.data.nbytes, "flops": 2 * live * n * k}
    run("flow_linear", window, x, packed, torch.randn(n), out, 2, True, **size)


# The vocoder's second of six stages, for two thirds of a second of speech.
VOCODER_ROWS, VOCODER_CHANNELS = 1000, 384


def vocoder_buffers(rows: int = VOCODER_ROWS, channels: int = VOCODER_CHANNELS) -> tuple:
    """A span over all rows, that signal, and room for the result."""
    span = torch.tensor([0, rows], dtype=torch.int32)
    return span, torch.randn(rows, channels), torch.zeros(VOCODER_ROWS, VOCODER_CHANNELS)


@pytest.mark.parametrize("taps", [3, 7, 11])
def test_vocoder_conv(run, taps):
    span, x, out = vocoder_buffers()
    weight = torch.randn(VOCODER_CHANNELS, VOCODER_CHANNELS, taps)
    flops = 2 * VOCODER_ROWS * weight.numel()
    run("vocoder_conv", span, x, ops.pack_conv(weight), weight[0, :, 0], 3, out, flops=flops)


def test_vocoder_upsample(run):
    rate, padding = 3, 2
    span, x, out = vocoder_buffers(VOCODER_ROWS // rate, 2 * VOCODER_CHANNELS)
    weight = torch.randn(2 * VOCODER_CHANNELS, VOCODER_CHANNELS, rate + 2 * padding)
    packed, flops = ops.pack_conv_transpose(weight), 2 * len(x) * weight.numel()
    run("vocoder_upsample", span, x, packed, weight[0, :, 0], rate, padding, out, flops=flops)


def test_vocoder_snake(run):
    span, x, out = vocoder_buffers()
    run("vocoder_snake", span, x, x[0], x[1], out, bytes=2 * x.nbytes)


def test_vocoder_mean(run):
    span, x, out = vocoder_buffers()
    run("vocoder_mean", span, [x, x.clone(), x.clone()], out, bytes=4 * x.nbytes)


def test_vocoder_clamp(run):
    span, x, out = vocoder_buffers()
    run("vocoder_clamp", span, x, 0.5, 0.1, out, bytes=2 * x.nbytes)


def flow_window() -> FlowWindow:
    """In the middle of a reply: eight of its blocks are final, the last one is looked at."""
    window = FlowWindow(2)
    window.frames, window.start, window.keep, window.left = FRAMES, 24, FRAMES - FLOW_BLOCK, 1
    window.table, window.voice = torch.randn(10, 134, FLOW), torch.randn(2, FLOW)
    window.cache = torch.randn(10, 2, 2, 2, FLOW_BLOCK, FLOW)
    window.codes = torch.zeros(FRAMES // 2, dtype=torch.int32)
    return window


def test_flow_noise(run):
    run("flow_noise", flow_window(), torch.empty(FRAMES, 80))


def test_flow_input(run):
    base, out = torch.randn(FRAMES, FLOW), torch.empty(2 * FRAMES, FLOW)
    run("flow_input", flow_window(), base, torch.randn(8194, FLOW), 2, out, bytes=2 * base.nbytes)


def test_flow_modulate(run):
    x = torch.randn(2 * FRAMES, FLOW)
    run("flow_modulate", flow_window(), x, 0, 1, 1e-6, torch.empty_like(x), bytes=x.nbytes)


def test_flow_rope_angles(run):
    angles = [torch.empty(FRAMES, 32) for _ in range(2)]
    run("flow_rope_angles", flow_window(), torch.rand(32), *angles)


@pytest.mark.parametrize(("back", "ahead"), [(0, 0), (1, 0), (0, 1)])
def test_flow_attention(run, back, ahead):
    qkv, out = torch.randn(2 * FRAMES, 3 * FLOW), torch.empty(2 * FRAMES, FLOW)
    angles, layer = [torch.randn(FRAMES, 32) for _ in range(2)], 1 if back else None
    shape = (FLOW_HEADS, FLOW_BLOCK, back, ahead)
    size = {"bytes": qkv.nbytes, "flops": 8 * FRAMES * (back + 1 + ahead) * FLOW_BLOCK * FLOW}
    run("flow_attention", flow_window(), qkv, *shape, *angles, layer, out, **size)
