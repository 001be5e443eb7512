"""From a checkpoint to models that are ready to run."""

import logging
from dataclasses import dataclass

import torch

from omnirt.errors import InputError
from omnirt.talker.model import Talker
from omnirt.thinker.model import Thinker
from omnirt.token2wav.model import Token2Wav
from omnirt.weights.checkpoint import Checkpoint

log = logging.getLogger("omnirt")

DTYPES = {"auto": None, "float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Models:
    """The parts of one checkpoint. talker and token2wav are None when speech is off."""

    thinker: Thinker
    talker: Talker | None
    token2wav: Token2Wav | None
    speaker_ids: dict[str, int]  # voice -> row of the thinker's table that starts its speech


def load_models(checkpoint: Checkpoint, talker: bool, dtype: str) -> Models:
    """Build the models over mapped weights. dtype: "auto" keeps each tensor as it is stored.

    Raises InputError for an unknown dtype, CheckpointError if a tensor is missing, unexpected or
    misshapen.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype={dtype!r}: use one of {', '.join(map(repr, DTYPES))}")
    checkpoint.verify(talker=talker)
    config = checkpoint.config
    weights = checkpoint.weights(dtype=DTYPES[dtype])
    thinker = Thinker(config.thinker, weights.scope("thinker"))
    if not talker:
        saved = checkpoint.bytes("talker") + checkpoint.bytes("token2wav")
        log.info("speech is off: %.2f GiB of talker and token2wav not loaded", saved / 2**30)
        return Models(thinker, None, None, {})
    speakers = checkpoint.speakers
    sound = checkpoint.weights(dtype=torch.float32).scope("token2wav")
    return Models(
        thinker,
        Talker(config.talker, weights.scope("talker")),
        Token2Wav(config.token2wav, sound, speakers),
        {name: speaker.bos_token for name, speaker in speakers.items()},
    )
