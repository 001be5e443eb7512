"""TMRoPE positions against get_rope_index of transformers 4.57.1.

The reference takes one flag that says that all videos of a call carry their sound, and needs ids
and media that fit; where it cannot express a prompt, the parts of it are placed one by one.
"""

import itertools
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from omnirt.errors import InputError
from omnirt.thinker.config import ThinkerConfig, VisionConfig
from omnirt.thinker.positions import tmrope_positions

AUDIO, IMAGE, VIDEO, AUDIO_START, AUDIO_END, VISION_START, VISION_END = range(1000, 1007)
RATE, CHUNK = 25, 50  # ids a second; ids of a 2 s piece
VISION = VisionConfig(
    depth=1,
    hidden_size=8,
    num_heads=1,
    intermediate_size=8,
    patch_size=14,
    temporal_patch_size=2,
    spatial_merge_size=2,
    window_size=112,
    full_attention_blocks=frozenset(),
    out_hidden_size=8,
    in_channels=3,
)
CONFIG = ThinkerConfig(
    text=None,  # positions need neither of the two
    audio=None,
    vision=VISION,
    audio_token_id=AUDIO,
    image_token_id=IMAGE,
    video_token_id=VIDEO,
    audio_start_id=AUDIO_START,
    audio_end_id=AUDIO_END,
    vision_start_id=VISION_START,
    vision_end_id=VISION_END,
    position_id_per_seconds=RATE,
    seconds_per_chunk=2,
    bos_id=0,
    eos_id=1,
    pad_id=2,
)


