"""Activations, in float32."""

from torch import Tensor
from torch.nn import functional as F


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """SwiGLU's product: silu(gate) * up (arXiv 2002.05202). float32 [..., D] each."""
    return F.silu(gate.float()) * up.float()


def gelu(x: Tensor, tanh: bool = False) -> Tensor:
    """GELU (arXiv 1606.08415), exact with erf or its tanh form. float32, any shape."""
    return F.gelu(x.float(), approximate="tanh" if tanh else "none")
