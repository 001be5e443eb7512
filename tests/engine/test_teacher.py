"""Teacher forcing repeats what the steps of a reply did."""

import pytest
import torch

from omnirt.conversation import ask, ask_all
from omnirt.engine.answer import answer
from omnirt.engine.engine import Engine
from omnirt.engine.loader import load_models
from omnirt.engine.teacher import Said, states, talker_rows, thinker_rows
from omnirt.errors import InputError
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.options import Defaults, Options
from omnirt.runtime import OmniRuntime
from omnirt.types import SamplingParams
from omnirt.weights.checkpoint import Checkpoint

GREEDY = {"temperature": 0.0, "repetition_penalty": 1.0}


@pytest.mark.parametrize(("name", "tokens"), [("tiny", 30), ("odd", 6)])
def test_states_predict_the_greedy_reply(checkpoint, assets, name, tokens):
    opened = Checkpoint.open(checkpoint(name))
    models = load_models(opened, True, "auto", {})
    processor = Processor.from_folder(opened.path)
    question = [str(assets / "question.wav")]
    messages = ask(text=["What is it?"], audio=question, image=[str(assets / "picture.png")])
    with OmniRuntime(processor, Engine(models, 1, 4096), Defaults.of(models)) as runtime:
        options = Options(
            thinker=SamplingParams(max_new_tokens=tokens),
            talker=SamplingParams(max_new_tokens=21, **GREEDY),
        )
        reply = runtime.generate(messages, **vars(options))
    assert len(reply.codec_ids) == 20
    prompt = build_prompt(messages, processor)
    voice = next(iter(models.speaker_ids.values()))
    said = Said(prompt, reply.token_ids, reply.codec_ids, voice)
    with torch.inference_mode():
        asked = Defaults.of(models).request(prompt, options)
        assert answer(models, opened.config, asked) == (reply.token_ids, reply.codec_ids)
        read = thinker_rows(models.thinker, said)
        h = states(models.thinker, models.thinker.config.text, read)
        spoken = talker_rows(models.thinker, models.talker, said, read, h)
        s = states(models.talker, models.talker.config.decoder, spoken)
        length = len(said.prompt.input_ids)
        chosen = models.thinker.lm_head(h[length - 1 :]).argmax(1)
        codes = models.talker.codec_head(s[length + 1 :]).argmax(1)
    assert chosen.tolist() == reply.token_ids
    assert codes.tolist() == reply.codec_ids


def test_a_folder_of_questions(tmp_path, assets):
    (tmp_path / "b.txt").write_text("Second")
    (tmp_path / "a.txt").write_text("What is it?")
    (tmp_path / "a.png").write_bytes((assets / "picture.png").read_bytes())
    (tmp_path / "notes.bin").write_bytes(b"0")
    asked = ask_all(tmp_path)
    assert list(asked) == ["a", "b"]
    assert [part["type"] for part in asked["a"][1]["content"]] == ["image", "text"]
    assert asked["b"][1]["content"] == [{"type": "text", "text": "Second"}]


def test_a_folder_without_questions(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="holds no .txt"):
            ask_all(folder)
