"""Records what each lane repeats into Plans that C++ replays without Python."""

import torch

from omnirt import _core, ops
from omnirt.ops.state import OPEN_TEXT, TEXT_ROWS
from omnirt.ops.window import FlowWindow
from omnirt.token2wav.bigvgan import BigVGAN
from omnirt.token2wav.dit import DiT
from omnirt.token2wav.model import VOCODED
from omnirt.token2wav.vocoder_window import HELD_FIRST, spans_of
from omnirt.types import WINDOW_BLOCKS

from .buffers import Buffers
from .loader import Models
from .prefill import end_rows


def record_thinker(models: Models, buffers: Buffers) -> "_core.Plan":
    """One thinker step on ``buffers.thinker.states``."""
    track = buffers.thinker
    plan = _core.Plan("thinker")
    with _scratch(track), plan.recording():
        models.thinker.decode(track.states, track.cache, track.seen, track.suppress, buffers.ring)
    return plan


def record_talker(models: Models, buffers: Buffers) -> "_core.Plan":
    """One talker step on ``buffers.talker.states``."""
    track, rows = buffers.talker, end_rows(models.thinker, models.talker)
    plan = _core.Plan("talker")
    with _scratch(track), plan.recording():
        track.states[:, TEXT_ROWS] = OPEN_TEXT
        models.talker.decode(
            track.states,
            *(track.cache, track.seen, track.suppress),
            *(buffers.ring, *rows),
        )
    return plan


def record_flow(dit: DiT, rows: int) -> "_core.FlowTrack":
    """One evaluation, and the noise before the first, of windows as long as any schedule's."""
    config, window = dit.config, FlowWindow(rows)
    frames = WINDOW_BLOCKS * config.block_size
    y, space = torch.empty(frames, config.mel_dim), dit.workspace(frames, rows)
    window.frames = config.repeats
    window.codes = torch.zeros(1, dtype=torch.int32)
    window.table = torch.zeros(1, 6 * config.num_layers + 2, config.hidden_size)
    window.voice = torch.zeros(2, config.hidden_size)
    window.cache = dit.cache(1, rows)
    noise, evaluate = _core.Plan("noise"), _core.Plan("flow")
    with noise.recording():
        ops.flow_noise(window, y)
    with evaluate.recording():
        velocity = dit.evaluate(window, y, space)
    sizes = (rows, config.block_size, config.repeats)
    return _core.FlowTrack(noise, evaluate, window.state, y, velocity, *sizes)


def record_vocoder(bigvgan: BigVGAN) -> "_core.VocoderTrack":
    """One window of up to VOCODED frames and their context."""
    buffers, plan = bigvgan.buffers(VOCODED), _core.Plan("vocoder")
    one = spans_of(bigvgan.levels, 0, 1, 0, 1)
    buffers.spans.copy_(torch.tensor(one).view_as(buffers.spans))
    with plan.recording():
        bigvgan.run(buffers)
    levels = [tuple(level) for level in bigvgan.levels]
    return _core.VocoderTrack(plan, buffers.spans, buffers.mel, buffers.samples, levels, HELD_FIRST)


class _scratch:
    """Slot 0 for the one run that recording makes; nothing of it is left behind."""

    def __init__(self, track) -> None:
        self.track = track

    def __enter__(self) -> None:
        self.track.cache.allocator.open(0, 1)

    def __exit__(self, *_: object) -> None:
        self.track.cache.allocator.close(0)
        self.track.seen[0] = 0
        self.track.states.zero_()
