"""The small model's world: what may be asked, and what is the right answer.

Everything is lower case and without punctuation. A sentence, a sum and a picture belong to the
training split or are held out, by their own text: the same in every stage and for every seed.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
MOST_ADDED = 10
COLOURS = "red green blue yellow purple orange black".split()
UNNAMED = "pink brown grey cyan lime navy olive maroon".split()
"""Colours that are seen in training, so that counting does not depend on the colour."""
SHAPES = "circle square triangle star ring".split()
MOST_SHAPES = 5
DIRECTIONS = {"left": "to the left", "right": "to the right", "up": "up", "down": "down"}
SOUNDS = {
    "beep": "a beep",
    "bell": "a bell",
    "drum": "a drum",
    "whistle": "a whistle",
    "noise": "noise",
}
THINGS = (
    "cat dog bird fish horse cow house tree river water music apple bread milk car train boat "
    "sun moon rain snow book table chair door window hand hello"
).split()
SAYABLE = sorted({*NUMBERS, *COLOURS, *SHAPES, *DIRECTIONS, *THINGS})
MOST_SAID = 4
LONG_LIST, LONG_SUM = (5, 12), (2, 4)  # words and changes: too many to be learned by heart
UNKNOWN = "i don't know"

SUMS = ("what is {}", "how much is {}", "{}")
SAYINGS = ("say {}", "please say {}", "repeat {}")
FOLLOW_UPS = ("and {}", "and now {}")
WHAT = ("what is it", "what do you see")
HOW_MANY = ("how many", "how many are there")
WHICH_COLOUR = ("which colour", "which colour is it")
WHERE = ("where does it move", "which way does it go")
HEARD = ("what do you hear", "which sound is it")
PHRASES = (*WHAT, *HOW_MANY, *WHICH_COLOUR, *WHERE, *HEARD)
STRANGE = (
    "who is the {}",
    "where is the {}",
    "when does the {} open",
    "what is the capital of {}",
    "tell me about the {}",
    "why is the {} so big",
    "do you like the {}",
    "how old is the {}",
    "can you buy a {}",
    "who made the {}",
    "what does the {} cost",
    "which {} is the best",
)
STRANGERS = (
    "king queen france london paris teacher doctor garden school church market island mountain "
    "computer telephone camera bottle coffee dinner winter summer morning picture story weather "
    "president village forest castle bridge station museum hotel airport language number planet"
).split()

WORDS = sorted(
    {*SAYABLE, *SOUNDS, "a", "i", "is", "plus", "minus", "to", "the", "don't", "know"}
    | {shape + "s" for shape in SHAPES}
)
"""Every word that an answer may hold."""


@dataclass(frozen=True)
class Turn:
    question: str
    answer: str


@dataclass(frozen=True)
class Picture:
    """count shapes of one kind and colour."""

    count: int
    colour: str
    shape: str

    @property
    def name(self) -> str:
        if self.count == 1:
            return f"a {self.colour} {self.shape}"
        return f"{NUMBERS[self.count]} {self.colour} {self.shape}s"

    @property
    def held_out(self) -> bool:
        return self.colour in COLOURS and is_held_out(self.count, self.colour, self.shape)


@dataclass(frozen=True)
class Clip:
    """One shape that moves, with a sound."""

    colour: str
    shape: str
    direction: str
    sound: str

    @property
    def held_out(self) -> bool:
        return is_held_out(self.colour, self.shape, self.direction, self.sound)


@dataclass(frozen=True)
class Talk:
    """A conversation; the last answer is the one to give. picture, clip: part of the first turn."""

    kind: str
    turns: tuple[Turn, ...]
    picture: Picture | None = None
    clip: Clip | None = None


def is_held_out(*key: object) -> bool:
    """A tenth of all sums, lists, sentences, pictures and clips is never trained on."""
    return zlib.crc32(" ".join(map(str, key)).encode()) % 10 == 0


def talk(kind: str, rng: Random, held_out: bool) -> Talk:
    """A random conversation of a kind in KINDS, of a split, or of one in TRAINED."""
    return (KINDS | TRAINED)[kind](rng, held_out)


def answers(count: int, seed: int, held_out: bool = False) -> list[str]:
    """What there is to say, each text once: half of them lists of words, which may be anything."""
    rng, found = Random(f"answers {seed} {held_out}"), {UNKNOWN: None} if not held_out else {}
    kinds, weights = ("say", "sum", "picture", "clip"), (6, 3, 1, 0.5)
    while len(found) < count:
        kind = rng.choices(kinds, weights)[0]
        found[talk(kind, rng, held_out).turns[-1].answer] = None
    return list(found)


def held_out_answers(count: int, seed: int) -> list[str]:
    """The same of the other split."""
    return answers(count, seed, held_out=True)


def add(a: int, sign: str, b: int) -> int | None:
    """The result, None if it has no name."""
    result = a + b if sign == "plus" else a - b
    return result if 0 <= result < len(NUMBERS) else None


def _sum(rng: Random, held_out: bool, first: int | None = None) -> tuple[str, str, int]:
    """ "plus b", "a plus b is c" and c. first: a, where it is given."""
    while True:
        a = rng.randrange(len(NUMBERS)) if first is None else first
        sign, b = rng.choice(("plus", "minus")), rng.randint(0, MOST_ADDED)
        result = add(a, sign, b)
        if result is not None and is_held_out(a, sign, b) == held_out:
            change = f"{sign} {NUMBERS[b]}"
            return change, f"{NUMBERS[a]} {change} is {NUMBERS[result]}", result
        if first is not None and rng.random() < 0.02:  # this one may have no sum of the split
            first = rng.randrange(len(NUMBERS))


def sums(rng: Random, held_out: bool) -> Talk:
    _, answer, _ = _sum(rng, held_out)
    question = rng.choice(SUMS).format(answer.partition(" is ")[0])
    return Talk("sum", (Turn(question, answer),))


def follow_up(rng: Random, held_out: bool) -> Talk:
    """The second question needs the first one's result."""
    while True:
        _, answer, result = _sum(rng, held_out)
        change, more, _ = _sum(rng, held_out, result)
        if more.startswith(NUMBERS[result] + " "):
            break
    question = rng.choice(SUMS).format(answer.partition(" is ")[0])
    turns = Turn(question, answer), Turn(rng.choice(FOLLOW_UPS).format(change), more)
    return Talk("follow-up", turns)


