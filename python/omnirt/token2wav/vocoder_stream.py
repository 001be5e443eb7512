"""Vocoding while mel frames still come: any sizes of pushes give the samples of one shot."""

import torch
from torch import Tensor

from .bigvgan import BigVGAN, VocoderBuffers
from .vocoder_window import HELD_FIRST


class VocoderStream:
    """One reply. Frames come in final, in order; samples leave as soon as nothing can move them.

    Held back are the last ``right`` frames of the vocoder's context (34 as released), of the first
    packet only HELD_FIRST. The ``left`` frames before the next packet are kept. Buffers may be
    shared between streams: between calls they hold nothing of a reply.
    """

    def __init__(self, vocoder: BigVGAN, buffers: VocoderBuffers) -> None:
        self._vocoder, self._buffers = vocoder, buffers
        self._mel = torch.empty(0, vocoder.config.mel_dim)
        self._start = 0  # frame of the first row of _mel
        self._emitted = 0  # frames whose samples have left

    def push(self, mel: Tensor) -> Tensor:
        """Take the next frames: float32 [F, mel_dim]. Returns the samples that are now final."""
        self._mel = torch.cat([self._mel, mel])
        held = self._vocoder.levels[0].right if self._emitted else HELD_FIRST
        return self._emit(self._known - held)

    def finish(self) -> Tensor:
        """No more frames come: the rest of the samples, ``hop`` for every frame pushed in all."""
        return self._emit(self._known)

    @property
    def _known(self) -> int:
        return self._start + len(self._mel)

    def _emit(self, end: int) -> Tensor:
        pieces = [torch.empty(0)]
        while self._emitted < end:
            e0, e1 = self._emitted, min(end, self._emitted + self._buffers.window)
            pieces.append(self._vocoder.window(self._buffers, self._mel, self._start, e0, e1))
            self._emitted = e1
        self._drop(self._emitted - self._vocoder.levels[0].left)
        return torch.cat(pieces)

    def _drop(self, frame: int) -> None:
        """Forget the frames before ``frame``."""
        if frame > self._start:
            self._mel = self._mel[frame - self._start :].clone()
            self._start = frame
