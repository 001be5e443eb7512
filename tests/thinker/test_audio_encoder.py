"""The audio encoder against transformers 4.57.1, in float32 with random weights."""

import pytest
import torch

from omnirt.errors import InputError
from omnirt.thinker.audio_encoder import GROUP, AudioEncoder
from omnirt.thinker.config import AudioConfig
from stubs import DictWeights

CONFIG = AudioConfig(
    d_model=32,
    num_layers=2,
    num_heads=4,
    ffn_dim=48,
    mel_bins=12,
    n_window=100,
    max_source_positions=150,
    output_dim=20,
)


@pytest.fixture(scope="module")
def reference(modeling):
    config = modeling.Qwen2_5OmniAudioEncoderConfig(
        d_model=CONFIG.d_model,
        encoder_layers=CONFIG.num_layers,
        encoder_attention_heads=CONFIG.num_heads,
        encoder_ffn_dim=CONFIG.ffn_dim,
        num_mel_bins=CONFIG.mel_bins,
        n_window=CONFIG.n_window,
        max_source_positions=CONFIG.max_source_positions,
        output_dim=CONFIG.output_dim,
        attn_implementation="eager",
    )
    model = modeling.Qwen2_5OmniAudioEncoder(config).eval().requires_grad_(False)
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.normal_(std=0.2)
    return model


@pytest.fixture(scope="module")
def encoder(reference):
    return AudioEncoder(CONFIG, DictWeights(reference.state_dict()))


def clips(*frames):
    generator = torch.Generator().manual_seed(sum(frames))
    return [torch.randn(CONFIG.mel_bins, n, generator=generator) for n in frames]


def expected(reference, mel):
    lengths = torch.tensor([clip.shape[1] for clip in mel])
    return reference(
        torch.cat(mel, 1), feature_lens=lengths, aftercnn_lens=(lengths - 1) // 2 + 1
    ).last_hidden_state


@pytest.mark.parametrize(
    "frames",
    [(3,), (4,), (5,), (199,), (200,), (201,), (202,), (203,), (400,), (555,)]
    + [(555, 3, 200, 201, 400), (200, 200, 199, 199), (200 * GROUP + 51,)],
    ids=str,
)
def test_equals_transformers(reference, encoder, frames):
    mel = clips(*frames)
    got = encoder(mel)
    assert got.dtype == torch.float32
    assert len(got) == sum(encoder.rows(n) for n in frames)
    torch.testing.assert_close(got, expected(reference, mel), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_clip_too_short_for_one_row_gives_none(reference, encoder, frames):
    """transformers gives none for 2 frames beside other clips and crashes on a clip of 1 frame."""
    assert encoder(clips(frames)).shape == (0, CONFIG.output_dim)
    long, short = clips(203, frames)
    torch.testing.assert_close(encoder([short, long, short]), encoder([long]))


def test_no_clips(encoder):
    assert encoder([]).shape == (0, CONFIG.output_dim)


def test_chunks_that_arrive_one_by_one_give_the_same_rows(encoder):
    (mel,) = clips(555)
    chunks = mel.split(encoder.chunk_frames, 1)
    rows = [encoder.encode_chunks([chunk])[0] for chunk in chunks]
    assert [len(r) for r in rows] == [50, 50, 39]
    torch.testing.assert_close(torch.cat(rows), encoder([mel]), rtol=1e-5, atol=1e-5)


def test_stored_bfloat16_weights_are_used_as_they_are(reference):
    stored = {name: t.bfloat16() for name, t in reference.state_dict().items()}
    widened = {name: t.float() for name, t in stored.items()}
    mel = clips(203)
    got, want = (AudioEncoder(CONFIG, DictWeights(w))(mel) for w in (stored, widened))
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(12, 0), (12, 201), (13, 200)])
def test_chunks_of_another_shape_are_refused(encoder, shape):
    with pytest.raises(InputError, match=r"cut the mel into \[12, 1 to 200\] pieces"):
        encoder.encode_chunks([torch.zeros(shape)])
