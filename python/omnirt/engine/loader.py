"""From a checkpoint to models that are ready to run."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from omnirt import _core
from omnirt.errors import InputError
from omnirt.nn.weights import Weights
from omnirt.talker.model import Talker
from omnirt.thinker.model import Thinker
from omnirt.token2wav.model import Token2Wav
from omnirt.types import PRECISIONS, require
from omnirt.weights.checkpoint import Checkpoint

log = logging.getLogger("omnirt")

PAGE = 4096  # bytes; touching one of each makes the system read them all
SPEECH = ("talker", "token2wav")
DTYPES = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Models:
    """The parts of one checkpoint. talker and token2wav are None when speech is off."""

    thinker: Thinker
    talker: Talker | None
    token2wav: Token2Wav | None
    speaker_ids: dict[str, int]  # voice -> row of the thinker's table that starts its speech


def load_models(
    checkpoint: Checkpoint, talker: bool, dtype: str, quantization: Mapping[str, str]
) -> Models:
    """Build the models over mapped weights. dtype: "auto" keeps each tensor as it is stored.

    quantization: part -> precision of its products; "token2wav" is the part that has a choice, one
    of ``PRECISIONS``. Raises InputError for an unknown dtype, part or precision, CheckpointError if
    a tensor is missing, unexpected or misshapen.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype={dtype!r}: use one of {', '.join(map(repr, DTYPES))}")
    for part, precision in quantization.items():
        known = ", ".join(map(repr, PRECISIONS))
        require(part == "token2wav", "quantization", part, "its parts are: 'token2wav'")
        require(
            precision in PRECISIONS, f"quantization[{part!r}]", precision, f"use one of {known}"
        )
    checkpoint.verify(talker=talker)
    text, speech = checkpoint.bytes("thinker"), sum(map(checkpoint.bytes, SPEECH))
    if not talker:
        log.info("speech is off: %.2f GiB of talker and token2wav not loaded", speech / 2**30)
    with tqdm(
        desc="loading",
        total=text + speech * talker,
        unit="B",
        unit_scale=True,
        disable=None,  # quiet when not a terminal
    ) as bar:
        precision = quantization.get("token2wav", "float32")
        return _build(checkpoint, talker, DTYPES[dtype], precision, bar)


def _build(
    checkpoint: Checkpoint, talker: bool, dtype: torch.dtype | None, precision: str, bar: tqdm
) -> Models:
    config = checkpoint.config
    weights = _Loading(checkpoint.weights(dtype=dtype), bar)
    if not talker:
        return Models(Thinker(config.thinker, weights.scope("thinker")), None, None, {})
    speakers = checkpoint.speakers
    sound = _Loading(checkpoint.weights(dtype=torch.float32), bar).scope("token2wav")
    # First, so that its files and its packed copies are in memory together before the rest is.
    token2wav = Token2Wav(config.token2wav, sound, speakers, precision=precision)
    token2wav.prepare()
    _release(checkpoint, "token2wav")
    return Models(
        Thinker(config.thinker, weights.scope("thinker")),
        Talker(config.talker, weights.scope("talker")),
        token2wav,
        {name: speaker.bos_token for name, speaker in speakers.items()},
    )


def _release(checkpoint: Checkpoint, part: str) -> None:
    """Drop a part's mapped pages: its models hold packed copies and hardly touch them again."""
    mapped = checkpoint.weights()
    for name in checkpoint.names(part):
        _core.release_pages(mapped[name])


class _Loading:
    """Weights that are read from disk when they are asked for, so that no request waits for it."""

    def __init__(self, weights: Weights, bar: tqdm) -> None:
        self._weights, self._bar = weights, bar

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._weights[name]
        tensor.view(-1).view(torch.uint8)[::PAGE].max()
        self._bar.update(tensor.nbytes)
        return tensor

    def scope(self, name: str) -> "_Loading":
        return _Loading(self._weights.scope(name), self._bar)
