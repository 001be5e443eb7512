"""Convolution weights in the order that the vocoder's kernels read them.

Kernels of 3 taps and more are stored for Toom-Cook's algorithm on 7 points: five outputs of three
taps, or four of four, cost 7 products instead of 15 or 16 (Winograd 1980; Lavin and Gray, arXiv
1509.09308). For the points a and one at infinity, with n(a) the product of a's differences from the
other points,

    y_i = sum_a a^i (sum_k a^k / n(a) w_k) (sum_j b_aj x_j)

where b_aj are the coefficients of the product of (x - b) over the points b other than a.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from omnirt.errors import EngineError

PANEL = 16  # output channels that a kernel has in registers at once
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, -0.5)  # and infinity: float32 errors are six times direct's


@dataclass(frozen=True)
class PackedConv:
    """A convolution's weight, transformed or not."""

    panels: Tensor  # float32 [points, ceil(O / PANEL), groups of taps, C, PANEL]
    out_channels: int
    in_channels: int
    kernel: int

    def dense(self) -> Tensor:
        """The weight as it was, up to rounding: float32 [O, C, K]."""
        taps = torch.linalg.pinv(_transform(self.kernel)) @ self.panels.double().flatten(1)
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
    transform = _transform(kernel)
    taps = transform.shape[1]
    padded = torch.nn.functional.pad(weight.float(), (0, -kernel % taps))
    panels = _panels(padded.unflatten(2, (-1, taps)))  # [taps, panels, groups, C, PANEL]
    transformed = (transform @ panels.flatten(1).double()).float().unflatten(1, panels.shape[1:])
    return PackedConv(transformed, *weight.shape)


def pack_conv_transpose(weight: Tensor) -> PackedConvTranspose:
    """weight: float32 or bfloat16 [C, O, K]."""
    if weight.dim() != 3:
        raise EngineError(f"pack_conv_transpose: weight {tuple(weight.shape)}; use [C, O, K]")
    channels, out_channels, kernel = weight.shape
    panels = _panels(weight.float().transpose(0, 1)[..., None])
    return PackedConvTranspose(panels.contiguous(), out_channels, channels, kernel)


def _panels(weight: Tensor) -> Tensor:  # [O, C, G, r] -> [r, ceil(O / PANEL), G, C, PANEL]
    missing = -weight.shape[0] % PANEL
    padded = torch.nn.functional.pad(weight, (0, 0, 0, 0, 0, 0, 0, missing))
    return padded.unflatten(0, (-1, PANEL)).permute(4, 0, 3, 2, 1)


def _transform(kernel: int) -> Tensor:
    """From a group of taps to their values at the points, float64 [points, taps].

    One tap is its own value: kernels of less than 3 taps are not worth more.
    """
    if kernel < 3:
        return torch.ones(1, 1, dtype=torch.float64)
    taps = min(kernel, 4)
    rows = []
    for a in POINTS:
        norm = math.prod(a - b for b in POINTS if b != a)
        rows.append([a**k / norm for k in range(taps)])
    rows.append([0.0] * (taps - 1) + [1.0])
    return torch.tensor(rows, dtype=torch.float64)
