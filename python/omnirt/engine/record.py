"""Records the two decode steps into Plans that C++ replays without Python."""

import torch

from omnirt import _core
from omnirt.ops.state import OPEN_TEXT, TEXT_ROWS

from .buffers import Buffers
from .loader import Models


def record_thinker(models: Models, buffers: Buffers) -> "_core.Plan":
    """One thinker step on ``buffers.thinker.states``."""
    track = buffers.thinker
    plan = _core.Plan("thinker")
    with _scratch(track), plan.recording():
        models.thinker.decode(track.states, track.cache, track.seen, track.suppress, buffers.ring)
    return plan


def record_talker(models: Models, buffers: Buffers) -> "_core.Plan":
    """One talker step on ``buffers.talker.states``."""
    track, config = buffers.talker, models.talker.config
    ids = torch.tensor([config.text_eos_id, config.text_pad_id])
    eos_row, pad_row = models.thinker.embed(ids).unbind()
    plan = _core.Plan("talker")
    with _scratch(track), plan.recording():
        track.states[:, TEXT_ROWS] = OPEN_TEXT
        models.talker.decode(
            track.states,
            *(track.cache, track.seen, track.suppress),
            *(buffers.ring, eos_row, pad_row),
        )
    return plan


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
