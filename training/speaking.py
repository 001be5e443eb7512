"""The Talker speaks by itself: many replies at once, as transformers' generate would one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import torchvision_ops  # noqa: F401  before transformers' classes
from .config import CODEC_BOS, CODEC_EOS, CODEC_MASK, CODEC_PAD
from .states import EndRows, Line, row_positions, text_rows

# isort: split
from transformers import DynamicCache
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
    Qwen2_5OmniTalkerForConditionalGeneration,
)

_HIDDEN = torch.finfo(torch.float32).min


@dataclass(frozen=True)
class Choice:
    """How a code is drawn; the released defaults. temperature 0: the likeliest code."""

    temperature: float = 0.9
    top_k: int = 40
    top_p: float = 0.8
    repetition_penalty: float = 1.05


GREEDY = Choice(temperature=0.0)


@torch.inference_mode()
def speak(
    model: Qwen2_5OmniTalkerForConditionalGeneration,
    lines: Sequence[Line],
    voices: Sequence[int],
    ends: EndRows,
    choice: Choice,
    most: int,
    seed: int = 0,
) -> list[list[int]]:
    """Codes of each line without the stop; ``most`` of them where none came."""
    generator = torch.Generator().manual_seed(seed)
    rows, positions, missing = _left_padded(lines, voices, most, ends)
    length = rows.shape[1] - most + 1  # of what is read before the first code
    table, cache = model.model.embed_tokens, DynamicCache()
    first = torch.tensor([CODEC_PAD, CODEC_BOS])
    seen = torch.zeros(len(lines), model.codebook_size, dtype=torch.bool)
    seen[:, [CODEC_PAD, CODEC_BOS, CODEC_MASK]] = True
    rows[:, length - 2 : length] += table(first)
    logits = _step(model, rows[:, :length], positions[..., :length], missing, cache)
    codes: list[Tensor] = []
    for at in range(length, length + most):
        codes.append(drawn(logits, seen, choice, generator))
        seen.scatter_(1, codes[-1][:, None], True)
        if at == length + most - 1 or all_stopped(codes):
            break
        x = rows[:, at : at + 1] + table(codes[-1])[:, None]
        logits = _step(model, x, positions[..., at : at + 1], missing, cache)
    return [_until_stop(line) for line in torch.stack(codes, 1).tolist()]


def drawn(logits: Tensor, seen: Tensor, choice: Choice, generator: torch.Generator) -> Tensor:
    """One id of each row of logits, float32 [B, C]; seen: bool [B, C]. Order of transformers."""
    penalty = choice.repetition_penalty
    logits = torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    logits[:, CODEC_BOS] = -torch.inf
    if choice.temperature == 0:
        return logits.argmax(-1)
    best, ids = (logits / choice.temperature).topk(choice.top_k)
    p = best.softmax(-1)
    p = torch.where(p.cumsum(-1) - p < choice.top_p, p, 0.0)
    return ids.gather(1, torch.multinomial(p, 1, generator=generator))[:, 0]


def all_stopped(codes: Sequence[Tensor]) -> bool:
    ids = torch.stack(list(codes), 1)
    return bool(((ids == CODEC_EOS) | (ids == CODEC_PAD)).any(1).all())


def _until_stop(codes: list[int]) -> list[int]:
    stops = [i for i, code in enumerate(codes) if code in (CODEC_PAD, CODEC_EOS)]
    return codes[: stops[0]] if stops else codes


def _left_padded(
    lines: Sequence[Line], voices: Sequence[int], most: int, ends: EndRows
) -> tuple[Tensor, Tensor, Tensor]:
    """Text rows [B, T, E], positions [3, B, T] and how many rows are missing on the left, [B]."""
    rows = [text_rows(x, v, most, ends) for x, v in zip(lines, voices, strict=True)]
    positions = [row_positions(x, most).T for x in lines]
    longest = max(map(len, rows))
    missing = torch.tensor([longest - len(x) for x in rows])
    pad = torch.nn.functional.pad
    rows = [pad(x, (0, 0, longest - len(x), 0)) for x in rows]
    positions = [pad(x, (0, 0, longest - len(x), 0)) for x in positions]
    return torch.stack(rows), torch.stack(positions).permute(2, 0, 1), missing


def _step(
    model: Qwen2_5OmniTalkerForConditionalGeneration,
    x: Tensor,
    positions: Tensor,
    missing: Tensor,
    cache: DynamicCache,
) -> Tensor:
    """Logits behind the last row of x, [B, T, E]; missing rows see only one another."""
    past = cache.get_seq_length()
    columns = torch.arange(past + x.shape[1])
    rows = columns[past:, None]
    real = missing[:, None, None] <= columns  # [B, 1, K]
    allowed = (columns <= rows) & (real | (rows < missing[:, None, None]))
    mask = torch.zeros(allowed.shape).masked_fill(~allowed, _HIDDEN)[:, None]
    h = model.model(
        inputs_embeds=model.thinker_to_talker_proj(x),
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    return model.codec_head(h[:, -1])
