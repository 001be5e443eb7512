"""The speaker encoder against transformers 4.57.1."""

import pytest
import torch

from hf_token2wav import build
from omnirt.token2wav.speaker import SpeakerEncoder


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("frames", [5, 37, 400])
def test_vector_is_the_released_one(scale, frames):
    theirs, config, weights = build(enc_res2net_scale=scale)
    weights = weights.scope("code2wav_dit_model.input_embed.spk_encoder")
    mel = torch.randn(frames, 80, generator=torch.Generator().manual_seed(2)) * 2 - 5
    got = SpeakerEncoder(config.dit.speaker, weights)(mel)
    with torch.no_grad():
        want = theirs.code2wav_dit_model.input_embed.spk_encoder(mel[None])[0]
    assert got.shape == (12,)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
