"""The Thinker's training: the runtime's prompts in one batch give what transformers gives one by
one, and a short run learns."""

from random import Random

import pytest
import torch

pytest.importorskip("espeakng_loader", reason="the training's voices need espeakng-loader")
pytest.importorskip("transformers", reason="training needs transformers")

from hf_model import tensors
from omnirt.weights.random_tokenizer import CONTROL_TOKENS
from training.batches import WINDOW, collate
from training.config import PLAIN_TOKENS
from training.examples import CLIP, FOLLOW_UP, PICTURE, SPOKEN, TYPED, Examples, noisy, typed
from training.hearing import encode_windows
from training.recordings import Recordings, record
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
    states = learner.states(collate(made))
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
    alone = encode_windows(tower, mel, torch.tensor([90]))
    padded = torch.nn.functional.pad(mel, (0, WINDOW - 90))
    beside = encode_windows(tower, padded, torch.tensor([90]))[:, : alone.shape[1]]
    torch.testing.assert_close(beside, alone)


def test_typing_and_noise_keep_the_question():
    rng = Random(0)
    said = {typed("three plus four", rng) for _ in range(100)}
    assert {"three plus four", "3 + 4?", "Three plus four?"} <= said
    wave = torch.randint(-9000, 9000, (16000,), dtype=torch.int16).numpy()
    assert noisy(wave, rng).dtype == "float32"
    assert abs(noisy(wave, rng)).max() <= 1
