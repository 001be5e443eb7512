"""The runtime as its users see it: events, seeds, speech that starts early, cancelling, batches."""

import threading
import time
from dataclasses import fields

import numpy as np
import pytest

from omnirt import (
    AudioChunk,
    CapacityError,
    ChunkStats,
    Done,
    EngineError,
    InputError,
    OmniRuntime,
    Options,
    SamplingParams,
    TextDelta,
    WaveSchedule,
)
from omnirt.options import OptionsDict
from omnirt.reply import underruns
from omnirt.weights.random_checkpoint import write_random_checkpoint

FAST = WaveSchedule(points=3)
SHORT = {
    "thinker": SamplingParams(max_new_tokens=12),
    "talker": SamplingParams(max_new_tokens=24),
    "wave": FAST,
}
SAMPLED = SamplingParams(temperature=0.8, top_p=0.9, max_new_tokens=12)


def ask(text: str = "Say hello.") -> list[dict]:
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


@pytest.fixture(scope="module")
def runtime(checkpoint):
    with OmniRuntime.from_pretrained(str(checkpoint("tiny"))) as made:
        yield made


def test_a_stream_tells_text_then_speech_then_its_cost(runtime):
    events = list(runtime.stream(ask(), seed=1, **SHORT))
    assert isinstance(events[-1], Done)
    assert {type(event) for event in events[:-1]} == {TextDelta, AudioChunk}
    stats = events[-1].stats
    chunks = [event for event in events if isinstance(event, AudioChunk)]
    starts = np.cumsum([0] + [len(chunk.samples) for chunk in chunks])
    assert [chunk.start for chunk in chunks] == starts[:-1].tolist()
    assert starts[-1] == 480 * stats.codes
    assert {chunk.samples.dtype for chunk in chunks} == {np.dtype(np.float32)}
    ids = [i for event in events if isinstance(event, TextDelta) for i in event.token_ids]
    assert len(ids) == stats.text_tokens == 12
    assert stats.finish_reason == "length"
    assert 0 < stats.prefill <= stats.first_text <= stats.first_code <= stats.first_audio
    assert stats.first_audio <= stats.total


def test_int8_speech_is_close_to_float32(runtime, checkpoint):
    full = runtime.generate(ask(), seed=1, **SHORT)
    folder = str(checkpoint("tiny"))
    with OmniRuntime.from_pretrained(folder, quantization={"token2wav": "int8"}) as small:
        reply = small.generate(ask(), seed=1, **SHORT)
    assert reply.codec_ids == full.codec_ids
    difference = np.abs(reply.audio - full.audio).max() / np.abs(full.audio).max()
    assert 1e-5 < difference < 0.05


def test_every_chunk_tells_what_it_cost(runtime):
    options = {**SHORT, "talker": SamplingParams(max_new_tokens=200)}
    events = list(runtime.stream(ask(), seed=1, **options))
    chunks = [event for event in events if isinstance(event, AudioChunk)]
    stats = events[-1].stats
    assert stats.chunks == tuple(chunk.stats for chunk in chunks)
    assert [c.start for c in stats.chunks] == [chunk.start for chunk in chunks]
    assert [c.samples for c in stats.chunks] == [len(chunk.samples) for chunk in chunks]
    assert [c.time for c in stats.chunks] == sorted(chunk.time for chunk in chunks)
    known = [c.codes for c in stats.chunks]
    assert known == sorted(known)
    assert 24 <= known[0] <= stats.codes_at_first_audio <= stats.codes
    assert [c.lookahead for c in stats.chunks] == [1] * (len(chunks) - 1) + [0]
    assert min(c.vocode for c in stats.chunks) > 0
    assert sum(c.solve for c in stats.chunks) > 0
    assert stats.real_time_factor == stats.total / stats.audio_seconds
    # Each chunk of as many evaluations and one vocoder window, as 8 blocks are vocoded at once.
    assert stats.wave_steps == len(chunks) * (FAST.evaluations + 1)


@pytest.mark.parametrize(("preset", "needed"), [("balanced", 24), ("lowest-latency", 12)])
def test_a_shorter_reply_speaks_at_its_end(runtime, preset, needed):
    talker = SamplingParams(max_new_tokens=needed)  # the last one is no code
    stats = runtime.generate(ask(), seed=1, talker=talker, wave=preset).stats
    (chunk,) = stats.chunks
    assert chunk.codes == stats.codes == stats.codes_at_first_audio == needed - 1
    assert chunk.samples == 480 * stats.codes


