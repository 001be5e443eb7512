"""The Talker's training: rows in the released order, speech as transformers' generate gives it."""

from dataclasses import replace
from random import Random

import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("espeakng_loader")

from training import thinking, world  # noqa: E402
from training.config import CODEC_BOS, CODEC_EOS, CODEC_MASK, CODEC_PAD, model_config  # noqa: E402
from training.released import new_thinker  # noqa: E402
from training.residual import louder  # noqa: E402
from training.speaking import GREEDY, Choice, drawn, speak  # noqa: E402
from training.states import NO_CODE, NOT_SPOKEN, EndRows, Line, batch, load, save  # noqa: E402
from training.talker import Recipe, damaged, losses, new_talker  # noqa: E402
from training.whitening import Whitening  # noqa: E402

WIDTH = model_config()["thinker_config"]["text_config"]["hidden_size"]


def rows(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)).half().float()


ENDS = EndRows(rows(2, 1), rows(1, 2)[0], rows(1, 3)[0])


def line(prompt: int, text: int, codes: int, seed: int = 0) -> Line:
    """A code a token in turn is "spoken"."""
    return Line(
        answer=" ".join(["one"] * text),
        prompt=rows(prompt, seed + 4).half(),
        positions=torch.arange(prompt).expand(3, -1),
        text=rows(text, seed + 5).half(),
        codes=torch.arange(1, codes + 1),
        spoken=torch.arange(codes + 1) * (text + 1) // (codes + 1),
    )


def test_rows_are_prompt_voice_and_text_with_the_codes_before() -> None:
    one = line(prompt=3, text=2, codes=5)
    made = batch([one], [1], ENDS)
    expected = [*one.prompt.float(), ENDS.voices[1], *one.text.float(), ENDS.eos]
    expected += [ENDS.pad] * 3  # 10 rows: the last one answers with the stop
    assert torch.equal(made.text[0], torch.stack(expected))
    assert made.codes[0].tolist() == [NO_CODE] * 3 + [CODEC_PAD, CODEC_BOS, 1, 2, 3, 4, 5]
    assert made.targets[0].tolist() == [NOT_SPOKEN] * 4 + [1, 2, 3, 4, 5, CODEC_EOS]
    assert made.pointed[0].tolist() == [NOT_SPOKEN] * 4 + [4, 4, 5, 5, 6, 6]
    assert made.positions[:, 0].tolist() == [list(range(10))] * 3


def test_positions_follow_the_highest_of_the_prompt() -> None:
    one = line(prompt=3, text=2, codes=2)
    one.positions.data = torch.tensor([[0, 1, 4], [0, 7, 4], [0, 1, 4]])
    assert batch([one], [0], ENDS).positions[1, 0].tolist() == [0, 7, 4, 8, 9, 10, 11]


def test_a_cropped_line_keeps_the_end_of_its_prompt() -> None:
    one = line(prompt=9, text=2, codes=2)
    assert torch.equal(one.cropped(4).prompt, one.prompt[5:])
    assert one.cropped(4).positions[0].tolist() == [5, 6, 7, 8]
    assert len(one.cropped(100).prompt) == 9


def test_lines_survive_a_file(tmp_path) -> None:
    save(tmp_path / "lines.pt", [line(3, 2, 5)], ENDS)
    (one,), ends = load(tmp_path / "lines.pt")
    assert one.answer == "one one"
    assert torch.equal(one.text, line(3, 2, 5).text)
    assert torch.equal(ends.pad, ENDS.pad)


def test_only_codes_are_damaged() -> None:
    codes = torch.tensor([[NO_CODE, CODEC_PAD, CODEC_BOS, *range(1, 101), NO_CODE]])
    other = damaged(codes, 0.5, torch.Generator().manual_seed(0))
    kept = (codes == NO_CODE) | (codes > 1024)
    assert torch.equal(other[kept], codes[kept])
    assert 30 < (other != codes).sum() < 60
    assert ((other[~kept] >= 1) & (other[~kept] <= 1024)).all()


def released_speech(model, one: Line, voice: int, most: int) -> list[int]:
    """As Qwen2_5OmniForConditionalGeneration.generate calls its Talker."""
    length = len(one.prompt)
    text, start = one.text.float(), torch.full((1, length + 2), CODEC_MASK)
    start[0, -2:] = torch.tensor([CODEC_PAD, CODEC_BOS])
    before = torch.cat([one.prompt.float(), ENDS.voices[voice][None], text[:1]])[None]
    ids = model.generate(
        input_ids=start,
        input_text_ids=torch.zeros(1, length + 2, dtype=torch.long),
        thinker_reply_part=torch.cat([text[1:], ENDS.eos[None], ENDS.pad[None]])[None],
        inputs_embeds=before,
        attention_mask=torch.ones(1, length + 2, dtype=torch.long),
        suppress_tokens=[CODEC_BOS],
        do_sample=False,
        repetition_penalty=1.05,
        eos_token_id=[CODEC_PAD, CODEC_EOS],
        max_new_tokens=most,
    )
    return ids[0, length + 2 :].tolist()


