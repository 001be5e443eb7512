"""Token2Wav: codec ids -> 24 kHz speech (arXiv 2503.20215)."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from omnirt.errors import CheckpointError, InputError
from omnirt.nn.weights import Weights
from omnirt.types import WaveSchedule

from .bigvgan import BigVGAN
from .config import Token2WavConfig
from .dit import DiT
from .ode import evaluations
from .stream import FlowSolver, Window, windows
from .vocoder_stream import VocoderStream

VOCODED = 192  # frames at once
_GRIDS_KEPT = 4  # solvers' grids whose adaptive norms stay in memory, 0.5 MB an evaluation


class Speaker(Protocol):
    """A voice as a checkpoint stores it: cond [.., speaker_dim], ref_mel [.., F, mel_dim]."""

    cond: Tensor
    ref_mel: Tensor


class Token2Wav:
    """Solves for mel frames, then vocodes them; activations are float32 throughout.

    stored_rope, precision: see ``DiT``.
    """

    def __init__(
        self,
        config: Token2WavConfig,
        weights: Weights,
        speakers: Mapping[str, Speaker],
        stored_rope: bool = True,
        precision: str = "float32",
    ) -> None:
        self.config = config
        flow = weights.scope("code2wav_dit_model")
        self.dit = DiT(config.dit, flow, stored_rope, precision)
        self.bigvgan = BigVGAN(config.bigvgan, weights.scope("code2wav_bigvgan_model"))
        self.speakers = speakers
        self.voice = functools.cache(self._voice)
        self._tables = functools.lru_cache(_GRIDS_KEPT)(self._new_table)

    def prepare(self) -> None:
        """Compute what no request should wait for: the default grid's norms and every voice."""
        self.table(WaveSchedule())
        for name in self.speakers:
            self.voice(name)

    def synthesize(
        self,
        codes: Sequence[int],
        voice: str,
        schedule: WaveSchedule | None = None,
        seed: int = 0,
        flow_noise: np.ndarray | None = None,
    ) -> Iterator[np.ndarray | None]:
        """Speech of a whole code sequence: float32 pieces that join to 480 samples a code.

        Yields None wherever it may be left alone for a while or closed: after each evaluation of
        the transformer. flow_noise: [>= frames, mel_dim], used instead of the noise that the seed
        gives. Raises InputError, at once.
        """
        ids, schedule = self._check_codes(codes), schedule or WaveSchedule()
        noise = seed if flow_noise is None else self._check_noise(flow_noise, len(ids))
        plan = list(windows(schedule, self.config.dit, len(ids)))
        solver = self.solver(ids, voice, schedule, noise, plan)
        return self._pieces(solver, plan)

    def solver(
        self,
        codes: Tensor,
        voice: str,
        schedule: WaveSchedule,
        noise: Tensor | int,
        plan: Sequence[Window],
    ) -> FlowSolver:
        """Of one reply's mel: codes int32 [N], noise as ``FlowSolver`` takes it."""
        capacity = max((window.frames for window in plan), default=0)
        table = self.table(schedule)
        return FlowSolver(self.dit, schedule, codes, self.voice(voice), table, noise, capacity)

    def table(self, schedule: WaveSchedule) -> Tensor:
        """The adaptive norms of every evaluation; computed once for a grid and solver."""
        return self._tables(schedule.solver, schedule.points, schedule.sway)

    def _new_table(self, solver: str, points: int, sway: float) -> Tensor:
        grid = WaveSchedule(solver=solver, points=points, sway=sway)
        return self.dit.table([evaluation.time for evaluation in evaluations(grid)])

    def _pieces(self, solver: FlowSolver, plan: Sequence[Window]) -> Iterator[np.ndarray | None]:
        longest = max((window.keep for window in plan), default=0)
        buffers = self.bigvgan.buffers(min(VOCODED, longest))
        vocoder = VocoderStream(self.bigvgan, buffers)
        for window in plan:
            samples = vocoder.push((yield from solver.solve(window)))
            if len(samples):
                yield samples.numpy()
        if plan:
            yield vocoder.finish().numpy()

    def _voice(self, name: str) -> Tensor:
        """Conditioning of a voice, computed once. Raises InputError, CheckpointError."""
        if name not in self.speakers:
            known = ", ".join(map(repr, self.speakers))
            raise InputError(f"voice={name!r}: this checkpoint has {known}")
        config, speaker = self.config.dit, self.speakers[name]
        if speaker.cond.numel() != config.speaker_dim:
            shape = list(speaker.cond.shape)
            raise CheckpointError(f"{name}.cond={shape}: must hold {config.speaker_dim} numbers")
        if speaker.ref_mel.shape[-1] != config.mel_dim:
            shape = list(speaker.ref_mel.shape)
            raise CheckpointError(f"{name}.ref_mel={shape}: must be [frames, {config.mel_dim}]")
        reference = speaker.ref_mel.float().reshape(-1, config.mel_dim)
        return self.dit.voice(reference, speaker.cond.float().reshape(-1))

    def _check_codes(self, codes: Sequence[int]) -> Tensor:
        count = self.config.dit.num_codes
        for i, code in enumerate(codes):
            if not 0 <= code < count:
                raise InputError(f"codes[{i}]={code}: use codec ids 0..{count - 1}")
        return torch.tensor(codes, dtype=torch.int32)

    def _check_noise(self, given: np.ndarray, codes: int) -> Tensor:
        width, frames = self.config.dit.mel_dim, codes * self.config.dit.repeats
        if given.ndim != 2 or given.shape[1] != width or len(given) < frames:
            shape = list(given.shape)
            raise InputError(
                f"flow_noise={shape}: give [frames, {width}] with at least {frames} frames"
            )
        return torch.as_tensor(given[:frames], dtype=torch.float32)