def test_long_speech_starts_in_the_first_third(runtime):
    stats = runtime.generate(
        ask(),
        seed=1,
        thinker=SamplingParams(max_new_tokens=64),
        talker=SamplingParams(max_new_tokens=501),
    ).stats
    assert stats.audio_seconds == 10
    assert stats.first_audio <= stats.chunks[-1].time / 3


def test_playback_that_runs_dry_is_counted():
    def chunk(time: float, samples: int) -> ChunkStats:
        return ChunkStats(0, samples, time, 0, 0, 0.0, 0.0)

    late = [chunk(2.0, 100), chunk(3.5, 100), chunk(4.0, 300), chunk(9.0, 1)]
    assert underruns(late, 100) == (2, pytest.approx(0.5 + 1.5))
    assert underruns([chunk(2.0, 100), chunk(3.0, 100)], 100) == (0, 0.0)
    assert underruns([], 100) == (0, 0.0)


def test_a_reader_that_stops_loses_nothing(runtime):
    options = {
        "seed": 3,
        "wave": "lowest-latency",
        "thinker": SamplingParams(max_new_tokens=300),
        "talker": SamplingParams(max_new_tokens=300),
    }
    want = runtime.generate(ask(), **options)
    stream = runtime.stream(ask(), **options)
    samples = []
    for event in stream:
        if isinstance(event, AudioChunk):
            if not samples:
                time.sleep(1)
                paused = stream.stats()
                time.sleep(1)
                assert stream.stats() == paused
                assert paused.total is None
            samples.append(event.samples)
    assert np.array_equal(np.concatenate(samples), want.audio)


@pytest.mark.parametrize("thinker", [SHORT["thinker"], SAMPLED], ids=["greedy", "sampled"])
def test_generate_equals_stream_twice_and_beside_another(runtime, thinker):
    options = {**SHORT, "thinker": thinker, "seed": 42}
    alone = runtime.generate(ask(), **options)
    again = runtime.generate(ask(), **options)
    other = threading.Thread(target=runtime.generate, args=(ask("Something else."),), kwargs=SHORT)
    other.start()
    events = list(runtime.stream(ask(), **options))
    other.join()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    samples = np.concatenate([event.samples for event in events if isinstance(event, AudioChunk)])
    assert alone.token_ids == again.token_ids
    assert alone.codec_ids == again.codec_ids
    assert text == alone.text == again.text
    assert np.array_equal(alone.audio, again.audio)
    assert np.array_equal(alone.audio, samples)


def test_seeds_differ(runtime):
    first, second = (runtime.generate(ask(), **SHORT, seed=seed) for seed in (1, 2))
    assert first.token_ids == second.token_ids  # greedy text has no use for a seed
    assert first.codec_ids != second.codec_ids


def test_speech_starts_while_the_thinker_still_writes(runtime):
    reply = runtime.generate(
        ask(),
        seed=3,
        thinker=SamplingParams(max_new_tokens=64),
        talker=SamplingParams(max_new_tokens=80),
        wave=FAST,
    )
    stats = reply.stats
    assert stats.text_tokens >= 60
    assert stats.text_tokens_at_first_code < stats.text_tokens
    assert stats.talker_steps >= stats.codes


def test_voices_differ(runtime):
    assert len(runtime.voices) == 2
    first, second = (runtime.generate(ask(), voice=v, seed=5, **SHORT) for v in runtime.voices)
    assert first.text == second.text
    assert first.codec_ids != second.codec_ids or not np.array_equal(first.audio, second.audio)


def test_a_checkpoint_with_other_voices(tmp_path):
    folder = write_random_checkpoint(tmp_path / "model", "tiny", voices=("Ada", "Max", "Zoe"))
    with OmniRuntime.from_pretrained(str(folder)) as made:
        assert made.voices == ("Ada", "Max", "Zoe")
        assert len(made.generate(ask(), voice=made.voices[-1], seed=1, **SHORT).audio)


def test_text_only_request(runtime):
    reply = runtime.generate(ask(), audio=False, **SHORT)
    assert reply.audio is None
    assert reply.codec_ids == []
    assert len(reply.token_ids) == 12
    assert reply.stats.talker_steps == 0


