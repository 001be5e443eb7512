"""The arithmetic of vocoder windows, on the released sizes and at random."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnirt.token2wav.bigvgan import VocoderBuffers
from omnirt.token2wav.config import BigVGANConfig
from omnirt.token2wav.vocoder_window import levels_of, spans_of

RELEASED = BigVGANConfig(
    mel_dim=80,
    initial_channels=1536,
    upsample_rates=(5, 3, 2, 2, 2, 2),
    upsample_kernel_sizes=(11, 7, 4, 4, 4, 4),
    resblock_kernel_sizes=(3, 7, 11),
    resblock_dilations=((1, 3, 5),) * 3,
)
LEVELS = levels_of(RELEASED)


def test_levels_of_the_released_vocoder():
    scales, left, right = zip(*LEVELS, strict=True)
    assert scales == (1, 1, 5, 15, 30, 60, 120, 240, 240)
    assert left == right == (34, 31, 60, 86, 81, 71, 50, 8, 0)


def test_one_shot_is_never_cut():
    spans = spans_of(LEVELS, 0, 7, 0, 7)
    assert spans[::2] == [0] * 18
    assert spans[1::2] == [7, 7, 7, 35, 35, 105, 105, 210, 210, 420, 420, 840, 840] + [1680] * 5


@st.composite
def _window(draw):
    """m0, m1, e0, e1 of a window of up to 50 frames somewhere in a reply."""
    e0, frames = draw(st.integers(0, 1000)), draw(st.integers(1, 50))
    left, right = draw(st.integers(0, 60)), draw(st.integers(0, 60))
    return max(0, e0 - left), e0 + frames + right, e0, e0 + frames


@given(_window())
def test_every_level_reads_what_was_written(window):
    m0, m1, e0, e1 = window
    spans = spans_of(LEVELS, *window)
    written = m1 - m0
    for level, (first, rows, zero, becomes) in enumerate(zip(*[iter(spans)] * 4, strict=True)):
        assert zero == 0 <= first
        assert (
            0 < rows <= LEVELS[level].scale * (e1 - e0) + LEVELS[level].left + LEVELS[level].right
        )
        assert first + rows <= written
        written = becomes
    assert spans[-1] == (e1 - e0) * RELEASED.hop


def test_margins_are_what_cuts_spoil():
    """Zeros beyond a cut spoil ``padding`` rows of an upsampling and 90 of the widest block."""
    sizes = zip(RELEASED.upsample_rates, RELEASED.upsample_kernel_sizes, strict=True)
    for level, after, (rate, kernel) in zip(LEVELS[1:], LEVELS[2:], sizes, strict=False):
        for here, there in ((level.left, after.left), (level.right, after.right)):
            assert 0 <= here * rate - (kernel - rate) // 2 - 90 - there < rate


@pytest.mark.parametrize(("window", "megabytes"), [(24, 7), (192, 27), (384, 50)])
def test_memory_is_five_areas(window, megabytes):
    buffers = VocoderBuffers(RELEASED, window)
    areas = buffers.views(1, 1)
    assert len(areas) == 5
    used = areas[0].untyped_storage().nbytes() + buffers.mel.nbytes + buffers.samples.nbytes
    assert megabytes - 3 < used / 1e6 < megabytes
