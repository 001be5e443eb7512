"""A text model that can copy before it has learned anything else.

What comes next after "b" is what came after the last "b": one attention head writes beside each
token the one before it, and a head of the next layer looks there for the present token (Olsson et
al. 2022, arXiv 2209.11895). Small models on short texts take long to find these two heads, or never
do. Here they are there from the start; what else the layers do is random as ever, and all learns.
"""

import torch
from torch import Tensor, nn

FAST, SLOW, STILL = slice(0, 3), slice(3, 6), slice(10, None)  # pairs of rotary dimensions
_FAST_SHARES = (2.0, 1.0, 1.0)  # of each pair in the logit of the token before
_PAUSE = 7  # rows from a word to the next, as spoken
_BEFORE, _EARLIER, _SAME = 8.0, 2.5, 3.0  # logits: a pair's share, a pair's share, per match
_SIZE = 0.02  # of what the heads write: more, and sums are learned by heart


@torch.no_grad()
def can_copy(model: nn.Module, seed: int = 0) -> None:
    """model: transformers' text model, at least two layers and heads."""
    generator = torch.Generator().manual_seed(seed)
    before, same = (layer.self_attn for layer in list(model.layers)[:2])
    dim, width = before.head_dim, model.config.hidden_size

    def read() -> Tensor:
        return torch.randn(dim, width, generator=generator) / width**0.5

    def write() -> Tensor:
        return torch.linalg.qr(torch.randn(width, dim, generator=generator))[0]

    names, place = read(), write()
    _look_back(before, model.config.rope_theta)
    before.v_proj.weight[:dim] = names
    before.o_proj.weight[:, : 2 * dim] = _SIZE * place.repeat(1, 2)
    still = torch.arange(dim).view(2, -1)[:, STILL].flatten()
    same.k_proj.weight[still] = _SAME**0.5 * place.T[still]
    same.q_proj.weight[still] = _SAME**0.5 * names[still]
    same.v_proj.weight[:dim] = read()
    same.o_proj.weight[:, :dim] = _SIZE * write()


def _look_back(attention: nn.Module, theta: float) -> None:
    """The first head attends to the row before, the second one to some rows before."""
    dim = attention.head_dim
    angles = theta ** -(torch.arange(0, dim, 2) / dim)
    key = attention.k_proj.bias[:dim].view(2, -1)
    for head, lag, pairs, logits in (
        (0, 1, FAST, _BEFORE * torch.tensor(_FAST_SHARES)),
        (1, _PAUSE, SLOW, torch.full((3,), _EARLIER)),
    ):
        length = (logits * dim**0.5).sqrt()  # query and key share it
        key[0, pairs] += length
        query = attention.q_proj.bias[head * dim : (head + 1) * dim].view(2, -1)
        turned = torch.stack([(angles * lag).cos(), -(angles * lag).sin()])
        query[:, pairs] += length * turned[:, pairs]