def test_without_talker(checkpoint, caplog):
    caplog.set_level("INFO", logger="omnirt")
    with OmniRuntime.from_pretrained(str(checkpoint("tiny")), talker=False) as made:
        assert made.voices == ()
        assert made.generate(ask(), **SHORT).audio is None
        with pytest.raises(InputError, match="talker=False"):
            made.generate(ask(), audio=True)
    assert "not loaded" in caplog.text


def test_same_text_with_and_without_talker(runtime, checkpoint):
    with OmniRuntime.from_pretrained(str(checkpoint("tiny")), talker=False) as made:
        silent = made.generate(ask(), **SHORT)
    assert silent.token_ids == runtime.generate(ask(), **SHORT).token_ids


def test_closing_a_stream_cancels_and_frees_its_slot(runtime):
    for _ in range(6):  # more than there are slots
        stream = runtime.stream(ask(), seed=1, talker=SamplingParams(max_new_tokens=2000))
        next(stream)
        stream.close()
        with pytest.raises(StopIteration):
            next(stream)
    assert len(runtime.generate(ask(), **SHORT).token_ids) == 12


def test_a_dropped_stream_frees_its_slot(runtime):
    for _ in range(6):
        next(runtime.stream(ask(), seed=1, talker=SamplingParams(max_new_tokens=2000)))
    assert len(runtime.generate(ask(), **SHORT).token_ids) == 12


def test_too_many_streams_is_an_error_and_generate_waits(runtime):
    streams = [runtime.stream(ask(), seed=1, **SHORT) for _ in range(4)]
    with pytest.raises(CapacityError, match="max_sessions"):
        runtime.stream(ask())
    waiting = threading.Thread(target=runtime.generate, args=(ask(),), kwargs=SHORT)
    waiting.start()
    for stream in streams:
        assert isinstance(list(stream)[-1], Done)
    waiting.join(60)
    assert not waiting.is_alive()


def test_batch_equals_one_by_one(runtime):
    conversations = [ask(f"Number {i}.") for i in range(6)]
    batch = runtime.generate_batch(conversations, seed=9, **SHORT)
    for messages, reply in zip(conversations, batch, strict=True):
        alone = runtime.generate(messages, seed=9, **SHORT)
        assert alone.token_ids == reply.token_ids
        assert alone.codec_ids == reply.codec_ids
        assert np.array_equal(alone.audio, reply.audio)


def test_stop_ids_end_text_and_speech(runtime):
    free = runtime.generate(ask(), seed=1, **SHORT)
    text_stop, code_stop = free.token_ids[5], free.codec_ids[7]
    reply = runtime.generate(
        ask(),
        seed=1,
        thinker=SamplingParams(max_new_tokens=12, stop_token_ids=(text_stop,)),
        talker=SamplingParams(max_new_tokens=24, stop_token_ids=(code_stop,)),
        wave=FAST,
    )
    first = free.token_ids.index(text_stop)
    assert reply.token_ids == free.token_ids[: first + 1]
    assert reply.stats.finish_reason == "stop"


def test_an_immediate_stop_is_a_silent_reply(runtime):
    first = runtime.generate(ask(), audio=False, **SHORT).token_ids[0]
    thinker = SamplingParams(max_new_tokens=12, stop_token_ids=(first,))
    reply = runtime.generate(ask(), thinker=thinker, seed=1)
    assert reply.text == ""
    assert reply.codec_ids == []
    assert len(reply.audio) == 0


def test_closed_runtime_says_so(checkpoint):
    made = OmniRuntime.from_pretrained(str(checkpoint("tiny")))
    stream = made.stream(ask(), seed=1)
    made.close()
    with pytest.raises(EngineError, match="closed"):
        list(stream)
    with pytest.raises(EngineError, match="closed"):
        made.generate(ask())


def test_typed_keywords_are_the_options():
    assert list(OptionsDict.__annotations__) == [field.name for field in fields(Options)]


def test_two_cores_answer_as_one(checkpoint):
    replies = []
    for threads in (2, 1):
        with OmniRuntime.from_pretrained(str(checkpoint("tiny")), threads=threads) as made:
            replies.append(made.generate(ask(), seed=4, **SHORT))
    two, one = replies
    assert two.token_ids == one.token_ids
    assert two.codec_ids == one.codec_ids
    np.testing.assert_allclose(two.audio, one.audio, atol=1e-5)
