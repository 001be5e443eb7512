"""FlowWindow: its words, and the ops that read them against their formulas."""

import pytest
import torch

from omnirt import ops
from omnirt.ops.reference.random import normal_rows
from omnirt.ops.window import FlowWindow

LAYERS, BLOCK, WIDTH = 2, 4, 12


@pytest.fixture(params=["reference", "cpu"], autouse=True)
def backend(request):
    with ops.use(request.param):
        yield


def _window(frames: int, rows: int = 2, start: int = 0) -> FlowWindow:
    window = FlowWindow(rows)
    window.frames, window.start, window.seed = frames, start, 2**64 - 3
    window.cache = torch.zeros(2, LAYERS, 2, rows, BLOCK, WIDTH)
    return window


def test_words_are_where_kernels_read_them():
    window = FlowWindow(2)
    names = ("frames", "start", "keep", "left", "evaluation")
    for i, name in enumerate(names):
        setattr(window, name, i + 7)
    assert window.state[:5].tolist() == [7, 8, 9, 10, 11]
    assert [getattr(window, name) for name in names] == [7, 8, 9, 10, 11]
    window.seed = 2**63 + 5
    assert window.seed == 2**63 + 5
    assert window.state[6:8].tolist() == [5, -(2**31)]
    for i, name in enumerate(("table", "cache", "voice", "codes")):
        tensor = torch.arange(3)
        setattr(window, name, tensor)
        assert window.state.view(torch.int64)[4 + i] == tensor.data_ptr()
        assert getattr(window, name) is tensor


def test_noise_is_of_absolute_frames():
    window = _window(5, start=3)
    out = torch.full((7, 6), 9.0)
    ops.flow_noise(window, out)
    torch.testing.assert_close(out[:5], normal_rows(window.seed, 3, 5, 6))
    assert (out[5:] == 9).all()


@pytest.mark.parametrize("rows", [1, 2])
def test_input_adds_code_and_voice(rows, randn):
    window, base, projected = _window(5, rows), randn(8, WIDTH), randn(4, WIDTH)
    window.voice = randn(2, WIDTH)
    window.codes = torch.tensor([3, 1, 0], dtype=torch.int32)
    out = ops.flow_input(window, base, projected, 2, torch.full((16, WIDTH), 9.0))
    for f in range(5):
        given = base[f] + projected[[3, 3, 1, 1, 0][f]] + window.voice[0]
        torch.testing.assert_close(out[f * rows], given)
        if rows == 2:
            torch.testing.assert_close(out[f * 2 + 1], base[f] + window.voice[1])
    assert (out[5 * rows :] == 9).all()


def test_modulate_scales_and_shifts_the_norm(randn):
    window, x = _window(3), randn(8, WIDTH)
    window.table, window.evaluation = randn(2, 5, WIDTH), 1
    out = ops.flow_modulate(window, x, 4, 2, 1e-6, torch.full((8, WIDTH), 9.0))
    centred = x - x.mean(-1, keepdim=True)
    norm = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    want = norm * (1 + window.table[1, 2]) + window.table[1, 4]
    torch.testing.assert_close(out[:6], want[:6])
    assert (out[6:] == 9).all()


def _attend(window: FlowWindow, qkv, back: int, ahead: int, layer: int | None) -> torch.Tensor:
    cos, sin = torch.empty(2, 40, 2)
    ops.flow_rope_angles(window, torch.tensor([1.0, 0.1]), cos, sin)
    live = window.frames * window.rows
    out = torch.empty(live, WIDTH)
    return ops.flow_attention(window, qkv[:live], 3, BLOCK, back, ahead, cos, sin, layer, out)


@pytest.mark.parametrize(("back", "ahead"), [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("frames", [1, 3, 4, 5, 8, 11, 12, 30])
def test_attention_sees_its_neighbourhood(back, ahead, frames, randn):
    window, qkv = _window(frames, start=7), randn(frames * 2, 3 * WIDTH)
    got = _attend(window, qkv, back, ahead, None).unflatten(0, (frames, 2))
    q, k, v = qkv.view(frames, 2, 3, 3, 4).permute(2, 1, 3, 0, 4).clone()
    for x in (q, k):  # pairs of head 0 as complex numbers
        turn = torch.exp(1j * torch.arange(7, 7 + frames)[:, None] * torch.tensor([1.0, 0.1]))
        pairs = torch.view_as_complex(x[:, 0].reshape(2, frames, 2, 2)) * turn
        x[:, 0] = torch.view_as_real(pairs).flatten(-2)
    for t in range(frames):
        near = slice(max(0, t // 4 - back) * 4, (t // 4 + 1 + ahead) * 4)
        weights = (k[:, :, near] @ q[:, :, t, :, None] * 4**-0.5).softmax(2)
        torch.testing.assert_close(got[t], (weights * v[:, :, near]).sum(2).flatten(1))


def test_attention_of_windows_is_that_of_the_whole(randn):
    """Looking back: the block that a window saves serves the next one; evaluations stay apart."""
    qkv = randn(30 * 2, 3 * WIDTH)
    whole = _attend(_window(30), qkv, 1, 0, None)
    window, pieces = _window(0), []
    for start, frames, keep in ((0, 12, 4), (4, 12, 12), (16, 14, 0)):
        window.start, window.frames, window.keep = start, frames, keep
        window.left, window.evaluation = int(start > 0), 1
        rows = qkv[2 * start : 2 * (start + frames)]
        pieces.append(_attend(window, rows, 1, 0, 1)[: 2 * (keep or frames)])
    torch.testing.assert_close(torch.cat(pieces), whole)
    assert window.cache[0].abs().sum() == window.cache[1, 0].abs().sum() == 0
