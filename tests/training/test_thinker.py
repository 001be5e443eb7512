"""The Thinker's training: the runtime's prompts in one batch give what transformers gives one by
one, and a short run learns."""

from random import Random

import pytest
import torch

pytest.importorskip("espeakng_loader", reason="the training's voices need espeakng-loader")
pytest.importorskip("transformers", reason="training needs transformers")

from hf_model import tensors
from omnirt.weights.random_tokenizer import CONTROL_TOKENS
from training import world
from training.batches import collate
from training.config import PLAIN_TOKENS, WINDOW
from training.examples import (
    CLIP,
    FOLLOW_UP,
    IMAGINED,
    PICTURE,
    SPOKEN,
    TYPED,
    Examples,
    another_voice,
    noisy,
    typed,
)
from training.hearing import Ear, Spelling, encode_windows
from training.recordings import Recordings, record
from training.seeing import Names
from training.thinker import Learner
from training.tokenizer import open_processor


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    record(folder / "recordings", 0.004)
    return Examples(open_processor(folder), Recordings.load(folder / "recordings"))


@pytest.fixture(scope="module")
def learner():
    return Learner().eval()


@pytest.mark.parametrize("group", [TYPED, SPOKEN, FOLLOW_UP, PICTURE, CLIP])
@torch.inference_mode()
def test_a_batch_gives_the_states_of_transformers(examples, learner, group):
    rng = Random(group)
    made = [examples.make(group, rng) for _ in range(2)]
    thinker = learner.thinker
    _, states = learner.states(collate(made))
    for example, ours in zip(made, states, strict=True):
        ids = torch.from_numpy(example.ids)[None]
        inputs = tensors(example.prompt) | {"input_ids": ids, "attention_mask": ids * 0 + 1}
        inputs["use_audio_in_video"] = any(example.prompt.video_has_audio)
        theirs = thinker(**inputs, output_hidden_states=True).logits[0]
        torch.testing.assert_close(
            thinker.lm_head(ours[: ids.shape[1]]), theirs, atol=2e-4, rtol=2e-4
        )


def test_labels_are_the_answer_and_its_end(examples, learner):
    example = examples.make(TYPED, Random(1))
    batch = collate([example, examples.make(TYPED, Random(2))])
    labels = [int(i) for i in batch.labels[0] if i >= 0]
    assert labels == example.ids[example.start :].tolist()
    assert labels[-1] == PLAIN_TOKENS + CONTROL_TOKENS.index("<|im_end|>")
    assert batch.labels[0, example.start - 1] == labels[0]


@torch.inference_mode()
def test_windows_do_not_see_their_padding(learner):
    tower, mel = learner.thinker.audio_tower, torch.randn(1, 128, 90)
    both = encode_windows(tower, mel, torch.tensor([90]))
    padded = torch.nn.functional.pad(mel, (0, WINDOW - 90))
    for beside, alone in zip(encode_windows(tower, padded, torch.tensor([90])), both, strict=True):
        torch.testing.assert_close(beside[:, : alone.shape[1]], alone)


def test_typing_and_noise_keep_the_question():
    rng = Random(0)
    said = {typed("three plus four", rng) for _ in range(100)}
    assert {"three plus four", "3 + 4?", "Three plus four?"} <= said
    wave = torch.randint(-9000, 9000, (16000,), dtype=torch.int16).numpy()
    assert noisy(wave, rng).dtype == "float32"
    assert abs(noisy(wave, rng)).max() <= 1
    other = another_voice(wave, rng)
    assert other.dtype == wave.dtype
    assert 0.8 < len(other) / len(wave) < 1.2
    assert abs(other).max() <= abs(wave).max()


@torch.inference_mode()
def test_imagined_rows_hold_the_words_in_order(examples, learner):
    """Every word once or twice in a row, the rest near the blank."""
    batch = collate([examples.make(IMAGINED, Random(i)) for i in range(8)])
    table = 50 * torch.nn.functional.normalize(learner.thinker.model.embed_tokens.weight)
    sounds = learner.ear.imagine(batch, table)
    assert sum(map(len, sounds)) == (batch.ids == learner.thinker.config.audio_token_id).sum()
    for rows, said in zip(sounds, batch.spoken, strict=True):
        words = (rows @ table.T).argmax(1)[rows.norm(dim=1) > 25]
        assert (
            words.unique_consecutive().tolist() == torch.tensor(said).unique_consecutive().tolist()
        )
        assert len(said) <= len(words) <= 2 * len(said)


def test_rows_far_from_what_they_mean_are_told_apart(learner):
    ear, table = Ear(learner.thinker.audio_tower), torch.randn(40, 192) / 192**0.5
    near = [table[[3, 3, 7]]]
    across = torch.linalg.qr(table.T)[0]
    aside = torch.randn(3, 192)
    aside -= aside @ across @ across.T  # no word has any of it
    named, off = ear.named(near, [[3, 7]], table)
    same, far = ear.named([near[0] + aside], [[3, 7]], table)
    torch.testing.assert_close(named, same, atol=0.5, rtol=0.1)
    assert far > 50 * off


def test_words_are_spelled_in_phonemes(tmp_path):
    tokenizer = open_processor(tmp_path).tokenizer
    encode, spell = tokenizer.encode, Spelling(tokenizer, ["three plus seven"])
    three, seven = spell(encode(" three")), spell(encode(" seven"))
    assert len(three) == 3
    assert spell(encode(" three seven")) == three + seven
    assert max(three + seven) < spell.size - 1


@torch.inference_mode()
def test_tokens_of_counts_that_are_held_out_do_not_move_the_loss(
    examples, learner, beside_held_out, tmp_path
):
    seen, never = beside_held_out
    turn = world.Turn("how many", world.NUMBERS[seen.count])
    batch = collate([examples.of(world.Talk("picture", (turn,), picture=seen), None, Random(0))])
    names = Names.of(open_processor(tmp_path).tokenizer)
    before = learner.losses(batch, names)["loss"]
    row = learner.thinker.lm_head.weight[names.counts_first[never - 1]]
    row += 9
    assert torch.equal(learner.losses(batch, names)["loss"], before)
    row -= 9
