"""Two studies side by side: the numbers of the quality table."""

from collections.abc import Iterable

import torch
from torch import Tensor

from omnirt.nn.linear import Linear

from .measures import common_prefix, divergence, log_mel_distance, matches
from .study import Reading, Study

ROWS = 64  # states whose logits are in memory at once


def compare(full: Study, other: Study) -> dict[str, float]:
    """Means over all places, or over seconds of sound. Keys are the rows of the table.

    Ids along a given reply are the largest logits; free ones those of replies of each model's own.
    """
    pairs = [(full.readings[name], reading) for name, reading in other.readings.items()]
    found = _along(full.lm_head, other.lm_head, ((a.text, b.text) for a, b in pairs), "text")
    found |= _free("text", ((a.said.tokens, b.said.tokens) for a, b in pairs))
    spoken = [(a, b) for a, b in pairs if a.audio is not None and b.audio is not None]
    if not spoken:
        return found
    heads = full.codec_head, other.codec_head
    found |= _along(*heads, ((a.speech, b.speech) for a, b in spoken), "codec")
    found |= _along(*heads, ((a.joint, b.joint) for a, b in spoken), "codec, own thinker")
    found |= _free("codec", ((a.said.codes, b.said.codes) for a, b in spoken))
    return found | {"log-mel distance (dB)": _sounds(spoken)}


def _along(
    head: Linear, other: Linear, states: Iterable[tuple[Tensor, Tensor]], name: str
) -> dict[str, float]:
    equal, lost = [], []
    for a, b in states:
        for rows, others in zip(a.split(ROWS), b.split(ROWS), strict=True):
            p, q = head(rows), other(others)
            equal.append(p.argmax(1) == q.argmax(1))
            lost.append(divergence(p, q))
    return {
        f"{name}: agreement": float(torch.cat(equal).double().mean()),
        f"{name}: KL (nats)": float(torch.cat(lost).mean()),
    }


def _free(name: str, replies: Iterable[tuple[list[int], list[int]]]) -> dict[str, float]:
    replies = list(replies)
    total = sum(len(ids) for ids, _ in replies)
    return {
        f"{name}, free: common prefix": sum(common_prefix(*pair) for pair in replies) / total,
        f"{name}, free: agreement": sum(matches(*pair) for pair in replies) / total,
    }


def _sounds(pairs: list[tuple[Reading, Reading]]) -> float:
    distances = torch.tensor([log_mel_distance(a.audio, b.audio) for a, b in pairs])
    lengths = torch.tensor([float(len(a.audio)) for a, _ in pairs])
    return float((distances.square() * lengths).sum().div(lengths.sum()).sqrt())
