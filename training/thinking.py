"""Runs the frozen Thinker over conversations and keeps what it hands to the Talker."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from omnirt.inputs.prompt import Processor
from omnirt.weights.presets import FIRST_VOICE, TEXT_EOS, TEXT_PAD

from . import world
from .batches import collate
from .codec import STEP, Corpus
from .config import PLAIN_TOKENS, SPEECH_RATE, VOICES
from .examples import CLIP, PICTURE, SPOKEN, Example, Examples
from .loop import parameters
from .recordings import Recordings
from .residual import louder
from .states import EndRows, Line, save
from .thinker import Learner
from .tokenizer import open_processor
from .word_times import all_word_times

_TOGETHER = 16  # conversations of one pass
# How often to look for conversations of these groups whose answers were recorded.
_TRIES = {SPOKEN: 1500, PICTURE: 500, CLIP: 100}
_ANSWERS = 8000  # for so many tries; fewer answers, fewer tries
_STEPS_A_SECOND = SPEECH_RATE / STEP
_CLOSING = 2  # codes behind the last sound


@dataclass(frozen=True)
class Speech:
    """codes: int64 [m]. starts: seconds where each word begins."""

    codes: Tensor
    starts: np.ndarray


def requesting(answer: str, rng: Random) -> world.Talk | None:
    """A conversation in words alone that has this answer; None if it takes a picture or a clip."""
    if answer == world.UNKNOWN:
        question = rng.choice(world.STRANGE).format(rng.choice(world.STRANGERS))
    elif " is " in answer:
        question = rng.choice(world.SUMS).format(answer.partition(" is ")[0])
    elif all(word in world.SAYABLE for word in answer.split()):
        question = rng.choice(world.SAYINGS).format(answer)
    else:
        return None
    return world.Talk("asked", (world.Turn(question, answer),))


class Scribe:
    """Writes down states of conversations with their right answers."""

    def __init__(self, learner: Learner, processor: Processor) -> None:
        self._learner, self._tokenizer = learner.eval(), processor.tokenizer

    def conversations(
        self, examples: Examples, answers: Sequence[str], share: float, seed: int
    ) -> Iterator[Example]:
        """A typed request for each answer, then sounds, pictures and clips that ask for one."""
        rng, known = Random(f"conversations {seed}"), set(answers)
        for answer in answers:
            if talk := requesting(answer, rng):
                yield examples.of(talk, None, rng)
        for group, tries in _TRIES.items():
            for _ in range(round(tries * share)):
                example = examples.make(group, rng)
                if self.answer_of(example) in known:
                    yield example

    @torch.inference_mode()
    def lines(self, examples: Sequence[Example], spoken: dict[str, Speech]) -> list[Line]:
        """Of a few conversations. spoken: how their answers sound."""
        config = self._learner.thinker.config
        batch = collate(examples)
        embedded, hidden = self._learner.states(batch)
        media = (config.audio_token_id, config.image_token_id, config.video_token_id)
        is_text = ~torch.isin(batch.ids, torch.tensor(media))
        rows = (hidden + embedded * is_text[..., None]).half()
        return [self._line(e, x, spoken) for e, x in zip(examples, rows, strict=True)]

    def answer_of(self, example: Example) -> str:
        return self._tokenizer.decode(example.ids[example.start : -1].tolist())

    def end_rows(self) -> EndRows:
        table = self._learner.thinker.model.embed_tokens.weight.detach().clone()
        voices = [PLAIN_TOKENS + FIRST_VOICE - 2 * i for i in range(len(VOICES))]
        return EndRows(
            table[voices], table[PLAIN_TOKENS + TEXT_EOS], table[PLAIN_TOKENS + TEXT_PAD]
        )

    def _line(self, example: Example, rows: Tensor, spoken: dict[str, Speech]) -> Line:
        answer, start = self.answer_of(example), example.start
        speech = spoken[answer]
        return Line(
            answer=answer,
            prompt=rows[:start].clone(),
            positions=torch.from_numpy(example.positions[:, :start]).clone(),
            text=rows[start : len(example.ids) - 1].clone(),  # the closing token is not spoken
            codes=speech.codes,
            spoken=self._rows_spoken(answer, speech),
        )

    def _rows_spoken(self, answer: str, speech: Speech) -> Tensor:
        """The row of each step's word: the word's last token, which knows the whole word."""
        words, encode = answer.split(), self._tokenizer.encode
        ends = [len(encode(" ".join(words[: i + 1]))) for i in range(len(words))]
        rows = np.array([*(end - 1 for end in ends), ends[-1]])
        steps = len(speech.codes) + 1
        starts = [*(speech.starts * _STEPS_A_SECOND), steps - 1 - _CLOSING]
        word = np.searchsorted(starts, np.arange(steps), side="right") - 1
        return torch.from_numpy(rows[word.clip(0)])


def write_lines(out: Path, seed: int = 0) -> None:
    """Both splits of the codec's corpus as the Talker gets them: talker/train.pt, held_out.pt."""
    learner = Learner()
    learner.thinker.load_state_dict(louder(parameters(out / "thinker", "thinker.")))
    processor = open_processor(out)
    examples = Examples(processor, Recordings.load(out / "recordings" / "train"))
    scribe = Scribe(learner, processor)
    for split, share in (("train", 1.0), ("held_out", 0.0)):
        corpus = Corpus.load(out / "codec" / split)
        starts = _word_times(out / "talker" / f"{split}_words.json", corpus.texts)
        spoken = {
            text: Speech(corpus.codes_of(i), starts[i]) for i, text in enumerate(corpus.texts)
        }
        share *= len(corpus) / _ANSWERS
        asked = list(tqdm(scribe.conversations(examples, corpus.texts, share, seed), split))
        asked.sort(key=lambda example: len(example.ids))
        parts = [asked[i : i + _TOGETHER] for i in range(0, len(asked), _TOGETHER)]
        lines = [line for part in tqdm(parts, "states") for line in scribe.lines(part, spoken)]
        save(out / "talker" / f"{split}.pt", lines, scribe.end_rows())


def _word_times(path: Path, texts: Sequence[str]) -> list[np.ndarray]:
    """Kept in a file, as other states do not change them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(json.dumps([times.tolist() for times in all_word_times(texts)]))
    return [np.array(times) for times in json.loads(path.read_text())]
