"""Lloyd's k-means in torch."""

import torch
from torch import Tensor

_CHUNK = 8192  # rows whose distances are held at once


def k_means(rows: Tensor, count: int, rounds: int, seed: int) -> Tensor:
    """float32 [N, D], N >= count -> centroids [count, D]."""
    generator = torch.Generator().manual_seed(seed)
    centroids = rows[torch.randperm(len(rows), generator=generator)[:count]].clone()
    for _ in range(rounds):
        choice = nearest(rows, centroids)
        sizes = torch.bincount(choice, minlength=count)
        sums = torch.zeros_like(centroids).index_add_(0, choice, rows)
        centroids = sums / sizes.clamp(min=1)[:, None]
        empty = (sizes == 0).nonzero()[:, 0]
        picks = torch.randint(len(rows), (len(empty),), generator=generator)
        centroids[empty] = rows[picks]
    return centroids


def nearest(rows: Tensor, centroids: Tensor) -> Tensor:
    """float32 [N, D], [K, D] -> the closest centroid's index, int64 [N]."""
    half = centroids.square().sum(-1) / 2
    return torch.cat([(half - part @ centroids.T).argmin(-1) for part in rows.split(_CHUNK)])
