"""Sound: decoding, resampling and log-mel, bit for bit as librosa and the released extractor."""

import logging
from io import BytesIO

import av
import numpy as np
import pytest
import soundfile
from reading import read_wav

from omnirt.inputs.audio import load_audio, read_sound
from omnirt.inputs.config import AudioSettings
from omnirt.inputs.mel import audio_tokens, log_mel
from omnirt.inputs.sources import Limits

SETTINGS = AudioSettings()
LONGEST = SETTINGS.max_samples
REAL = "cough_16k fleurs_fr_16k jfk_en_16k librispeech_en_16k question_zh_16k answer_chelsie_24k"


def load(value, **options) -> np.ndarray:
    return load_audio(value, "clip", SETTINGS, Limits(), **options)


def noise(n: int, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(n)
    shape = n if channels == 1 else (n, channels)
    return rng.uniform(-0.5, 0.5, shape).astype(np.float32)


def released_mel(released, samples: np.ndarray) -> np.ndarray:
    got = released.feature_extractor(
        samples, sampling_rate=16000, return_attention_mask=True, return_tensors="np"
    )
    return got["input_features"][0][:, got["attention_mask"][0].astype(bool)]


@pytest.mark.parametrize("n", [1, 159, 160, 161, 400, 3333, 48001, LONGEST - 900, LONGEST - 100])
def test_mel_equals_the_extractor_that_pads_to_300_s(n, released):
    samples = noise(n)
    np.testing.assert_array_equal(log_mel(samples, SETTINGS), released_mel(released, samples))


def test_mel_sees_the_loudest_frame_that_lies_beyond_the_clip(released):
    samples = np.zeros(1600, np.float32)
    samples[-1] = 1.0  # loudest in the frame centred on the end, which is not one of the clip's
    np.testing.assert_array_equal(log_mel(samples, SETTINGS), released_mel(released, samples))


@pytest.mark.parametrize("n", [LONGEST, LONGEST + 1, LONGEST + 16000])
def test_sound_is_cut_at_300_s_with_a_warning(n, released, caplog):
    samples = noise(n)
    with caplog.at_level(logging.WARNING):
        clip = load(samples)
    assert len(clip) == LONGEST
    assert bool(caplog.records) == (n > LONGEST)
    np.testing.assert_array_equal(log_mel(clip, SETTINGS), released_mel(released, samples))


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 99, 100, 101, 1000, 30000])
def test_audio_tokens(frames):
    after_convolution = (frames - 1) // 2 + 1
    assert audio_tokens(frames) == (after_convolution - 2) // 2 + 1


@pytest.mark.parametrize("name", REAL.split())
def test_real_recordings(name, shared_media, released):
    path = shared_media / f"{name}.wav"
    samples = load(str(path))
    np.testing.assert_array_equal(samples, read_wav(path))
    np.testing.assert_array_equal(log_mel(samples, SETTINGS), released_mel(released, samples))


def test_own_question(assets, released):
    samples = load(assets / "question.wav")
    np.testing.assert_array_equal(samples, read_wav(assets / "question.wav"))
    np.testing.assert_array_equal(log_mel(samples, SETTINGS), released_mel(released, samples))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (48000, 1), (8000, 2)])
def test_wav_of_any_rate_and_format(rate, channels, subtype, tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(rate // 7, channels), rate, subtype)
    np.testing.assert_array_equal(load(str(path)), read_wav(path))


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("flac", "flac"),
        ("mp4", "aac"),
        ("webm", "libopus"),
    ],
)
def test_other_codecs_keep_the_tune(container, codec):
    """A tone of 440 Hz in, the same tone out: its spectrum peaks there."""
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)).astype(np.float32)
    buffer = BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48000, layout="mono")
        resampler = av.AudioResampler(stream.format, "mono", 48000, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = 48000
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode())
    samples = load(buffer.getvalue())
    assert abs(len(samples) / 16000 - 1.0) < 0.1
    middle = samples[4000:12000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * 16000 / len(middle) - 440) <= 2


def test_mp3_of_real_speech(shared_media):
    samples = load(str(shared_media / "speech.mp3"))
    assert len(samples) > 16000
    assert 0.01 < np.abs(samples).max() <= 1.5


def test_arrays_of_any_rate(tmp_path):
    samples = noise(44100)
    soundfile.write(tmp_path / "clip.wav", samples, 44100, "FLOAT")
    np.testing.assert_array_equal(load(samples, source_rate=44100), read_wav(tmp_path / "clip.wav"))
    whole = (samples * 32767).astype(np.int16)
    np.testing.assert_array_equal(load(whole), whole.astype(np.float32) / 32768)
    assert load(samples.astype(np.float64)).dtype == np.float32


def test_a_window_in_time(assets):
    whole = load(assets / "question.wav")
    with (assets / "question.wav").open("rb") as stream:
        part = read_sound(stream, "clip", SETTINGS, start=0.5, end=1.25)
    np.testing.assert_array_equal(part, whole[8000:20000])
