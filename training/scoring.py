"""What a listener hears when omnirt runs the trained parts of Token2Wav on held-out answers."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from omnirt.evaluation.measures import word_error_rate
from omnirt.token2wav.bigvgan import BigVGAN
from omnirt.token2wav.config import Token2WavConfig
from omnirt.token2wav.model import Token2Wav
from omnirt.types import WaveSchedule
from omnirt.weights.speakers import Speaker

from .codec import Corpus
from .config import VOICES, model_config
from .mel import log_mel
from .recogniser import Recogniser

ANSWERS = 100
WHOLE = WaveSchedule(first=36, chunk=36, lookahead=9, points=10)  # longer than any answer
Way = Callable[[int, int], Tensor]  # index of an answer, voice -> waveform
_log = logging.getLogger(__name__)


class Weights(dict):
    """Tensors by name, as omnirt's models ask for them."""

    def scope(self, name: str) -> "Weights":
        start = f"{name}."
        return Weights({k[len(start) :]: v for k, v in self.items() if k.startswith(start)})


def vocoder_of(runs: Path) -> BigVGAN:
    return BigVGAN(_config().bigvgan, Weights(torch.load(runs / "vocoder" / "model.pt")))


def token2wav_of(runs: Path) -> Token2Wav:
    parts = {"code2wav_dit_model": "flow", "code2wav_bigvgan_model": "vocoder"}
    weights = Weights(
        {
            f"{prefix}.{name}": tensor
            for prefix, stage in parts.items()
            for name, tensor in torch.load(runs / stage / "model.pt").items()
        }
    )
    saved = torch.load(runs / "codec" / "speakers.pt")
    speakers = {name: Speaker(bos_token=0, **saved[name]) for name in VOICES}
    return Token2Wav(_config(), weights, speakers)


def sound_of(
    token2wav: Token2Wav, codes: Sequence[int], voice: str, schedule: WaveSchedule, seed: int
) -> np.ndarray:
    """float32 [480 codes] of at least one code."""
    pieces = token2wav.synthesize(codes, voice, schedule, seed)
    return np.concatenate([piece for piece in pieces if piece is not None])


def score_vocoder(runs: Path) -> None:
    """Real mels, vocoded; runs/vocoder/score.json."""
    vocoder, held_out = vocoder_of(runs), Corpus.load(runs / "codec" / "held_out")
    ways = {
        "real": held_out.audio_of,
        "vocoded": lambda i, voice: vocoder.vocode(log_mel(held_out.audio_of(i, voice)[None])[0]),
    }
    _score(runs, "vocoder", held_out, ways)


def score_flow(runs: Path) -> None:
    """Real codes to speech: solved whole, and as it streams by default; runs/flow/score.json."""
    token2wav, held_out = token2wav_of(runs), Corpus.load(runs / "codec" / "held_out")

    def spoken(schedule: WaveSchedule, index: int, voice: int) -> Tensor:
        codes = held_out.codes_of(index).tolist()
        return torch.from_numpy(sound_of(token2wav, codes, VOICES[voice], schedule, index))

    schedules = {"whole": WHOLE, "streamed": WaveSchedule()}
    _score(runs, "flow", held_out, {k: partial(spoken, v) for k, v in schedules.items()})


def _score(runs: Path, stage: str, held_out: Corpus, ways: Mapping[str, Way]) -> None:
    """Word error rates by way and voice, each of the same answers."""
    recogniser = Recogniser.load(runs / "recogniser")
    answers = range(min(ANSWERS, len(held_out)))
    figures = {}
    with torch.inference_mode():
        for name, way in ways.items():
            for voice, speaker in enumerate(VOICES):
                pairs = [(held_out.texts[i], recogniser.hear(way(i, voice))) for i in answers]
                figures[f"{name}, {speaker}"] = round(word_error_rate(pairs), 4)
    (runs / stage / "score.json").write_text(json.dumps(figures, indent=1) + "\n")
    _log.info("%s: word error rates of %d answers: %s", stage, len(answers), figures)


def _config() -> Token2WavConfig:
    return Token2WavConfig.from_dict(model_config()["token2wav_config"])
