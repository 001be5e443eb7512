"""Matrix products with a stored weight, in float32."""

from torch import Tensor
from torch.nn import functional as F


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x weight^T + bias. x: float32 [..., K]; weight: float32 or bfloat16 [N, K]; bias: [N].

    Returns float32 [..., N].
    """
    return F.linear(x.float(), weight.float(), None if bias is None else bias.float())
