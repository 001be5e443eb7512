"""The flow's training: its forward is the released class's, row by row, and it learns."""

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("espeakng_loader")

from training import flow  # noqa: E402
from training.codec import Corpus  # noqa: E402
from training.config import Budget  # noqa: E402
from training.released import new_flow  # noqa: E402

LENGTHS = (75, 20, 48)  # codes of each answer


@pytest.fixture
def corpus() -> Corpus:
    """Every code has its own mel, louder in the second voice."""
    random = np.random.default_rng(0)
    codes = random.integers(1, 20, sum(LENGTHS)).astype(np.int16)
    mels = random.normal(-5, 2, (20, 1, 2, 80)).repeat(2, 1)[codes].astype(np.float16)
    mels[:, 1] += 1
    none = np.zeros(0, np.int16)
    starts = np.cumsum([0, *LENGTHS])
    return Corpus([""] * len(LENGTHS), starts, codes, mels, np.zeros((0, 2, 2), np.int64), none)


def lively(seed: int = 0) -> torch.nn.Module:
    """The model with no zeros left in it."""
    model = new_flow(torch.zeros(80)).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def conditions(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.randn(2, 30, 80, generator=generator) - 5,
        torch.randn(2, 192, generator=generator),
    )


def test_forward_is_the_released_one():
    generator = torch.Generator().manual_seed(1)
    model, (references, vectors) = lively(), conditions(generator)
    codes = torch.randint(1, 1025, (2, 40), generator=generator)
    x, t = torch.randn(2, 80, 80, generator=generator), torch.tensor([0.3, 0.8])
    live = torch.ones(2, 80, dtype=torch.bool)
    with torch.no_grad():
        rows = flow.voice_rows(model, references, vectors)
        ours = flow.velocity(model, rows, torch.arange(2), codes, live, x, t)
        nobody = flow.velocity(model, rows, torch.full((2,), flow.NULL), codes * 0, live, x, t)
        for i in range(2):
            theirs, theirs_nobody = model(
                hidden_states=x[i : i + 1],
                condition_vector=references[i : i + 1],
                speaker_embedding=vectors[i].expand(1, 80, -1),
                quantized_code=codes[i : i + 1],
                time_step=t[i],
            )
            torch.testing.assert_close(ours[i], theirs, atol=2e-5, rtol=1e-5)
            torch.testing.assert_close(nobody[i], theirs_nobody, atol=2e-5, rtol=1e-5)


def test_padding_changes_nothing():
    generator = torch.Generator().manual_seed(2)
    model = lively()
    codes = torch.randint(1, 1025, (1, 20), generator=generator)
    x, t = torch.randn(1, 70, 80, generator=generator), torch.tensor([0.5])
    who, live = torch.tensor([1]), torch.arange(70)[None] < 40
    with torch.no_grad():
        rows = flow.voice_rows(model, *conditions(generator))
        short = flow.velocity(model, rows, who, codes, live[:, :40], x[:, :40], t)
        padded = torch.nn.functional.pad(codes, (0, 15))
        long = flow.velocity(model, rows, who, padded, live, x, t)
    torch.testing.assert_close(long[:, :40], short, atol=2e-5, rtol=1e-5)
    assert long.isfinite().all()


def test_batches_begin_with_blocks(corpus):
    seen = set()
    for seed in range(20):
        codes, mel, who = flow.Batches(corpus, 4)(torch.Generator().manual_seed(seed))
        assert mel.shape[1] == 2 * codes.shape[1] <= flow.CROP
        assert who.tolist() == [0, 1, 0, 1]
        assert torch.equal(codes[::2], codes[1::2])
        live = codes[::2].repeat_interleave(2, 1) > 0
        louder = (mel[1::2] - mel[::2])[live]
        torch.testing.assert_close(louder, torch.ones_like(louder), atol=0.02, rtol=0)
        for row in codes[::2]:
            cut = row[row > 0].numpy().tobytes()
            seen.add(corpus.codes.astype(np.int64).tobytes().index(cut) // 8)
    blocks = {*range(0, 37, 12), 75, 95}  # of 75, 20 and 48 codes
    assert seen == blocks


def test_codes_start_from_how_they_sound():
    sounds = torch.randn(1024, 2, 2, 80, generator=torch.Generator().manual_seed(4))
    sounds[7] = sounds[6] + 0.01
    model = new_flow(torch.zeros(80))
    flow.start_from_sounds(model, sounds)
    table = model.text_embed.codec_embed.weight.detach()
    assert table[0].abs().max() == 0
    assert (table[8] - table[7]).norm() < 0.1 * (table[9] - table[7]).norm()
    assert 0.5 < table[1:1025].square().mean() < 2


def test_fit_lowers_the_loss(corpus, tmp_path):
    given = conditions(torch.Generator().manual_seed(3))

    def loss(model: torch.nn.Module) -> float:
        generator = torch.Generator().manual_seed(9)
        batch = flow.Batches(corpus, 8)(generator)
        with torch.no_grad():
            rows = flow.voice_rows(model, *given)
            return float(flow.flow_loss(model, rows, batch, generator))

    model = new_flow(torch.full((80,), -5.0))
    before = loss(model)
    assert loss(flow.fit(tmp_path, corpus, model, given, Budget(40, 4, 3e-3))) < 0.9 * before
