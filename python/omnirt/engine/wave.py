"""The wave lane: recorded work and its memory, shared by all replies, and a stream for each."""

import numpy as np
import torch

from omnirt import _core
from omnirt.errors import InputError
from omnirt.token2wav.model import Token2Wav
from omnirt.token2wav.ode import evaluations
from omnirt.types import WaveSchedule

from .record import record_flow, record_vocoder


class WaveLane:
    """Makes the streams of one Token2Wav. The buffers hold any schedule's windows."""

    def __init__(self, sound: Token2Wav) -> None:
        self._sound = sound
        self._flow = {rows: record_flow(sound.dit, rows) for rows in (1, 2)}
        self._vocoder = record_vocoder(sound.bigvgan)

    def stream(
        self,
        voice: str,
        schedule: WaveSchedule,
        seed: int = 0,
        flow_noise: np.ndarray | None = None,
    ) -> "_core.WaveStream":
        """Speech of one reply, as ``Token2Wav.synthesize`` gives it, while its codes come.

        Raises InputError for an unknown voice and for noise of a wrong width.
        """
        sound = self._sound
        return _core.WaveStream(
            flow=self._flow[schedule.rows],
            vocoder=self._vocoder,
            schedule=(schedule.first, schedule.chunk, schedule.lookahead, schedule.growth),
            evaluations=[(e.inputs, e.last, e.outputs) for e in evaluations(schedule)],
            guidance=schedule.guidance,
            seed=seed,
            table=sound.table(schedule),
            cache=sound.dit.cache(schedule.evaluations, schedule.rows),
            voice=sound.voice(voice),
            noise=self._noise(flow_noise),
        )

    def _noise(self, given: np.ndarray | None) -> torch.Tensor | None:
        width = self._sound.config.dit.mel_dim
        if given is None:
            return None
        if given.shape[1] != width:
            raise InputError(f"flow_noise={list(given.shape)}: give [frames, {width}]")
        return torch.from_numpy(given).contiguous()
