"""What the stages save is what omnirt's Token2Wav reads."""

import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("espeakng_loader")

from training import scoring  # noqa: E402
from training.config import VOICES  # noqa: E402
from training.mel import HOP  # noqa: E402
from training.released import new_flow, new_vocoder  # noqa: E402


def test_saved_parts_speak(tmp_path):
    parts = {"flow": new_flow(torch.full((80,), -4.0)), "vocoder": new_vocoder()}
    for stage, model in parts.items():
        (tmp_path / stage).mkdir()
        torch.save(model.state_dict(), tmp_path / stage / "model.pt")
    (tmp_path / "codec").mkdir()
    speaker = {"ref_mel": torch.randn(1, 300, 80), "cond": torch.randn(1, 192)}
    torch.save(dict.fromkeys(VOICES, speaker), tmp_path / "codec" / "speakers.pt")
    token2wav = scoring.token2wav_of(tmp_path)
    with torch.inference_mode():
        pieces = list(token2wav.synthesize([1, 512, 1024], "Ethan", scoring.WHOLE))
        mel = torch.randn(6, 80) - 4
        vocoded = scoring.vocoder_of(tmp_path).vocode(mel)
        theirs = parts["vocoder"](mel.T[None])
    assert sum(len(piece) for piece in pieces if piece is not None) == 6 * HOP
    torch.testing.assert_close(vocoded, theirs, atol=1e-5, rtol=1e-4)
