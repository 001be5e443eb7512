"""Examples as tensors: rows padded on the right, media of all rows one after another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .config import PLAIN_TOKENS, WINDOW
from .examples import Example
from .loop import padded
from .world import Clip, Picture

NO_LABEL = -100


@dataclass(frozen=True)
class Batch:
    """ids: int64 [B, T]. positions: [3, B, T]. labels: [B, T], what follows each id of interest.

    mel: float32 [N, 128, WINDOW], the windows of all sounds, with ``frames`` of each; ``windows``:
    how many each sound has. spoken: ids of its words. patches, grids: of pictures and videos, in
    the order of the rows, as the vision encoder takes them. seen: what each of them shows.
    imagined: the sounds are silence.
    """

    ids: Tensor
    positions: Tensor
    labels: Tensor
    mel: Tensor
    frames: Tensor
    windows: list[int]
    spoken: list[list[int]]
    patches: Tensor | None
    grids: Tensor | None
    seen: list[Picture | Clip]
    imagined: bool


def collate(examples: Sequence[Example]) -> Batch:
    labels = []
    for example in examples:
        following = torch.full((len(example.ids),), NO_LABEL)
        following[example.start - 1 : -1] = torch.from_numpy(example.ids[example.start :])
        labels.append(following)
    sounds = [torch.from_numpy(clip) for example in examples for clip in example.prompt.mel]
    pieces = [piece for sound in sounds for piece in sound.split(WINDOW, 1)]
    media = [m for example in examples for m in (*example.prompt.images, *example.prompt.videos)]
    positions = padded(torch.from_numpy(example.positions).T for example in examples)
    return Batch(
        ids=padded((torch.from_numpy(example.ids) for example in examples), PLAIN_TOKENS),
        positions=positions.permute(2, 0, 1),
        labels=padded(labels, NO_LABEL),
        mel=padded([piece.T for piece in pieces] or [torch.zeros(WINDOW, 0)]).mT,
        frames=torch.tensor([piece.shape[1] for piece in pieces]),
        windows=[-(-sound.shape[1] // WINDOW) for sound in sounds],
        spoken=[words for example in examples for words in example.spoken],
        patches=torch.cat([torch.from_numpy(m.patches) for m in media]) if media else None,
        grids=torch.tensor([m.grid for m in media]) if media else None,
        seen=[example.seen for example in examples if example.seen],
        imagined=any(example.imagined for example in examples),
    )


Groups = Mapping[str, tuple[int, float]]
"""Of each group of ``training.examples``: how many of a step, and its share of the steps."""


def drawn(groups: Groups, rng: Random) -> tuple[str, int]:
    """The group of a step, and how many of it."""
    group = rng.choices(list(groups), [share for _, share in groups.values()])[0]
    return group, groups[group][0]


class _Steps(Dataset):
    def __init__(self, make: Callable[[int], Batch], steps: int) -> None:
        self._make, self._steps = make, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        return self._make(step)


class Ahead:
    """Batches of steps in order, made by another process ahead of time."""

    def __init__(self, make: Callable[[int], Batch], steps: int) -> None:
        self._make, self._steps = make, steps
        self._batches, self._next = None, 0

    def __call__(self, step: int) -> Batch:
        if self._batches is None or step != self._next:
            loader = DataLoader(
                _Steps(self._make, self._steps),
                batch_size=None,
                sampler=range(step, self._steps),
                num_workers=1,
                prefetch_factor=4,
            )
            self._batches = iter(loader)
        self._next = step + 1
        return next(self._batches)
