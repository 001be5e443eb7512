"""Matrix products with a stored weight, in float32."""

from torch import Tensor
from torch.nn import functional as F

from omnirt.formats import Quantized


def linear(x: Tensor, weight: Tensor | Quantized, bias: Tensor | None = None) -> Tensor:
    """y = x weight^T + bias. x: float32 [..., K]; weight: float32, bfloat16 or quantized [N, K].

    bias: [N]. Returns float32 [..., N]. With a quantized weight a backend may round x to int8, each
    block of 32 inputs with a scale of its own: off by half a step at most.
    """
    weight = weight.dequantize() if isinstance(weight, Quantized) else weight.float()
    return F.linear(x.float(), weight, None if bias is None else bias.float())
