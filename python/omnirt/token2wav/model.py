"""Token2Wav: codec ids -> 24 kHz speech (arXiv 2503.20215)."""

import functools
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from omnirt import ops
from omnirt.errors import CheckpointError, InputError
from omnirt.nn.weights import Weights
from omnirt.types import FlowParams

from . import ode
from .bigvgan import BigVGAN
from .config import Token2WavConfig
from .dit import DiT, Modulation, Voice

_GRIDS_KEPT = 4  # sets of flow options whose adaptive norms stay in memory, 15 MB each as released


class Speaker(Protocol):
    """A voice as a checkpoint stores it: cond [.., speaker_dim], ref_mel [.., F, mel_dim]."""

    cond: Tensor
    ref_mel: Tensor


class Token2Wav:
    """Solves for mel frames, then vocodes them; float32 throughout.

    stored_rope: see ``DiT``.
    """

    def __init__(
        self,
        config: Token2WavConfig,
        weights: Weights,
        speakers: Mapping[str, Speaker],
        stored_rope: bool = True,
    ) -> None:
        self.config = config
        self.dit = DiT(config.dit, weights.scope("code2wav_dit_model"), stored_rope)
        self.bigvgan = BigVGAN(config.bigvgan, weights.scope("code2wav_bigvgan_model"))
        self.speakers = speakers
        self.voice = functools.cache(self._voice)
        self._modulations = functools.lru_cache(_GRIDS_KEPT)(self._new_modulations)

    def synthesize(
        self,
        codes: Sequence[int],
        voice: str,
        flow: FlowParams | None = None,
        seed: int = 0,
        flow_noise: np.ndarray | None = None,
    ) -> Iterator[np.ndarray | None]:
        """Speech of a whole code sequence: float32 pieces that join to 480 samples a code.

        Yields None wherever it may be left alone for a while or closed: after each transformer
        layer. flow_noise: [>= frames, mel_dim], used instead of the noise that the seed gives.
        Raises InputError, at once.
        """
        ids = self._check_codes(codes)
        noise = self._noise(len(ids) * self.config.dit.repeats, seed, flow_noise)
        return self._pieces(ids, self.voice(voice), flow or FlowParams(), noise)

    def _pieces(
        self, codes: Tensor, voice: Voice, flow: FlowParams, noise: Tensor
    ) -> Iterator[np.ndarray | None]:
        mel = yield from self.solve(codes, voice, flow, noise)
        yield from self.bigvgan.vocode_windows(mel)

    def solve(
        self, codes: Tensor, voice: Voice, flow: FlowParams, noise: Tensor
    ) -> Generator[None, None, Tensor]:
        """Mel of codes: int64 [N], from noise: [T, mel_dim]. Returns float32 [T, mel_dim]."""
        condition = self.dit.condition(codes, voice, guided=flow.guidance > 0)
        modulations = self._modulations(flow)

        def field(t: float, y: Tensor) -> ode.Steps:
            given, *null = yield from self.dit.velocity(y, modulations[t], condition)
            return given + (given - null[0]) * flow.guidance if null else given

        return (yield from ode.solve(field, noise, ode.schedule(flow)))

    def _new_modulations(self, flow: FlowParams) -> dict[float, Modulation]:
        return self.dit.modulations(t for step in ode.schedule(flow) for t in step.times)

    def _voice(self, name: str) -> Voice:
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
        return torch.tensor(codes, dtype=torch.int64)

    def _noise(self, frames: int, seed: int, given: np.ndarray | None) -> Tensor:
        width = self.config.dit.mel_dim
        if given is None:
            return ops.philox_normal(seed, frames, width)
        if given.ndim != 2 or given.shape[1] != width or len(given) < frames:
            shape = list(given.shape)
            raise InputError(
                f"flow_noise={shape}: give [frames, {width}] with at least {frames} frames"
            )
        return torch.as_tensor(given[:frames], dtype=torch.float32)
