"""What the finished checkpoint can do, asked what it never trained on, by the runtime itself.

python -m training.score --out runs
"""

import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from tqdm import tqdm

from omnirt.conversation import to_write_down
from omnirt.engine.answer import answer
from omnirt.engine.loader import load_models
from omnirt.evaluation.measures import word_error_rate, words
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.options import Defaults, Options
from omnirt.types import PromptInputs, SamplingParams, WaveSchedule
from omnirt.weights.checkpoint import Checkpoint

from .config import SPEECH_RATE, VOICES
from .examples import (
    CLIP,
    FOLLOW_UP,
    PICTURE,
    SPOKEN,
    TYPED,
    WRITTEN,
    Examples,
    audio,
)
from .recogniser import Recogniser
from .recordings import Recordings
from .scoring import sound_of
from .stage import Arguments
from .voices import REPLY_VOICES, speak_all

QUESTIONS, REPLIES = 300, 500
TEXT_TOKENS, CODES = 24, 400
GROUPS = (TYPED, SPOKEN, FOLLOW_UP, PICTURE, CLIP, WRITTEN)
_STEP = 480  # samples a code
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """ended: it stopped by itself. wave: float32 at SPEECH_RATE."""

    text: str
    codes: list[int]
    ended: bool
    wave: np.ndarray


class Pupil:
    """A checkpoint that answers examples. quantization: as ``OmniRuntime`` takes it."""

    def __init__(self, folder: Path, quantization: str | dict[str, str] | None = None) -> None:
        self._checkpoint = Checkpoint.open(folder)
        self._models = load_models(self._checkpoint, True, "auto", quantization or {})
        self._defaults = Defaults.of(self._models)
        self.processor = Processor.from_folder(folder)

    def write(self, prompt: PromptInputs) -> str:
        """The text of a reply."""
        options = Options(audio=False, thinker=SamplingParams(max_new_tokens=TEXT_TOKENS))
        request = self._defaults.request(prompt, options)
        return self._text(answer(self._models, self._checkpoint.config, request)[0])

    def speak(
        self, prompt: PromptInputs, voice: str, seed: int, wave: WaveSchedule | None = None
    ) -> Reply:
        """Text and speech, sampled by the released defaults."""
        options = Options(
            voice=voice,
            seed=seed,
            thinker=SamplingParams(max_new_tokens=TEXT_TOKENS),
            talker=SamplingParams(max_new_tokens=CODES),
        )
        request = self._defaults.request(prompt, options)
        ids, codes = answer(self._models, self._checkpoint.config, request)
        speech = self.sound(codes, voice, seed, wave)
        return Reply(self._text(ids), codes, len(codes) < CODES - 1, speech)

    def sound(
        self, codes: Sequence[int], voice: str, seed: int, wave: WaveSchedule | None = None
    ) -> np.ndarray:
        """float32 [480 codes]."""
        if not codes:
            return np.zeros(0, np.float32)
        schedule = wave or WaveSchedule.preset("balanced")
        return sound_of(self._models.token2wav, codes, voice, schedule, seed)

    def hear(self, wave: np.ndarray) -> str:
        """The words of speech at SPEECH_RATE, by the model's own ears."""
        if not len(wave):
            return ""
        messages = to_write_down(audio(wave, SPEECH_RATE))
        return self.write(build_prompt(messages, self.processor))

    def _text(self, ids: Sequence[int]) -> str:
        return self.processor.tokenizer.decode(list(ids))


def right_answers(pupil: Pupil, examples: Examples, questions: int) -> dict[str, dict]:
    """Of each group and kind of question: how many were asked, the share answered exactly."""
    found: dict[str, list[bool]] = defaultdict(list)
    for group in GROUPS:
        rng = Random(f"score {group}")
        for _ in tqdm(range(questions), group, disable=None):
            example = examples.make(group, rng)
            right = pupil.write(example.prompt) == example.answer
            found[group].append(right)
            found[f"{group}: {example.kind}"].append(right)
    return {name: {"asked": len(x), "right": sum(x) / len(x)} for name, x in found.items()}


def replies(
    pupil: Pupil, examples: Examples, count: int, wave: WaveSchedule | None = None
) -> dict[str, list[Reply]]:
    """Spoken answers to typed questions, half in each voice."""
    rng, said = Random("replies"), {voice: [] for voice in VOICES}
    for i in tqdm(range(count), "replies", disable=None):
        voice = VOICES[i % len(VOICES)]
        said[voice].append(pupil.speak(examples.make(TYPED, rng).prompt, voice, i, wave))
    return said


def speech(pupil: Pupil, said: dict[str, list[Reply]], recogniser: Recogniser) -> dict[str, dict]:
    """Of each voice: word error rates against the text, endings, lengths beside the reference's."""
    return {voice: _voice(pupil, voice, said[voice], recogniser) for voice in said}


def _voice(pupil: Pupil, voice: str, said: list[Reply], recogniser: Recogniser) -> dict:
    worded = [reply for reply in said if words(reply.text)]
    lines = [(reply.text, REPLY_VOICES[voice]) for reply in worded]
    real = [len(r.samples) / _STEP for r in speak_all(lines, SPEECH_RATE)]
    ratios = np.array([len(r.codes) for r in worded]) / np.array(real)
    own = [(reply.text, pupil.hear(reply.wave)) for reply in tqdm(said, "own ears", disable=None)]
    return {
        "replies": len(said),
        "with words": len(worded) / len(said),
        "word error rate": word_error_rate((r.text, recogniser.hear(r.wave)) for r in said),
        "by its own ears": word_error_rate(own),
        "ended": sum(reply.ended for reply in said) / len(said),
        "length within 30 %": float((np.abs(ratios - 1) <= 0.3).mean()),
        "mean length": float(ratios.mean()),
    }


@torch.inference_mode()
def main(arguments: Arguments) -> None:
    questions, count = (10, 6) if arguments.short else (QUESTIONS, REPLIES)
    recordings = Recordings.load(arguments.out / "recordings" / "held_out")
    pupil = Pupil(arguments.out / "model")
    examples = Examples(pupil.processor, recordings, held_out=True)
    recogniser = Recogniser.load(arguments.out / "recogniser")
    result = {
        "answers": right_answers(pupil, examples, questions),
        "speech": speech(pupil, replies(pupil, examples, count), recogniser),
    }
    (arguments.out / "score.json").write_text(json.dumps(result, indent=1) + "\n")
    _log.info("%s", json.dumps(result, indent=1))


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
