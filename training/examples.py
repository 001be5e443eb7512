"""Conversations as the Thinker trains on them: prompts made by the runtime's own front end."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from omnirt.conversation import to_write_down
from omnirt.inputs.chat import SPEECH_SYSTEM_PROMPT
from omnirt.inputs.mel import audio_tokens
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.thinker.config import ThinkerConfig
from omnirt.thinker.positions import tmrope_positions
from omnirt.types import PromptInputs

from . import drawing, world
from .config import model_config
from .recordings import RATE, Recordings

TYPED, LISTED, SUMMED, IMAGINED = "typed", "listed", "summed", "imagined"
SPOKEN, WRITTEN, FOLLOW_UP = "spoken", "written down", "follow-up"
PICTURE, COUNTED, CLIP = "picture", "counted", "clip"
_TALKS = {  # kinds of conversation, and how often
    TYPED: {"sum": 4, "follow-up": 2, "say": 5, "unknown": 1},
    LISTED: {"list": 1},
    SUMMED: {"long sum": 1},
    IMAGINED: {"sum": 4, "long sum": 2, "follow-up": 2, "say": 4, "list": 2, "unknown": 1},
    SPOKEN: {"sum": 4, "say": 4, "unknown": 1},
    WRITTEN: {"write": 1},
    FOLLOW_UP: {"follow-up": 1},
    PICTURE: {"picture": 1},
    COUNTED: {"counting": 1},
    CLIP: {"clip": 1},
}
FORMAL = 0.3
ROW_RATE = 25  # rows of a sound, a second
ROWS = (2, 11)  # the most that an imagined word and its pause take, from fast to slow speech
_FASTER, _TILT = (0.85, 1.18), 0.6
_ROOM = (2.0, 1.0)  # the most seconds of silence before and after, mostly few
_CLEAN = 0.1  # share of recordings without noise
_SIGNS = {"plus": "+", "minus": "-"}
_ANSWERED = frozenset(world.WORDS)


@dataclass(frozen=True)
class Example:
    """prompt: with its media. ids: int64 [L + n], prompt and answer, closed. positions: [3, L + n].

    kind: of world.KINDS, "write" or "sound". spoken: ids of the words of each of the prompt's
    sounds; of a clip's sound, its name. seen: what the prompt's picture or clip shows.
    imagined: its sounds are silence in place of the words.
    """

    kind: str
    answer: str
    prompt: PromptInputs
    ids: np.ndarray
    positions: np.ndarray
    spoken: list[list[int]]
    seen: world.Picture | world.Clip | None = None
    imagined: bool = False

    @property
    def start(self) -> int:
        """L, where the answer begins."""
        return len(self.prompt.input_ids)


Sound = Callable[[str, Random], dict]
"""Makes the content of a message that says a text."""


class Examples:
    """Makes examples of the training split, or held out; random numbers are the caller's.

    Their formal: the share of conversations under the released system prompt for speech, none else.
    """

    def __init__(
        self,
        processor: Processor,
        recordings: Recordings,
        held_out: bool = False,
    ) -> None:
        self._processor, self._recordings = processor, recordings
        self._config = ThinkerConfig.from_dict(model_config()["thinker_config"])
        self._held_out = held_out
        self._texts = list(recordings.waves)
        self._replies = [  # as often as recorded
            text for text, waves in recordings.waves.items() if _is_reply(text) for _ in waves
        ]
        self._phrases = [text for text in world.PHRASES if text in recordings.waves]
        self._sayings = [talk for text in self._texts if (talk := _saying(text))]

    def make(
        self, group: str, rng: Random, only_typed: bool = False, formal: float = FORMAL
    ) -> Example:
        """group: of _TALKS. Pictures and clips are asked about both ways, FOLLOW_UPs are spoken."""
        kind = rng.choices(*zip(*_TALKS[group].items(), strict=True))[0]
        if kind == "write":  # half of the time its own voices, which are few recordings
            texts = self._replies if rng.random() < 0.5 else self._texts
            return self.writing(rng.choice(texts), rng)
        spoken = group in (SPOKEN, FOLLOW_UP) or (group in (PICTURE, CLIP) and rng.random() < 0.5)
        spoken = spoken and not only_typed
        sound = silence if group == IMAGINED else self._sound if spoken else None
        return self.of(self._talk(kind, spoken, rng), sound, rng, formal)

    def of(
        self, talk: world.Talk, sound: Sound | None, rng: Random, formal: float = FORMAL
    ) -> Example:
        """A given conversation, typed or by sounds of what is asked."""
        messages: list[dict] = []
        if rng.random() < formal:
            messages.append({"role": "system", "content": SPEECH_SYSTEM_PROMPT})
        heard: list[str] = []
        for i, turn in enumerate(talk.turns):
            content, sounds = self._content(talk if i == 0 else None, turn, sound, rng)
            heard += sounds
            messages.append({"role": "user", "content": content})
            if turn is not talk.turns[-1]:
                messages.append({"role": "assistant", "content": turn.answer})
        example = self._example(talk.kind, messages, talk.turns[-1].answer, heard)
        return replace(example, seen=talk.picture or talk.clip, imagined=sound is silence)

    def writing(self, text: str, rng: Random) -> Example:
        """A recording to be written down, asked for as evaluations on LibriSpeech ask for it."""
        return self._example("write", to_write_down(self._sound(text, rng)), text, [text])

    def asking(self, rng: Random) -> Example:
        """A recorded question about a picture or a clip, to be written down."""
        return self.writing(rng.choice(self._phrases), rng)

    def sounding(self, rng: Random) -> Example:
        """The name of a sound as clips have it."""
        name = rng.choice(list(world.SOUNDS))
        sound = audio(drawing.make_sound(name, rng), drawing.SOUND_RATE)
        return self._example("sound", to_write_down(sound), name, [name])

    def _talk(self, kind: str, spoken: bool, rng: Random) -> world.Talk:
        """One whose questions were recorded, if it is to be spoken."""
        if kind == "clip":
            return self._clip(rng)
        if kind == "say" and spoken:
            return rng.choice(self._sayings)
        while True:
            talk = world.talk(kind, rng, self._held_out)
            if not spoken or all(turn.question in self._recordings.waves for turn in talk.turns):
                return talk

    def _content(
        self, media: world.Talk | None, turn: world.Turn, sound: Sound | None, rng: Random
    ) -> tuple[list[dict], list[str]]:
        """Content of a message, in any order, and the words of its sounds."""
        parts: list[tuple[dict, list[str]]] = []
        if sound:
            parts.append((sound(turn.question, rng), [turn.question]))
        else:
            parts.append(({"type": "text", "text": typed(turn.question, rng)}, []))
        if media and media.picture:
            size = rng.choice(drawing.SIZES)
            pixels = drawing.draw(media.picture, rng, size)
            parts.append(({"type": "image", "image": pixels}, []))
        if media and media.clip:
            hears = turn.question in world.HEARD or rng.random() < 0.5
            file = next(file for seen, file in self._recordings.clips if seen == media.clip)
            video = {"type": "video", "video": file, "use_audio_in_video": hears}
            parts.append((video, [media.clip.sound] if hears else []))
        rng.shuffle(parts)
        return [part for part, _ in parts], [words for _, sounds in parts for words in sounds]

    def _clip(self, rng: Random) -> world.Talk:
        """A question about one of the recorded clips."""
        seen, _ = rng.choice(self._recordings.clips)
        return world.about_clip(seen, rng)

    def _sound(self, text: str, rng: Random) -> dict:
        samples = rng.choice(self._recordings.waves[text])
        voice = samples if self._held_out else another_voice(samples, rng)
        return audio(noisy(in_room(voice, rng), rng))

    def _example(self, kind: str, messages: list[dict], answer: str, heard: list[str]) -> Example:
        prompt = build_prompt(messages, self._processor)
        tail = [*self._processor.tokenizer.encode(answer), self._config.eos_id]
        ids = np.concatenate([prompt.input_ids, np.array(tail, np.int64)])
        positions, _ = tmrope_positions(
            ids,
            self._config,
            [audio_tokens(clip.shape[1]) for clip in prompt.mel],
            [image.grid for image in prompt.images],
            [video.grid for video in prompt.videos],
            [video.seconds_per_grid for video in prompt.videos],
            prompt.video_has_audio,
        )
        encode = self._processor.tokenizer.encode
        spoken = [encode(f" {words}") for words in heard]
        return Example(kind, answer, prompt, ids, positions.numpy(), spoken)


def silence(text: str, rng: Random) -> dict:
    """As long as the text may take to say, fast or slow."""
    most = rng.randint(*ROWS)
    rows = sum(rng.randint(2, most) for _ in text.split())
    return audio(np.zeros(rows * RATE // ROW_RATE, np.float32))


def audio(wave: np.ndarray, rate: int = RATE) -> dict:
    """The content of a message that is a sound, float32 [n]."""
    return {"type": "audio", "audio": wave, "sampling_rate": rate}


def typed(question: str, rng: Random) -> str:
    """As people type: mostly plain, at times with a capital, a question mark, digits."""
    style = rng.random()
    if style < 0.5:
        return question
    if style < 0.7 and (" plus " in question or " minus " in question):
        question = " ".join(_digits(word) for word in question.split())
    return question[0].upper() + question[1:] + rng.choice(("?", "", "."))


def another_voice(samples: np.ndarray, rng: Random) -> np.ndarray:
    """int16 -> int16: faster and higher or slower and lower, as of a smaller or a larger speaker,
    and brighter or darker.
    """
    places = np.arange(0, len(samples) - 1, rng.uniform(*_FASTER))
    wave = np.interp(places, np.arange(len(samples)), samples)
    wave[1:] += rng.uniform(-_TILT, _TILT) * wave[:-1]
    return (wave * (np.abs(samples).max() / np.abs(wave).max())).astype(np.int16)


def in_room(samples: np.ndarray, rng: Random) -> np.ndarray:
    """As microphones record it: a moment longer than the speech, at both ends."""
    return np.pad(samples, [round(rng.random() ** 3 * most * RATE) for most in _ROOM])


def noisy(samples: np.ndarray, rng: Random) -> np.ndarray:
    """int16 -> float32 in [-1, 1], at another level; noise 8 to 45 dB below, or _CLEAN: none."""
    wave = samples.astype(np.float32) / 32768
    if rng.random() > _CLEAN:
        level = np.sqrt(np.square(wave).mean()) * 10 ** (-rng.uniform(8, 45) / 20)
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, level, len(wave))
        wave += noise.astype(np.float32)
    return (wave * rng.uniform(0.3, 1.2)).clip(-1, 1)


def _digits(word: str) -> str:
    if word in world.NUMBERS:
        return str(world.NUMBERS.index(word))
    return _SIGNS.get(word, word)


def _is_reply(text: str) -> bool:
    """Whether it is an answer, not a question; these are recorded in the model's voices."""
    words = text.split()
    asks = "is" not in words and not {"plus", "minus"}.isdisjoint(words)
    return not asks and _ANSWERED.issuperset(words)


def _saying(text: str) -> world.Talk | None:
    """The conversation that asks to say something, if ``text`` does."""
    for form in world.SAYINGS:
        request = form.removesuffix("{}")
        if text.startswith(request):
            return world.Talk("say", (world.Turn(text, text.removeprefix(request)),))
    return None
