"""Convolution weights in the order that the vocoder's kernels read them.

Kernels of 3 taps and more are stored for Toom-Cook's F(4, 4): four outputs of four taps cost seven
products instead of sixteen (Winograd 1980; Lavin and Gray, arXiv 1509.09308). For the points a and
one at infinity, with n(a) the product of the differences from the other points,

    y_i = sum_a a^i (sum_k a^k / n(a) w_k) (sum_j b_aj x_j)

where b_aj are the coefficients of the product of (x - b) over the points b other than a.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt.errors import EngineError

PANEL = 16  # output channels that a kernel has in registers at once
GROUP = 4  # taps that are transformed together
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, -0.5)  # and infinity: float32 errors are six times direct's
_FEWEST_TAPS = 3  # that a transform is worth


@dataclass(frozen=True)
class PackedConv:
    """A convolution's weight, transformed or not."""

    panels: Tensor  # float32 [points, ceil(O / PANEL), groups of taps, C, PANEL]
    out_channels: int
    in_channels: int
    kernel: int

    def dense(self) -> Tensor:
        """The weight as it was, up to rounding: float32 [O, C, K]."""
        points = self.panels.shape[0]
        taps = torch.linalg.pinv(_transform(points)) @ self.panels.double().flatten(1)
        taps = taps.unflatten(1, self.panels.shape[1:])  # [taps, panels, groups, C, PANEL]
        weight = taps.permute(1, 4, 3, 2, 0).flatten(3).flatten(0, 1)
        return weight[: self.out_channels, :, : self.kernel].float()


@dataclass(frozen=True)
class PackedConvTranspose:
    """A transposed convolution's weight."""

    panels: Tensor  # float32 [1, ceil(O / PANEL), K, C, PANEL]
    out_channels: int
    in_channels: int
    kernel: int

    def dense(self) -> Tensor:
        """float32 [C, O, K]."""
        weight = self.panels[0].permute(2, 0, 3, 1).flatten(1, 2)
        return weight[:, : self.out_channels].contiguous()


def pack_conv(weight: Tensor) -> PackedConv:
    """weight: float32 or bfloat16 [O, C, K], K odd. Raises EngineError for an even K."""
    if weight.dim() != 3 or weight.shape[2] % 2 == 0:
        raise EngineError(f"pack_conv: weight {tuple(weight.shape)}; use [O, C, K] with an odd K")
    kernel = weight.shape[2]
    transform = _transform(len(POINTS) + 1 if kernel >= _FEWEST_TAPS else 1)
    points, taps = transform.shape
    padded = torch.nn.functional.pad(weight.float(), (0, -kernel % taps))
    panels = _panels(padded.unflatten(2, (-1, taps)))  # [panels, groups, C, PANEL, taps]
    transformed = torch.empty(points, *panels.shape[:-1])
    for row, out in zip(transform, transformed, strict=True):
        out.copy_(panels.double() @ row)
    return PackedConv(transformed, *weight.shape)


def pack_conv_transpose(weight: Tensor) -> PackedConvTranspose:
    """weight: float32 or bfloat16 [C, O, K]."""
    if weight.dim() != 3:
        raise EngineError(f"pack_conv_transpose: weight {tuple(weight.shape)}; use [C, O, K]")
    channels, out_channels, kernel = weight.shape
    panels = _panels(weight.float().transpose(0, 1)[..., None])[..., 0]
    return PackedConvTranspose(panels[None].contiguous(), out_channels, channels, kernel)


def _panels(weight: Tensor) -> Tensor:  # [O, C, G, r] -> [ceil(O / PANEL), G, C, PANEL, r]
    missing = -weight.shape[0] % PANEL
    padded = torch.nn.functional.pad(weight, (0, 0, 0, 0, 0, 0, 0, missing))
    return padded.unflatten(0, (-1, PANEL)).permute(0, 3, 2, 1, 4)


def _transform(points: int) -> Tensor:
    """From the taps of a group to their values at the points, float64 [points, taps]."""
    if points == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    rows = []
    for a in POINTS:
        norm = math.prod(a - b for b in POINTS if b != a)
        rows.append([a**k / norm for k in range(GROUP)])
    rows.append([0.0] * (GROUP - 1) + [1.0])
    return torch.tensor(rows, dtype=torch.float64)
