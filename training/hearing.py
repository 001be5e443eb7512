"""The audio encoder alone first: its rows become those of the words that it hears.

python -m training.hearing --out runs

CTC (Graves et al. 2006) twice: a head of its own, which is dropped later, learns fast to tell the
words, and over the text model's embeddings: the row of a sound is to be near the embedding of a
word, or near a blank. A text model that can answer typed questions then soon answers spoken ones.
"""

import functools
from collections.abc import Callable, Sequence
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
    """tower: transformers' audio encoder. tell: which token each of its frames is of, or none."""

    def __init__(self, tower: nn.Module, vocabulary: int) -> None:
        super().__init__()
        self.tower = tower
        self.blank = nn.Parameter(torch.randn(tower.config.output_dim) * EMBEDDING_STD)
        self.tell = nn.Linear(tower.config.d_model, 1 + vocabulary)

    def hear(self, batch: Batch) -> list[Tensor]:
        """Frames of each sound, [T, d], 50 a second."""
        frames = encode_windows(self.tower, batch.mel, batch.frames)
        lengths = ((batch.frames + 1) // 2).tolist()
        pieces = [x[:n] for x, n in zip(frames, lengths, strict=True)]
        ends = torch.tensor(batch.windows).cumsum(0).tolist()
        return [torch.cat(pieces[a:b]) for a, b in zip([0, *ends], ends, strict=False)]

    def rows(self, sounds: Sequence[Tensor]) -> list[Tensor]:
        """Frames of each sound -> its rows in the prompt, [T // 2, E], 25 a second."""
        pairs = [frames[: len(frames) // 2 * 2].unflatten(0, (-1, 2)).mean(1) for frames in sounds]
        rows = self.tower.proj(self.tower.ln_post(torch.cat(pairs)))
        return list(rows.split([len(pair) for pair in pairs]))

    def told(self, sounds: Sequence[Tensor], spoken: Sequence[list[int] | None]) -> Tensor:
        """CTC of the frames, a token."""
        return _ctc(sounds, spoken, self.tell)

    def named(
        self, rows: Sequence[Tensor], spoken: Sequence[list[int] | None], table: Tensor
    ) -> Tensor:
        """CTC of the rows over embeddings of the text, ``table`` [V, E], a token."""
        heads = torch.cat([self.blank[None], table])
        scale = MATCH / heads.square().sum(1).mean().detach()
        return _ctc(rows, spoken, lambda x: x @ heads.T * scale)


def _ctc(
    sounds: Sequence[Tensor],
    spoken: Sequence[list[int] | None],
    head: Callable[[Tensor], Tensor],
) -> Tensor:
    """Of the sounds that have words. head: [T, B, d] -> logits, 0 is CTC's blank, then ids."""
    known = [(sound, ids) for sound, ids in zip(sounds, spoken, strict=True) if ids]
    if not known:
        return torch.zeros(())
    x = nn.utils.rnn.pad_sequence([sound for sound, _ in known])  # [T, B, d]
    ids = torch.tensor([1 + i for _, said in known for i in said])
    sizes = torch.tensor([len(sound) for sound, _ in known])
    counts = torch.tensor([len(said) for _, said in known])
    return F.ctc_loss(head(x).log_softmax(-1), ids, sizes, counts, zero_infinity=True)


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
    table = torch.load(arguments.out / "reading" / "model.pt")["thinker.model.embed_tokens.weight"]
    ear = Ear(new_thinker().audio_tower, len(table))
    batches = Ahead(functools.partial(batch_of, examples, budget.batch), budget.steps)

    def loss(step: int) -> dict[str, Tensor]:
        batch = batches(step)
        sounds = ear.hear(batch)
        told = ear.told(sounds, batch.spoken)
        named = ear.named(ear.rows(sounds), batch.spoken, table)
        return {"loss": told + named, "told": told, "named": named}

    train(arguments.out / "hearing", ear, budget, loss)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
