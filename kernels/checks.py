"""What a kernel refuses. ``name``: the kernel that a message names."""

import torch
from torch import Tensor

PRODUCTS = (torch.float32, torch.bfloat16)  # what kernels multiply


def check_shape(name: str, field: str, x: Tensor, *shape: int) -> None:
    """Raise ValueError unless x is dense, of this shape (-1: any) and small enough for int32."""
    fits = x.dim() == len(shape) and all(
        want in (-1, size) for want, size in zip(shape, x.shape, strict=False)
    )
    if not fits or not x.is_contiguous() or x.numel() >= 2**31:
        wanted = ["any" if size < 0 else size for size in shape]
        raise ValueError(f"{name}: {field} is {list(x.shape)}, must be dense {wanted}")


def check_words(name: str, field: str, words: Tensor, count: int) -> None:
    """Raise ValueError unless words is int32 [count], dense."""
    check_shape(name, field, words, count)
    if words.dtype != torch.int32:
        raise ValueError(f"{name}: {field} is {words.dtype}, must be int32")


def check_span(name: str, span: Tensor) -> None:
    """Raise ValueError unless span is int32 [2]: the first row that a call reads, and how many."""
    check_words(name, "span", span, 2)


def check_products(name: str, **tensors: Tensor) -> None:
    """Raise ValueError unless all are float32 or bfloat16."""
    for field, tensor in tensors.items():
        if tensor.dtype not in PRODUCTS:
            raise ValueError(f"{name}: {field} is {tensor.dtype}, must be float32 or bfloat16")


def type_of_products(dtype: torch.dtype, precision: str) -> str:
    """The type of products in a Call's Work. precision: of those of float32, see tl.dot."""
    if dtype == torch.bfloat16:
        return "bf16"
    return "fp32" if precision == "ieee" else precision
