"""From a checkpoint to models that are ready to run."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from omnirt.errors import InputError
from omnirt.talker.model import Talker
from omnirt.thinker.model import Thinker
from omnirt.token2wav.model import Token2Wav
from omnirt.types import require
from omnirt.weights.checkpoint import Checkpoint
from omnirt.weights.names import expected_tensors
from omnirt.weights.precisions import Precisions, part_of

from .loading import Loading, release

log = logging.getLogger("omnirt")

SPEECH = ("talker", "token2wav")
DTYPES = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Models:
    """The parts of one checkpoint. talker and token2wav are None when speech is off.

    cache_dtype: of keys and values. rare: mapped weights that only prompts need.
    """

    thinker: Thinker
    talker: Talker | None
    token2wav: Token2Wav | None
    speaker_ids: dict[str, int]  # voice -> row of the thinker's table that starts its speech
    cache_dtype: torch.dtype
    rare: Sequence[Tensor] = ()

    def rest(self) -> None:
        """Give back the memory of what only prompts need; the next one reads the files again."""
        release(self.rare)


def load_models(
    checkpoint: Checkpoint,
    talker: bool,
    dtype: str,
    quantization: str | Mapping[str, str],
    sound: bool = True,
) -> Models:
    """Build the models over mapped weights. dtype: "auto" keeps each tensor as it is stored.

    quantization: as ``Precisions.of`` takes it. sound: False leaves out Token2Wav, for tools that
    study the Talker. Raises InputError for an unknown dtype, part or
    format and for weights that are quantized already, CheckpointError if a tensor is missing,
    unexpected or misshapen.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype={dtype!r}: use one of {', '.join(map(repr, DTYPES))}")
    precisions = Precisions.of(quantization)
    checkpoint.verify(talker=talker)
    _refuse_twice(checkpoint, precisions, quantization)
    spoken = SPEECH if sound else SPEECH[:1]
    text, speech = checkpoint.bytes("thinker"), sum(map(checkpoint.bytes, spoken))
    if not talker:
        log.info("speech is off: %.2f GiB of talker and token2wav not loaded", speech / 2**30)
    with tqdm(
        desc="loading",
        total=text + speech * talker,
        unit="B",
        unit_scale=True,
        disable=None,  # quiet when not a terminal
    ) as bar:
        return _build(checkpoint, talker, talker and sound, DTYPES[dtype], precisions, bar)


def _refuse_twice(
    checkpoint: Checkpoint, precisions: Precisions, quantization: str | Mapping[str, str]
) -> None:
    specs = expected_tensors(checkpoint.config)
    for name in checkpoint.quantized:
        free = part_of(name, specs[name].shape) not in precisions.formats
        fix = f"this checkpoint's {name} is quantized already; name other parts only, or none"
        require(free, "quantization", quantization, fix)


def _build(
    checkpoint: Checkpoint,
    talker: bool,
    sound: bool,
    dtype: torch.dtype | None,
    precisions: Precisions,
    bar: tqdm,
) -> Models:
    config, weights = checkpoint.config, Loading(checkpoint, precisions, dtype, bar)
    # First, so that what it takes to make its packed copies is free again before the rest is read.
    token2wav = _token2wav(checkpoint, precisions, bar) if sound else None
    return Models(
        Thinker(config.thinker, weights.scope("thinker")),
        Talker(config.talker, weights.scope("talker")) if talker else None,
        token2wav,
        {name: voice.bos_token for name, voice in checkpoint.speakers.items()} if talker else {},
        precisions.cache_dtype or dtype or _cache_dtype(checkpoint),
        weights.rare,
    )


def _token2wav(checkpoint: Checkpoint, precisions: Precisions, bar: tqdm) -> Token2Wav:
    config = checkpoint.config
    precision = precisions.token2wav or config.quantization.token2wav or "float32"
    sound = Loading(checkpoint, precisions, torch.float32, bar, passing=True).scope("token2wav")
    model = Token2Wav(config.token2wav, sound, checkpoint.speakers, precision=precision)
    model.prepare()
    # Its models hold packed copies and hardly touch the files again.
    release([checkpoint[name] for name in checkpoint.names("token2wav")])
    return model


def _cache_dtype(checkpoint: Checkpoint) -> torch.dtype:
    """float32 for models that are stored so, else bfloat16."""
    stored = checkpoint["thinker.model.norm.weight"].dtype
    return torch.float32 if stored == torch.float32 else torch.bfloat16
