"""The whole chain beside transformers 4.57.1: ids, codes and samples of the same conversation."""

import numpy as np
import pytest
import torch

from hf_model import ReleasedModel
from omnirt import OmniRuntime, SamplingParams
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.thinker.audio_encoder import AudioEncoder
from omnirt.thinker.positions import tmrope_positions
from omnirt.weights.checkpoint import Checkpoint

PRESETS = ("tiny", "tiny-7b", "odd")
TEXT_TOKENS, CODES = 64, 200
GREEDY_TEXT = SamplingParams(temperature=0, max_new_tokens=TEXT_TOKENS)


def picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 3, y * 2, x + y], -1).astype(np.uint8)


def clip(seconds: float, seed: int = 0) -> np.ndarray:
    t = np.arange(int(16000 * seconds)) / 16000
    noise = np.random.default_rng(seed).standard_normal(t.shape)
    return (0.3 * np.sin(2 * np.pi * (200 + 90 * t) * t) + 0.02 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def film(assets) -> str:
    return str(assets / "video.mp4")


def conversations(film: str) -> dict[str, tuple[list[dict], bool]]:
    """name -> (messages, use_audio_in_video)"""

    def text(value):
        return {"type": "text", "text": value}

    def image(h, w):
        return {"type": "image", "image": picture(h, w)}

    def audio(seconds, seed=0):
        return {"type": "audio", "audio": clip(seconds, seed)}

    def user(*content):
        return {"role": "user", "content": list(content)}

    video = {"type": "video", "video": film, "max_pixels": 128 * 28 * 28}
    system = {"role": "system", "content": "You answer in speech."}
    return {
        "text": ([system, user(text("Say hello."))], False),
        "one image": ([system, user(image(84, 140), text("What is it?"))], False),
        "several images": ([user(image(56, 56), text("and"), image(84, 112))], False),
        "audio": ([system, user(audio(2.3), text("What was said?"))], False),
        "several clips": ([user(audio(0.7), audio(4.41, 1))], False),
        "video": ([user(video, text("What happens?"))], False),
        "video with sound": ([system, user(video, text("What happens?"))], True),
        "all mixed": ([system, user(image(84, 56), audio(1.5), video, text("Tell."))], True),
        "two turns": (
            [
                system,
                user(audio(1.1), text("What was said?")),
                {"role": "assistant", "content": "A tone."},
                user(image(56, 84), text("And this?")),
            ],
            False,
        ),
    }


NAMES = list(conversations(""))


@pytest.fixture(scope="module", params=PRESETS)
def pair(request, checkpoint):
    """Our runtime and the released model on one random checkpoint, both in float32."""
    folder = checkpoint(request.param)
    with OmniRuntime.from_pretrained(str(folder), dtype="float32") as runtime:
        config = Checkpoint.open(str(folder)).config.thinker
        yield runtime, ReleasedModel(folder), Processor.from_folder(folder), config


def flow_noise(codes: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((2 * codes, 80)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_greedy_reply_equals_the_released_model(pair, film, name):
    runtime, released, processor, _ = pair
    messages, sound = conversations(film)[name]
    prompt = build_prompt(messages, processor, sound)
    voice, noise = runtime.voices[-1], flow_noise(CODES)
    want = released.answer(prompt, voice, TEXT_TOKENS, CODES, noise)
    got = runtime.generate(
        messages,
        voice=voice,
        use_audio_in_video=sound,
        thinker=GREEDY_TEXT,
        talker=SamplingParams(temperature=0, max_new_tokens=CODES),
        wave="exact",
        flow_noise=noise,
    )
    assert got.token_ids == want.token_ids
    assert got.codec_ids == want.codec_ids
    assert got.audio.shape == want.wave.shape
    assert np.abs(got.audio - want.wave).max() <= 1e-4 * np.abs(want.wave).max()


@pytest.mark.parametrize("name", NAMES)
def test_positions_equal_the_released_model(pair, film, name):
    _, released, processor, config = pair
    messages, sound = conversations(film)[name]
    prompt = build_prompt(messages, processor, sound)
    positions, delta = tmrope_positions(
        torch.from_numpy(prompt.input_ids),
        config,
        [AudioEncoder.rows(mel.shape[1]) for mel in prompt.mel],
        [item.grid for item in prompt.images],
        [item.grid for item in prompt.videos],
        [item.seconds_per_grid for item in prompt.videos],
        prompt.video_has_audio,
    )
    want, want_delta = released.positions(prompt)
    assert torch.equal(positions, want)
    assert delta == want_delta


@pytest.mark.parametrize("name", ["text", "all mixed"])
def test_sampled_codes_equal_for_the_same_random_numbers(pair, film, name):
    runtime, released, processor, _ = pair
    messages, sound = conversations(film)[name]
    prompt = build_prompt(messages, processor, sound)
    voice, noise, seed = runtime.voices[0], flow_noise(CODES), 2**63 + 12345
    want = released.answer(prompt, voice, 16, CODES, noise, sampling_seed=seed)
    got = runtime.generate(
        messages,
        voice=voice,
        use_audio_in_video=sound,
        seed=seed,
        thinker=SamplingParams(max_new_tokens=16),
        talker=SamplingParams(max_new_tokens=CODES),
        wave="exact",
        flow_noise=noise,
    )
    assert got.token_ids == want.token_ids
    assert got.codec_ids == want.codec_ids