@dataclass(frozen=True)
class Part:
    """Text of ``length`` ids, a clip of ``length`` rows, a picture, or a video with its clip."""

    length: int = 0
    kind: str = "text"
    grid: tuple[int, int, int] = (1, 2, 2)
    seconds: float = 2.0

    def ids(self):
        units = self.grid[0] * self.grid[1] * self.grid[2] // 4
        if self.kind == "text":
            return list(range(self.length))
        if self.kind == "audio":
            return [AUDIO_START, *[AUDIO] * self.length, AUDIO_END]
        if self.kind == "image":
            return [VISION_START, *[IMAGE] * units, VISION_END]
        if not self.length:
            return [VISION_START, *[VIDEO] * units, VISION_END]
        body = self.interleaved(self.times(np.float64))
        return [VISION_START, AUDIO_START, *body, AUDIO_END, VISION_END]

    def times(self, dtype):
        """Time id of every unit, before it is cut to a whole number (float64 in the processor)."""
        times = np.arange(self.grid[0]).astype(dtype) * dtype(self.seconds) * dtype(RATE)
        return np.repeat(times, self.grid[1] * self.grid[2] // 4)

    def interleaved(self, times):
        """Pieces of 2 s, frames before sound; a piece ends at the first id beyond its time."""
        pieces = zip_pieces(cut(times), cut(np.arange(self.length)))
        return [token for v, a in pieces for token in [VIDEO] * v + [AUDIO] * a]


def cut(times):
    """Lengths of the pieces. The limit moves by one piece a piece, however far a frame jumps."""
    lengths, limit = [0], CHUNK
    for time in times:
        if time >= limit:
            lengths.append(0)
            limit += CHUNK
        lengths[-1] += 1
    return lengths


def zip_pieces(frames, sounds):
    return itertools.zip_longest(frames, sounds, fillvalue=0)


def ours(parts):
    ids = np.array([token for part in parts for token in part.ids()], dtype=np.int64)
    videos = [part for part in parts if part.kind == "video"]
    return tmrope_positions(
        ids,
        CONFIG,
        [part.length for part in parts if part.kind in ("audio", "video") and part.length],
        [part.grid for part in parts if part.kind == "image"],
        [part.grid for part in videos],
        [part.seconds for part in videos],
        [part.length > 0 for part in videos],
    )


def theirs(modeling, parts):
    model = modeling.Qwen2_5OmniPreTrainedModelForConditionalGeneration

    class Reference:
        spatial_merge_size = 2
        config = SimpleNamespace(
            image_token_id=IMAGE,
            video_token_id=VIDEO,
            audio_token_id=AUDIO,
            vision_start_token_id=VISION_START,
            audio_start_token_id=AUDIO_START,
            position_id_per_seconds=RATE,
            seconds_per_chunk=2,
        )
        get_rope_index = model.get_rope_index
        get_chunked_index = model.get_chunked_index
        get_llm_pos_ids_for_vision = model.get_llm_pos_ids_for_vision

    def grids(kind):
        return torch.tensor([p.grid for p in parts if p.kind == kind]) if has(kind) else None

    def has(kind):
        return any(part.kind == kind for part in parts)

    ids = torch.tensor([[token for part in parts for token in part.ids()]])
    clips = [part.length for part in parts if part.kind in ("audio", "video") and part.length]
    positions, delta = Reference().get_rope_index(
        ids,
        grids("image"),
        grids("video"),
        torch.ones_like(ids),
        any(part.kind == "video" and part.length for part in parts),
        torch.tensor(clips) * 4,  # mel frames
        torch.tensor([part.seconds for part in parts if part.kind == "video"]),
    )
    return positions[:, 0], int(delta)


def pieces_agree(part):
    """The processor cuts a video at float64 times, get_rope_index at float32 ones."""
    return cut(part.times(np.float64)) == cut(part.times(np.float32))


seeded = settings(max_examples=150, deadline=None, derandomize=True)
edges = st.integers(1, 5).map(lambda n: 2 * n)
seconds = st.sampled_from([2.0, 1.0, 0.5, 2 / 3, 2 / 2.99, 5.0]) | st.floats(0.02, 6.0)
texts = st.builds(Part, st.integers(1, 9))
sounds = st.builds(Part, st.integers(1, 120), st.just("audio"))
pictures = st.builds(Part, st.just(0), st.just("image"), st.tuples(st.just(1), edges, edges))
frames = st.tuples(st.integers(1, 12), edges, edges)
silent = st.builds(Part, st.just(0), st.just("video"), frames, seconds)
sounding = st.builds(Part, st.integers(1, 260), st.just("video"), frames, seconds)


def conversations(*kinds):
    return st.lists(st.one_of(texts, sounds, pictures, *kinds), min_size=1, max_size=7)


def check(modeling, parts):
    positions, delta = ours(parts)
    want, want_delta = theirs(modeling, parts)
    assert positions.dtype == torch.int64
    assert torch.equal(positions, want)
    assert delta == want_delta


@given(conversations(silent))
@seeded
def test_silent_videos(modeling, parts):
    check(modeling, parts)


LONG_VIDEO = Part(202, "video", (10, 4, 4), 1.0)  # 10 s of frames, 8.1 s of sound


@given(conversations(sounding))
@seeded
@example([Part(3), LONG_VIDEO])
@example([LONG_VIDEO, Part(2)])
@example([Part(50, "video", (2, 4, 4), 4.0)])  # a frame jumps over a piece, so it is split
def test_videos_with_sound(modeling, parts):
    assume(all(pieces_agree(part) for part in parts if part.kind == "video"))
    check(modeling, parts)


@given(conversations(silent, sounding))
@seeded
def test_silent_and_sounding_videos_together(modeling, parts):
    """Not expressible in the reference: each part alone there, then one behind the other."""
    assume(all(pieces_agree(part) for part in parts if part.kind == "video"))
    want, start = [], 0
    for part in parts:
        want.append(theirs(modeling, [part])[0] + start)
        start = int(want[-1][:, -1].max()) + 1
    positions, delta = ours(parts)
    assert torch.equal(positions, torch.cat(want, 1))
    assert delta == positions.max() + 1 - positions.shape[1]


def test_what_follows_starts_at_the_last_token_not_at_the_largest_position():
    """As in the reference: frames that outlast their sound overlap in time with what follows."""
    positions, delta = ours([LONG_VIDEO, Part(2)])
    assert positions[:, -4:].tolist() == [[203, 203, 204, 205]] * 3  # the ends share; then text
    assert positions.max() == 1 + 9 * RATE
    assert delta == 1 + 9 * RATE + 1 - positions.shape[1]


def test_frames_keep_their_times_where_the_reference_cuts_elsewhere(modeling):
    """At 1.04 frames a second frame pair 26 is at id 1249.99... in float64, at 1250 in float32.

    The prompt puts it before the sound of its 2 s, get_rope_index behind: from there on it gives
    sound the positions of frames. Ours follow the ids.
    """
    part = Part(1300, "video", (27, 2, 2), 2 / 1.04)
    assert not pieces_agree(part)
    positions, _ = ours([part])
    own = torch.tensor(part.ids()) == VIDEO
    assert positions[0, own].tolist() == [1 + int(t) for t in part.times(np.float32)]
    assert not torch.equal(positions, theirs(modeling, [part])[0])


def test_a_start_token_that_opens_nothing_is_text():
    """The reference counts these as media and fails; generated or quoted text may hold them."""
    ids = np.array([1, AUDIO_START, 2, VISION_START, 3, AUDIO, IMAGE, VISION_START])
    positions, delta = tmrope_positions(ids, CONFIG, [0], [], [], [], [])
    assert torch.equal(positions, torch.arange(8).expand(3, -1))
    assert delta == 0


@pytest.mark.parametrize(
    ("field", "media"),
    [
        ("audio_tokens", ([4], [(1, 4, 4)], [(2, 4, 4)], [2.0], [False])),
        ("audio_tokens", ([], [(1, 4, 4)], [(2, 4, 4)], [2.0], [False])),
        ("image_grids", ([3], [(1, 4, 6)], [(2, 4, 4)], [2.0], [False])),
        ("image_grids", ([3], [], [(2, 4, 4)], [2.0], [False])),
        ("video_grids", ([3], [(1, 4, 4)], [(3, 4, 4)], [2.0], [False])),
        ("video_grids", ([3], [(1, 4, 4)], [(2, 4, 4)] * 2, [2.0] * 2, [False] * 2)),
        ("video_has_audio", ([3], [(1, 4, 4)], [(2, 4, 4)], [2.0], [True])),
    ],
)
def test_placeholders_of_other_media_are_refused(field, media):
    parts = [Part(3, "audio"), Part(0, "image", (1, 4, 4)), Part(0, "video", (2, 4, 4))]
    ids = np.array([token for part in parts for token in part.ids()])
    with pytest.raises(InputError, match=field):
        tmrope_positions(ids, CONFIG, *media)