def saying(rng: Random, held_out: bool) -> Talk:
    while True:
        count = rng.randint(2 if held_out else 1, MOST_SAID)
        answer = " ".join(rng.choice(SAYABLE) for _ in range(count))
        if count == 1 or is_held_out(answer) == held_out:
            return Talk("say", (Turn(rng.choice(SAYINGS).format(answer), answer),))


def long_sum(rng: Random, held_out: bool) -> Talk:
    """ "a plus b minus c is d"; none of its steps is a held-out sum."""
    while True:
        result = rng.randrange(len(NUMBERS))
        words = [NUMBERS[result]]
        for _ in range(rng.randint(*LONG_SUM)):
            sign, b = rng.choice(("plus", "minus")), rng.randint(0, MOST_ADDED)
            before, result = result, add(result, sign, b)
            if result is None or is_held_out(before, sign, b):
                break
            words += [sign, NUMBERS[b]]
        else:
            text = " ".join(words)
            turn = Turn(rng.choice(SUMS).format(text), f"{text} is {NUMBERS[result]}")
            return Talk("long sum", (turn,))


def listing(rng: Random, held_out: bool) -> Talk:
    """A long list to be repeated, also of words that are not spoken; never held out."""
    count, known = rng.randint(*LONG_LIST), (*SAYABLE, *STRANGERS)
    answer = " ".join(rng.choice(known) for _ in range(count))
    return Talk("list", (Turn(rng.choice(SAYINGS).format(answer), answer),))


def picture(rng: Random, held_out: bool) -> Talk:
    while True:
        seen = Picture(rng.randint(1, MOST_SHAPES), rng.choice(COLOURS), rng.choice(SHAPES))
        if seen.held_out == held_out:
            break
    about = ((WHAT, seen.name), (HOW_MANY, NUMBERS[seen.count]), (WHICH_COLOUR, seen.colour))
    phrases, answer = rng.choice(about)
    return Talk("picture", (Turn(rng.choice(phrases), answer),), picture=seen)


def counting(rng: Random, held_out: bool) -> Talk:
    """How many shapes of a colour without a name; never held out."""
    seen = Picture(rng.randint(1, MOST_SHAPES), rng.choice(UNNAMED), rng.choice(SHAPES))
    turn = Turn(rng.choice(HOW_MANY), NUMBERS[seen.count])
    return Talk("counting", (turn,), picture=seen)


def clip(rng: Random, held_out: bool) -> Talk:
    while True:
        seen = Clip(*(rng.choice(list(of)) for of in (COLOURS, SHAPES, DIRECTIONS, SOUNDS)))
        if seen.held_out == held_out:
            return about_clip(seen, rng)


def about_clip(seen: Clip, rng: Random) -> Talk:
    name = f"a {seen.colour} {seen.shape}"
    about = ((WHERE, DIRECTIONS[seen.direction]), (HEARD, SOUNDS[seen.sound]), (WHAT, name))
    phrases, answer = rng.choices(about, (3, 3, 1))[0]
    return Talk("clip", (Turn(rng.choice(phrases), answer),), clip=seen)


def unknown(rng: Random, held_out: bool) -> Talk:
    while True:
        question = rng.choice(STRANGE).format(rng.choice(STRANGERS))
        if is_held_out(question) == held_out:
            return Talk("unknown", (Turn(question, UNKNOWN),))


KINDS: dict[str, Callable[[Random, bool], Talk]] = {
    "sum": sums,
    "say": saying,
    "follow-up": follow_up,
    "picture": picture,
    "clip": clip,
    "unknown": unknown,
}
TRAINED = {"list": listing, "long sum": long_sum, "counting": counting}
"""Kinds that only teach: nothing of them is asked in the end."""
