"""Train the flow's transformer: codes and a voice -> log mel, by conditional flow matching.

    python -m training.flow --out RUNS [--short]

On the straight path x_t = (1 - t) noise + t mel the velocity is mel - noise (arXiv 2210.02747).
A part of the batch has neither code nor voice, for guidance (arXiv 2207.12598).
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .codec import Corpus
from .config import VOICES, Budget
from .loop import padded, train
from .mel import FRAMES
from .released import new_flow
from .scoring import score_flow
from .stage import Arguments

BLOCK = 24  # frames; attention sees whole blocks, counted from the start of speech
CROP = 4 * BLOCK
NULL = len(VOICES)  # the row of voices that is nobody
DROPPED = 0.15
FAR = CROP  # blocks; no layer looks as far

BUDGET, SHORT = Budget(700, 16, 1.2e-3), Budget(40, 8, 1.2e-3)


class Batches:
    """The same codes in both voices, cut where a block begins."""

    def __init__(self, corpus: Corpus, batch: int) -> None:
        self._corpus, self._answers = corpus, batch // len(VOICES)

    def __call__(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """codes int64 [B, T], mel [B, T * FRAMES, 80], voice int64 [B]; code 0 after the end."""
        codes, mels = [], []
        step = BLOCK // FRAMES
        for i in torch.randint(len(self._corpus), (self._answers,), generator=generator):
            whole = self._corpus.codes_of(i)
            starts = max(1, 1 + -(-len(whole) // step) - CROP // BLOCK)
            start = step * int(torch.randint(starts, (1,), generator=generator))
            part = slice(FRAMES * start, FRAMES * start + CROP)
            codes += [whole[start : start + CROP // FRAMES]] * len(VOICES)
            mels += [self._corpus.mel_of(i, voice)[part] for voice in range(len(VOICES))]
        return padded(codes), padded(mels), torch.arange(len(VOICES)).repeat(self._answers)


def velocity(
    model: nn.Module, voices: Tensor, who: Tensor, codes: Tensor, live: Tensor, x: Tensor, t: Tensor
) -> Tensor:
    """The class's forward for training: one time and voice a row, padding unseen.

    voices: of ``voice_rows``; who: int64 [B], its rows; codes: int64 [B, T]; live: bool [B, F],
    false after the end; x: [B, F, 80], F = T * FRAMES; t: [B]. Returns [B, F, 80].
    """
    speaker, vector = (part[who, None].expand(-1, x.shape[1], -1) for part in voices)
    h = model.input_embed.proj(torch.cat((x, speaker, model.text_embed(codes), vector), dim=-1))
    time, rope, away = model.time_embed(t), model.rotary_embed(h), block_distances(live)
    for block in model.transformer_blocks:
        h = block(h, time, position_embeddings=rope, block_diff=away)
    return model.proj_out(model.norm_out(h, time))


def voice_rows(model: nn.Module, references: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Every voice, then nobody. references: [V, R, 80], vectors: [V, C], one a voice."""
    speakers = model.input_embed.spk_encoder(F.pad(references, (0, 0, 0, 0, 0, 1)))
    return speakers, F.pad(vectors, (0, 0, 0, 1))


def block_distances(live: Tensor) -> Tensor:
    """How many blocks ahead a key is of a query; FAR where it is padding. [B, F] -> [B, 1, F, F]"""
    block = torch.arange(live.shape[1]) // BLOCK
    unseen = live[:, :, None] & ~live[:, None]
    return (block - block[:, None]).expand_as(unseen).masked_fill(unseen, FAR)[:, None]


def flow_loss(
    model: nn.Module, voices: Tensor, batch: tuple[Tensor, ...], generator: torch.Generator
) -> Tensor:
    """Squared error of the velocity, mean over frames and bands. batch: of ``Batches``."""
    codes, mel, who = batch
    live = codes.repeat_interleave(FRAMES, dim=1) > 0
    dropped = torch.rand(len(who), generator=generator) < DROPPED
    who = who.masked_fill(dropped, NULL)
    codes = codes.masked_fill(dropped[:, None], 0)
    # One time in each part of [0, 1]: the loss varies less than with independent ones.
    order = torch.randperm(len(who), generator=generator)
    t = (order + torch.rand(len(who), generator=generator)) / len(who)
    noise = torch.randn(mel.shape, generator=generator)
    x = torch.lerp(noise, mel, t[:, None, None])
    error = velocity(model, voices, who, codes, live, x, t) - (mel - noise)
    return error.square().mean(-1)[live].mean()


def start_from_sounds(model: nn.Module, centroids: Tensor) -> None:
    """Codes begin with the principal components of how they sound, so that they need not be learnt
    one by one; no code begins with zeros. centroids: [CODES, ...].
    """
    table = model.text_embed.codec_embed.weight
    sounds = centroids.flatten(1)
    left, sizes, _ = torch.linalg.svd(sounds - sounds.mean(0), full_matrices=False)
    parts = left[:, : table.shape[1]] * sizes[: table.shape[1]].sqrt()
    with torch.no_grad():
        table.zero_()
        table[1 : len(parts) + 1] = parts / parts.square().mean().sqrt()


def fit(
    folder: Path, corpus: Corpus, model: nn.Module, speakers: tuple[Tensor, Tensor], budget: Budget
) -> nn.Module:
    """Train on a corpus; what a killed run has saved is gone on with.

    speakers: references, mel [V, R, 80], and vectors, [V, C]: the condition of each voice.
    """
    batches = Batches(corpus, budget.batch)

    def loss(step: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(step)
        voices = voice_rows(model, *speakers)
        return {"loss": flow_loss(model, voices, batches(generator), generator)}

    train(folder, model, budget, loss)
    return model.eval()


def main(given: Arguments) -> None:
    codec = given.out / "codec"
    corpus, saved = Corpus.load(codec / "train"), torch.load(codec / "speakers.pt")
    references, vectors = (
        torch.cat([saved[name][key] for name in VOICES]) for key in ("ref_mel", "cond")
    )
    centroids = torch.from_numpy(np.load(codec / "centroids.npy"))
    model = new_flow(centroids.mean((0, 1, 2)))
    start_from_sounds(model, centroids)
    budget = SHORT if given.short else BUDGET
    fit(given.out / "flow", corpus, model, (references, vectors), budget)
    score_flow(given.out)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
