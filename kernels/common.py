"""What launchers share: checks and block sizes."""

import triton
from torch import Tensor

MAX_ROW = 65536  # elements of a row that one program can hold


def rows_of(name: str, x: Tensor) -> tuple[int, int]:
    """(rows, columns) of a contiguous tensor [..., D]. Raises ValueError that names the kernel."""
    columns = x.shape[-1]
    if not x.is_contiguous() or not 0 < columns <= MAX_ROW:
        raise ValueError(
            f"{name}: x of shape {list(x.shape)}; use a contiguous one of 1 to {MAX_ROW} columns"
        )
    return x.numel() // columns, columns


def same_shape(name: str, **tensors: Tensor) -> None:
    """Raise ValueError unless all tensors have the first one's shape and are contiguous."""
    shape = next(iter(tensors.values())).shape
    for field, tensor in tensors.items():
        if tensor.shape != shape or not tensor.is_contiguous():
            raise ValueError(
                f"{name}: {field} is {list(tensor.shape)}, must be dense {list(shape)}"
            )


def block_and_warps(columns: int) -> tuple[int, int]:
    """A block that holds a row, and warps for it: about 8 float32 a thread of a wide row."""
    block = triton.next_power_of_2(columns)
    return block, min(max(block // 256, 1), 16)


def power_of_two(name: str, **sizes: int) -> None:
    """Raise ValueError unless the sizes are powers of two, which blocks of Triton must be."""
    for field, size in sizes.items():
        if size < 1 or size & (size - 1):
            raise ValueError(f"{name}: {field}={size}: must be a power of two")