def test_speech_is_what_transformers_generates() -> None:
    model = new_talker().eval()
    lines = [line(7, 3, 1), line(4, 5, 1, seed=10), line(12, 2, 1, seed=20)]
    together = speak(model, lines, [0, 1, 1], ENDS, GREEDY, most=25)
    alone = [released_speech(model, x, v, 25) for x, v in zip(lines, [0, 1, 1], strict=True)]
    assert together == alone


def test_teacher_forcing_expects_what_is_spoken() -> None:
    model = new_talker().eval()
    one = line(5, 3, 1)
    free = Choice(temperature=0.0, repetition_penalty=1.0)
    codes = torch.tensor(speak(model, [one], [0], ENDS, free, most=12)[0])
    spoken = torch.zeros(len(codes) + 1, dtype=torch.long)
    said = Line(one.answer, one.prompt, one.positions, one.text, codes, spoken)
    other = line(2, 2, 30)  # pads the first
    made = batch([said, other], [0, 0], ENDS)
    made.targets[1] = NOT_SPOKEN
    values = losses(model, made, Recipe(damage=0.0), torch.Generator())
    assert values["right"].item() >= 12 / 13  # all but the stop, which was not spoken


def test_a_whitened_talker_says_the_same() -> None:
    model = new_talker().eval()
    lines = [line(6, 40, 1, seed=i) for i in range(8)]
    mixing = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(5)) / WIDTH**0.5
    lines = [replace(x, text=(x.text.float() @ mixing + 1).half()) for x in lines]
    white = Whitening.of(lines)
    before = speak(model, lines[:2], [0, 1], ENDS, GREEDY, most=12)
    white.enter(model)
    inside = [white.line(x) for x in lines[:2]]
    assert speak(model, inside, [0, 1], white.ends(ENDS), GREEDY, most=12) == before
    white.leave(model)
    assert speak(model, lines[:2], [0, 1], ENDS, GREEDY, most=12) == before


def test_whitened_rows_are_alike_in_all_directions() -> None:
    lines = [line(2, 60, 1, seed=i) for i in range(20)]
    lines = [replace(x, text=(x.text * torch.linspace(0.5, 5, WIDTH)).half()) for x in lines]
    white = Whitening.of(lines)
    spread = torch.cat([white.line(x).text for x in lines]).std(0)
    assert spread.min() > 0.6
    assert spread.max() < 1.4


def test_a_louder_thinker_thinks_the_same() -> None:
    thinker = new_thinker().eval()
    with torch.no_grad():  # as training leaves it; else the norms' epsilon counts
        thinker.model.embed_tokens.weight *= 5
    ids, positions = torch.arange(20)[None] * 7, torch.arange(20).expand(3, 1, -1)

    @torch.inference_mode()
    def states() -> tuple[torch.Tensor, torch.Tensor]:
        embedded = thinker.model.embed_tokens(ids)
        found = thinker.model(inputs_embeds=embedded, position_ids=positions, use_cache=False)
        return embedded, found.last_hidden_state

    before, hidden = states()
    parameters = louder(thinker.state_dict(), 64.0)
    thinker.load_state_dict(parameters)
    after, same = states()
    assert torch.equal(after, before * 64)
    torch.testing.assert_close(same, hidden, atol=1e-3, rtol=1e-3)
    scaled = {"audio_tower.proj.weight", "audio_tower.proj.bias", "model.embed_tokens.weight"}
    assert scaled <= parameters.keys()


def test_a_penalty_and_the_banned_code() -> None:
    logits = torch.full((1, 1032), -9.0)
    logits[0, [3, 4, CODEC_BOS]] = torch.tensor([2.1, 2.05, 9.0])
    seen = torch.zeros(1, 1032, dtype=torch.bool)
    assert drawn(logits, seen, GREEDY, torch.Generator()).item() == 3
    seen[0, 3] = True
    assert drawn(logits, seen, GREEDY, torch.Generator()).item() == 4


def test_it_learns_a_line_by_heart() -> None:
    model = new_talker()
    made = batch([line(4, 3, 12), line(2, 2, 9, seed=7)], [0, 1], ENDS)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    history = []
    for step in range(12):
        values = losses(model, made, Recipe(damage=0.0), torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        values["loss"].backward()
        optimizer.step()
        history.append(values)
    assert history[-1]["ce"] < 0.3 * history[0]["ce"]
    assert history[-1]["guide"] < 0.5 * history[0]["guide"]


@pytest.mark.parametrize("answer", ["three plus four is seven", "cat two", world.UNKNOWN])
def test_a_request_has_the_answer(answer: str) -> None:
    assert thinking.requesting(answer, Random(0)).turns[-1].answer == answer


def test_what_only_a_picture_tells_is_not_requested_in_words() -> None:
    assert thinking.requesting("two red circles", Random(0)) is None
