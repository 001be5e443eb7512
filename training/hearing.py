"""The audio encoder alone first: its rows become those of the words that it hears.

python -m training.hearing --out runs

CTC (Graves et al. 2006) over the text model's own embeddings: the row of a sound is to be near the
embedding of a word, or near a blank. A text model that can answer typed questions then answers
spoken ones soon; without this the Thinker takes much longer to hear anything at all.
"""

import functools
from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .batches import Ahead, Batch, collate
from .config import Budget
from .examples import SPOKEN, Examples
from .loop import train
from .recordings import Recordings
from .released import new_thinker
from .stage import Arguments
from .tokenizer import open_processor

MATCH = 12.0  # the logit of a row that is a word's embedding
EMBEDDING_STD = 0.02
BUDGET, SHORT = Budget(1200, 32, 2e-3), Budget(30, 8, 2e-3)


class Ear(nn.Module):
    """tower: transformers' audio encoder."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.blank = nn.Parameter(torch.randn(tower.config.output_dim) * EMBEDDING_STD)

    def rows(self, batch: Batch) -> list[Tensor]:
        """Rows of each sound, [T, E], 25 a second."""
        frames = encode_windows(self.tower, batch.mel, batch.frames)
        lengths = ((batch.frames + 1) // 2).tolist()
        pieces = [x[:n] for x, n in zip(frames, lengths, strict=True)]
        ends = torch.tensor(batch.windows).cumsum(0).tolist()
        clips = [torch.cat(pieces[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
        pairs = [clip[: len(clip) // 2 * 2].unflatten(0, (-1, 2)).mean(1) for clip in clips]
        rows = self.tower.proj(self.tower.ln_post(torch.cat(pairs)))
        return list(rows.split([len(pair) for pair in pairs]))

    def loss(
        self, rows: Sequence[Tensor], spoken: Sequence[list[int] | None], table: Tensor
    ) -> Tensor:
        """CTC, a word, of the sounds that have words. table: embeddings of the text, [V, E]."""
        known = [(row, ids) for row, ids in zip(rows, spoken, strict=True) if ids]
        if not known:
            return torch.zeros(())
        heads = torch.cat([self.blank[None], table])  # CTC's blank is 0
        x = nn.utils.rnn.pad_sequence([row for row, _ in known])  # [T, B, E]
        log_p = (x @ heads.T * (MATCH / heads.square().sum(1).mean().detach())).log_softmax(-1)
        ids = torch.tensor([1 + i for _, ids in known for i in ids])
        sizes = torch.tensor([len(row) for row, _ in known])
        counts = torch.tensor([len(ids) for _, ids in known])
        return F.ctc_loss(log_p, ids, sizes, counts, zero_infinity=True)


def encode_windows(tower: nn.Module, mel: Tensor, frames: Tensor) -> Tensor:
    """mel [N, 128, F], ``frames`` of them true, 0 elsewhere -> [N, ceil(F / 2), d].

    What transformers' encoder computes window by window before it averages pairs.
    """
    true = torch.arange(mel.shape[2]) < frames[:, None]  # [N, F]
    x = F.gelu(tower.conv1(mel)) * true[:, None]
    x = F.gelu(tower.conv2(x)).mT
    x = x + tower.positional_embedding.positional_embedding[: x.shape[1]]
    seen = (torch.arange(x.shape[1]) < (frames[:, None] + 1) // 2)[:, None, None]
    for layer in tower.layers:
        y, attention = layer.self_attn_layer_norm(x), layer.self_attn
        q, k, v = (
            project(y).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = x + attention.out_proj(y.transpose(1, 2).flatten(2))
        x = x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
    return x


def batch_of(examples: Examples, count: int, step: int) -> Batch:
    """Recordings of any kind."""
    rng = Random(f"hearing {step}")
    return collate([examples.make(SPOKEN, rng) for _ in range(count)])


def main(arguments: Arguments) -> None:
    budget = SHORT if arguments.short else BUDGET
    recordings = Recordings.load(arguments.out / "recordings" / "train")
    examples = Examples(open_processor(arguments.out), recordings)
    ear = Ear(new_thinker().audio_tower)
    table = torch.load(arguments.out / "reading" / "model.pt")["thinker.model.embed_tokens.weight"]
    batches = Ahead(functools.partial(batch_of, examples, budget.batch), budget.steps)

    def loss(step: int) -> dict[str, Tensor]:
        batch = batches(step)
        return {"loss": ear.loss(ear.rows(batch), batch.spoken, table)}

    train(arguments.out / "hearing", ear, budget, loss)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
