"""Codes to speech while the codes still come: which frames are solved together, and how.

This is what the wave lane does, run eagerly. The rule of the windows knows codes only, never the
time, so the same codes give the same samples.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt import ops
from omnirt.ops.window import FlowWindow
from omnirt.types import WaveSchedule

from .config import DitConfig
from .dit import DiT
from .ode import Factors, evaluations


@dataclass(frozen=True)
class Window:
    """Frames [start, start + frames) are solved together; the first ``keep`` of them are final.

    last: it reaches the end of the reply and knows, so all of it is final.
    """

    start: int
    frames: int
    keep: int
    last: bool


def windows(
    schedule: WaveSchedule, config: DitConfig, codes: int, complete: bool = True
) -> Iterator[Window]:
    """The windows that may be solved when the first ``codes`` of a reply are known.

    complete: no more come. Until then they are a prefix of the reply's, whatever comes. Final
    frames tile the reply; the frames beside them are solved again by the next window.
    """
    block, known, start = config.block_size, codes * config.repeats, 0
    for chunk in schedule.chunks():
        keep, frames = chunk * block, (chunk + schedule.lookahead) * block
        if start + frames > known:
            break
        yield Window(start, frames, keep, last=False)
        start += keep
    rest = known - start
    if complete and rest:
        yield Window(start, rest, rest, last=True)


class FlowSolver:
    """Solves the windows of one reply, one after the other.

    codes: int32 [codes]; voice: see ``DiT.voice``; table: see ``DiT.table``; noise: float32
    [>= frames, mel_dim], or the seed of the noise. capacity: frames of the longest window.
    """

    def __init__(
        self,
        dit: DiT,
        schedule: WaveSchedule,
        codes: Tensor,
        voice: Tensor,
        table: Tensor,
        noise: Tensor | int,
        capacity: int,
    ) -> None:
        self._dit, self._codes, self._noise = dit, codes, noise
        self._guidance, self._evaluations = schedule.guidance, evaluations(schedule)
        self._space = dit.workspace(capacity, schedule.rows)
        self._y = torch.zeros(capacity, dit.config.mel_dim)
        self._state = FlowWindow(schedule.rows)
        self._state.table, self._state.voice = table, voice
        self._state.cache = dit.cache(schedule.evaluations, schedule.rows)
        if isinstance(noise, int):
            self._state.seed = noise

    def solve(self, window: Window) -> Generator[None, None, Tensor]:
        """The mel of a window's final frames: float32 [keep, mel_dim].

        Yields after every evaluation, where it may be left alone for a while or closed.
        """
        self._enter(window)
        y, slopes = self._initial(window), []
        for i, evaluation in enumerate(self._evaluations):
            self._state.evaluation = i
            slopes.append(self._slope(_moved(y, evaluation.inputs, slopes)))
            if evaluation.last:
                y, slopes = _moved(y, evaluation.outputs, slopes), []
            yield
        return y[: window.keep]

    def _enter(self, window: Window) -> None:
        state, repeats = self._state, self._dit.config.repeats
        state.frames, state.start = window.frames, window.start
        state.keep = 0 if window.last else window.keep
        state.left = int(window.start > 0)
        end = window.start + window.frames
        state.codes = self._codes[window.start // repeats : end // repeats]

    def _initial(self, window: Window) -> Tensor:
        if isinstance(self._noise, Tensor):
            return self._noise[window.start : window.start + window.frames]
        return ops.flow_noise(self._state, self._y)[: window.frames].clone()

    def _slope(self, y: Tensor) -> Tensor:
        """The velocity at y under classifier-free guidance: [F, mel_dim], memory of its own."""
        self._y[: len(y)] = y
        velocity = self._dit.evaluate(self._state, self._y, self._space)
        live = velocity[: len(y) * self._state.rows]
        given, *null = live.unflatten(0, (len(y), -1)).unbind(1)
        return given + (given - null[0]) * self._guidance if null else given.clone()


def _moved(y: Tensor, factors: Factors, slopes: list[Tensor]) -> Tensor:
    """y plus the step's slopes so far, each by its factor."""
    return sum((f * k for f, k in zip(factors, slopes, strict=False) if f), start=y)
