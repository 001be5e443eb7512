"""The shipped model beside transformers 4.57.1: the same greedy ids, and samples of equal noise."""

import numpy as np
import pytest

from hf_model import ReleasedModel
from omnirt import OmniRuntime, SamplingParams, demo
from omnirt.inputs.prompt import Processor, build_prompt

MOST_BYTES = 32e6
TEXT_TOKENS, CODES = demo.TEXT_TOKENS, 120
LIMIT = 1e-4  # of the peak


@pytest.fixture(scope="module")
def pair():
    folder = demo.model_folder()
    with OmniRuntime.from_pretrained(str(folder), dtype="float32") as runtime:
        yield runtime, ReleasedModel(folder), Processor.from_folder(folder)


def test_ships_within_its_limit():
    files = [path for path in demo.model_folder().iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES


@pytest.mark.parametrize("asked", demo.examples(), ids=lambda asked: asked.name)
def test_reply_equals_the_released_model(pair, asked):
    runtime, released, processor = pair
    noise = np.random.default_rng(7).standard_normal((2 * CODES, 80)).astype(np.float32)
    voice = runtime.voices[0]
    prompt = build_prompt(asked.messages, processor, True)
    want = released.answer(prompt, voice, TEXT_TOKENS, CODES, noise)
    got = runtime.generate(
        asked.messages,
        voice=voice,
        use_audio_in_video=True,
        thinker=SamplingParams(temperature=0, max_new_tokens=TEXT_TOKENS),
        talker=SamplingParams(temperature=0, max_new_tokens=CODES),
        wave="exact",
        flow_noise=noise,
    )
    assert got.text == asked.answer
    assert got.token_ids == want.token_ids
    assert got.codec_ids == want.codec_ids
    assert np.abs(got.audio - want.wave).max() <= LIMIT * np.abs(want.wave).max()
