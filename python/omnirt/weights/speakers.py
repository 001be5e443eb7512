"""Voices: spk_dict.pt, read without running anything that it may hold."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from omnirt.errors import CheckpointError

from .model_config import ModelConfig

FILE = "spk_dict.pt"


@dataclass(frozen=True)
class Speaker:
    """bos_token: row of the Thinker's table that starts this voice's speech.

    cond: float32 [speaker_dim]. ref_mel: float32 [frames, mel_dim], natural log of the amplitude.
    """

    bos_token: int
    cond: Tensor
    ref_mel: Tensor


def read_speakers(folder: Path, config: ModelConfig) -> dict[str, Speaker]:
    """Voice -> Speaker, in the file's order. Raises CheckpointError."""
    path = folder / FILE
    try:
        voices = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file; download it, or use talker=False") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{path}: damaged, or holds more than plain tensors ({reason}); download it again"
        ) from error
    if not isinstance(voices, dict) or not voices:
        raise CheckpointError(f"{path}: holds no voices; download it again")
    return {str(name): _speaker(f"{path}: {name}", v, config) for name, v in voices.items()}


def _speaker(where: str, values: object, config: ModelConfig) -> Speaker:
    if not isinstance(values, dict) or not {"bos_token", "cond", "ref_mel"} <= values.keys():
        raise CheckpointError(f"{where}: must hold bos_token, cond and ref_mel; download it again")
    dit, vocab = config.token2wav.dit, config.thinker.text.vocab_size
    bos = values["bos_token"]
    if not isinstance(bos, int) or not 0 <= bos < vocab:
        raise CheckpointError(f"{where}.bos_token={bos!r}: must be an id below vocab_size={vocab}")
    cond = _floats(f"{where}.cond", values["cond"], dit.speaker_dim)
    if cond.numel() != dit.speaker_dim:
        raise CheckpointError(
            f"{where}.cond={list(cond.shape)}: must hold {dit.speaker_dim} numbers (enc_emb_dim)"
        )
    mel = _floats(f"{where}.ref_mel", values["ref_mel"], dit.mel_dim).reshape(-1, dit.mel_dim)
    if len(mel) <= dit.speaker.reach:
        raise CheckpointError(
            f"{where}.ref_mel={list(mel.shape)}: must hold more than {dit.speaker.reach} frames"
        )
    return Speaker(bos, cond.reshape(-1), mel)


def _floats(where: str, value: object, width: int) -> Tensor:
    """A non-empty finite float32 tensor whose last dimension is ``width``."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise CheckpointError(f"{where}: must be a floating-point tensor; download the file again")
    if value.numel() == 0 or value.shape[-1] != width:
        raise CheckpointError(f"{where}={list(value.shape)}: the last dimension must be {width}")
    if not value.isfinite().all():
        raise CheckpointError(f"{where}: holds infinite or undefined numbers; download it again")
    return value.float()
