"""The audio encoder alone first: its rows become those of the words that it hears.

python -m training.hearing --out runs

CTC (Graves et al. 2006) twice: first with a head of its own, dropped later, that learns fast to
tell the phonemes; then over the text model's embeddings too: the row of a sound is to be near the
embedding of a word, or near a blank. A text model that can answer typed questions then soon answers
spoken ones.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .batches import Ahead, Batch, collate
from .config import Budget
from .examples import FOLLOW_UP, SPOKEN, WRITTEN, Examples
from .loop import embeddings, train
from .recordings import Recordings
from .released import new_thinker
from .stage import Arguments
from .tokenizer import open_processor
from .voices import phonemes

MATCH = 12.0  # the logit of a row that is a word's embedding
EMBEDDING_STD = 0.02
NOISE = 0.015  # of imagined rows
OFF = 0.5  # weight of the rows' distance to the embeddings they mean
RARE = 8
TOGETHER = 12  # windows of like length that are encoded at once
_FAST_BFLOAT16 = torch.cpu.get_capabilities().get("avx512_bf16", False)
TELLING, SHORT_TELLING = Budget(1200, 32, 2e-3), Budget(20, 8, 2e-3)
BUDGET, SHORT = Budget(2600, 32, 1.5e-3), Budget(40, 8, 1e-3)


class Ear(nn.Module):
    """tower: transformers' audio encoder. blank: the row of a moment in which no word ends."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.blank = nn.Parameter(torch.randn(tower.config.output_dim) * EMBEDDING_STD)

    @property
    def last(self) -> list[nn.Parameter]:
        """What makes rows as small as embeddings, so that AdamW's usual steps are too large."""
        return [*self.tower.proj.parameters(), self.blank]

    def hear(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Frames of each sound before and after the last layer, [T, d], 50 a second."""
        inner, frames = _by_length(self.tower, batch)
        ends = torch.tensor(batch.windows).cumsum(0).tolist()
        spans = list(zip([0, *ends], ends, strict=False))
        inner, frames = ([torch.cat(x[a:b]) for a, b in spans] for x in (inner, frames))
        return inner, frames

    def imagine(self, batch: Batch, table: Tensor) -> list[Tensor]:
        """Rows as a perfect ear would make: the words' embeddings at random places, and noise."""
        rows, sounds = [], _halved(batch.frames).split(batch.windows)
        rng = torch.Generator().manual_seed(int(batch.ids.sum()))
        for frames, said in zip(sounds, batch.spoken, strict=True):
            count = frames.sum() // 2
            order = torch.randperm(count // 2, generator=rng)
            places = order[: len(said)].sort().values * 2  # words do not touch
            x = self.blank.expand(count, -1).clone()
            x[places] = table[said]
            longer = places[torch.rand(len(places), generator=rng) < 0.5] + 1
            x[longer] = x[longer - 1]
            rows.append(x + NOISE * torch.randn(x.shape, generator=rng))
        return rows

    def rows(self, sounds: Sequence[Tensor]) -> list[Tensor]:
        """Frames of each sound -> its rows in the prompt, [T // 2, E], 25 a second."""
        pairs = [frames[: len(frames) // 2 * 2].unflatten(0, (-1, 2)).mean(1) for frames in sounds]
        rows = self.tower.proj(self.tower.ln_post(torch.cat(pairs)))
        return list(rows.split([len(pair) for pair in pairs]))

    def named(
        self, rows: Sequence[Tensor], spoken: Sequence[list[int]], table: Tensor
    ) -> tuple[Tensor, Tensor]:
        """CTC of the rows over embeddings of the text, ``table`` [V, E], a token; and how far off.

        A row that points along a word's embedding may still be ten times as long in directions
        that no word has: the text model would see little of the word.
        """
        heads = torch.cat([self.blank[None], table])
        size = heads.square().sum(1).mean().detach()
        scale, x = MATCH / size, torch.cat(list(rows))
        meant = ((x @ heads.T * scale).softmax(1) @ heads).detach()
        off = (x - meant).square().sum(1).mean() / size
        return _ctc(rows, spoken, lambda x: x @ heads.T * scale), off


def _by_length(tower: nn.Module, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
    """``encode_windows`` of every window; short ones are not padded to the longest.

    In bfloat16 where it learns, on machines that have it: half the time.
    """
    bfloat16 = _FAST_BFLOAT16 and torch.is_grad_enabled()
    both: list[list[Tensor]] = [[], []]
    order = batch.frames.argsort()
    for part in order.split(TOGETHER):
        frames = batch.frames[part]
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            pair = encode_windows(tower, batch.mel[part, :, : frames.max()], frames)
        for found, x in zip(both, pair, strict=True):
            counts = _halved(frames).tolist()
            found += [row[:n].float() for row, n in zip(x, counts, strict=True)]
    back = order.argsort().tolist()
    return [both[0][i] for i in back], [both[1][i] for i in back]


def _halved(frames: Tensor) -> Tensor:
    """Frames of mel, 100 a second -> those of the encoder, 50 a second."""
    return (frames + 1) // 2


def _ctc(
    sounds: Sequence[Tensor], spoken: Sequence[list[int]], head: Callable[[Tensor], Tensor]
) -> Tensor:
    """head: [T, B, d] -> logits, 0 is CTC's blank, then ids."""
    x = nn.utils.rnn.pad_sequence(list(sounds))  # [T, B, d]
    ids = torch.tensor([1 + i for said in spoken for i in said])
    sizes = torch.tensor([len(sound) for sound in sounds])
    counts = torch.tensor([len(said) for said in spoken])
    return F.ctc_loss(head(x).log_softmax(-1), ids, sizes, counts, zero_infinity=True)


def encode_windows(tower: nn.Module, mel: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """mel [N, 128, F], ``frames`` of them true, 0 elsewhere -> [N, ceil(F / 2), d].

    What transformers' encoder computes window by window before it averages pairs; and the same
    before its last layer.
    """
    true = torch.arange(mel.shape[2]) < frames[:, None]  # [N, F]
    x = F.gelu(tower.conv1(mel)) * true[:, None]
    x = F.gelu(tower.conv2(x)).mT
    x = x + tower.positional_embedding.positional_embedding[: x.shape[1]]
    seen = (torch.arange(x.shape[1]) < _halved(frames)[:, None])[:, None, None]
    for layer in tower.layers:
        inner = x
        y, attention = layer.self_attn_layer_norm(x), layer.self_attn
        q, k, v = (
            project(y).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        # Written out: the fused kernel's backward takes three times as long in bfloat16.
        scores = (q @ k.mT * attention.scaling).masked_fill(~seen, -torch.inf)
        y = scores.softmax(-1) @ v
        x = x + attention.out_proj(y.transpose(1, 2).flatten(2))
        x = x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
    return inner, x


def batch_of(examples: Examples, count: int, step: int) -> Batch:
    """Recordings of any kind; one of RARE a sound without words, and so the few short questions."""
    rng, few = Random(f"hearing {step}"), count // RARE
    made = [make(rng) for _ in range(few) for make in (examples.sounding, examples.asking)]
    for group in (FOLLOW_UP, WRITTEN, WRITTEN):
        made += [examples.make(group, rng) for _ in range(few)]
    return collate(made + [examples.make(SPOKEN, rng) for _ in range(count - len(made))])


class Listening(nn.Module):
    """An ear, and what it tells of phonemes: they are few, so unheard voices are soon understood.

    Phonemes before the last layer, words behind it (as in arXiv 1707.06065).
    """

    def __init__(self, ear: Ear, phonemes: int) -> None:
        super().__init__()
        self.ear = ear
        self.tell = nn.Linear(ear.tower.config.d_model, phonemes)

    def losses(self, batch: Batch, spell: "Spelling", table: Tensor | None) -> dict[str, Tensor]:
        """told: nats a phoneme. named: nats a word, if there is a table [V, E] to name them by."""
        inner, frames = self.ear.hear(batch)
        told = _ctc(inner, [spell(words) for words in batch.spoken], self.tell)
        if table is None:
            return {"loss": told}
        named, off = self.ear.named(self.ear.rows(frames), batch.spoken, table)
        return {"loss": told + named + OFF * off, "told": told, "named": named, "off": off}


class Spelling:
    """Phonemes of words by the ids of their tokens."""

    def __init__(self, tokenizer, texts: Iterable[str]) -> None:
        said = phonemes(sorted({word for text in texts for word in text.split()}))
        names = sorted({name for word in said.values() for name in word})
        self.size = 1 + len(names)  # 0 is none
        self._of = {
            tokenizer.encode(f" {word}")[0]: [names.index(name) for name in said[word]]
            for word in said
        }

    def __call__(self, ids: Sequence[int]) -> list[int]:
        return [phoneme for i in ids for phoneme in self._of.get(i, ())]


def main(arguments: Arguments) -> None:
    out, short = arguments.out, arguments.short
    processor, recordings = open_processor(out), Recordings.load(out / "recordings" / "train")
    examples = Examples(processor, recordings)
    spell = Spelling(processor.tokenizer, recordings.waves)
    table = embeddings(out)
    pupil = Listening(Ear(new_thinker().audio_tower), spell.size)
    for folder, budget, words in (
        (out / "hearing" / "telling", SHORT_TELLING if short else TELLING, None),
        (out / "hearing", SHORT if short else BUDGET, table),
    ):
        _learn(folder, pupil, budget, examples, spell, words)


def _learn(
    folder: Path,
    pupil: Listening,
    budget: Budget,
    examples: Examples,
    spell: Spelling,
    table: Tensor | None,
) -> None:
    batches = Ahead(functools.partial(batch_of, examples, budget.batch), budget.steps)
    train(
        folder,
        pupil,
        budget,
        lambda step: pupil.losses(batches(step), spell, table),
        slow=pupil.ear.last,
    )


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
