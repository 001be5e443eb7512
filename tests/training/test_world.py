"""The small model's world: right answers, and a held-out part that training never sees."""

from random import Random

import pytest

from omnirt.inputs.tokenizer import TextTokenizer
from training import drawing, tokenizer, world


def talks(kind: str, held_out: bool, count: int = 300) -> list[world.Talk]:
    rng = Random(f"{kind} {held_out}")
    return [world.talk(kind, rng, held_out) for _ in range(count)]


@pytest.mark.parametrize("kind", world.KINDS)
def test_what_is_held_out_never_trains(kind):
    def keys(held_out: bool) -> set:
        asked = (t for t in talks(kind, held_out))
        if kind == "sum":  # the same sum may be asked for in other words
            return {t.turns[0].answer for t in asked}
        if kind == "picture":
            return {t.picture for t in asked}
        return {t.clip for t in asked} if kind == "clip" else {t.turns for t in asked}

    seen, held_out = keys(False), keys(True)
    assert seen
    assert held_out
    alone = {
        answer for answer in seen & held_out if kind != "say" or len(answer[0].answer.split()) > 1
    }
    assert not alone


def test_sums_are_right_and_follow_ups_go_on():
    number = world.NUMBERS.index
    for talk in talks("sum", False) + talks("follow-up", True):
        for before, turn in zip((None, *talk.turns), talk.turns, strict=False):
            a, sign, b, _, result = turn.answer.split()
            assert number(result) == number(a) + (number(b) if sign == "plus" else -number(b))
            assert turn.question.endswith(f"{sign} {b}")
            if before is not None:
                assert before.answer.endswith(f" {a}")


def test_no_step_of_a_long_sum_is_held_out():
    number = world.NUMBERS.index
    for talk in talks("long sum", False):
        *steps, is_, result = talk.turns[0].answer.split()
        total = number(steps[0])
        for sign, b in zip(steps[1::2], map(number, steps[2::2]), strict=True):
            assert not world.is_held_out(total, sign, b)
            total = world.add(total, sign, b)
        assert (is_, number(result)) == ("is", total)


@pytest.mark.parametrize("held_out", [False, True])
def test_answers_are_of_known_words_and_come_once(held_out):
    said = world.answers(500, 0, held_out)
    assert len(set(said)) == len(said) >= 500
    assert {word for answer in said for word in answer.split()} <= {*world.WORDS}
    assert said == world.answers(500, 0, held_out)
    sums = {answer for answer in said if " is " in answer}
    assert sums
    assert not sums & {*world.answers(500, 1, not held_out)}


def test_a_word_is_a_token(tmp_path):
    tokenizer.write(tmp_path)
    known = TextTokenizer.from_folder(tmp_path)
    for word in world.WORDS:
        if "'" not in word:
            assert len(known.encode(word)) == len(known.encode(f" {word}")) == 1
    assert known.decode(known.encode("What is 3 + 4?")) == "What is 3 + 4?"


def test_pictures_hold_their_colour():
    for talk in talks("picture", False, 30):
        size = drawing.SIZES[0]
        pixels = drawing.draw(talk.picture, Random(0), size)
        assert pixels.shape == (size[1], size[0], 3)
        away = abs(pixels.astype(int) - drawing.PAINT[talk.picture.colour]).max(-1)
        assert (away < 40).sum() > 50
