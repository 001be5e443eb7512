"""linear: few rows (bound by reading), many rows (blocked), odd sizes, and refusals."""

import pytest
import torch

from omnirt import _core, ops

DTYPES = [torch.float32, torch.bfloat16]
FEW = 8  # rows that meet the weights as they are read


def tiles_error(isa: str, dtype: torch.dtype, rows: int, k: int) -> float:
    """What K products of normal numbers may be off by where x becomes two bfloat16 numbers.

    Many rows of a bfloat16 weight, with tiles: each x is 2^-17 near.
    """
    tiles = isa == "amx" and dtype == torch.bfloat16 and rows > FEW
    return tiles * 2 * 2**-17 * k**0.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8, 9, 31])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (7, 5), (130, 67), (64, 300)])
def test_equals_reference(agree, isa, randn, dtype, rows, n, k):
    x, weight, bias = randn(rows, k), randn(n, k, dtype=dtype), randn(n, dtype=dtype)
    agree("linear", x, weight, bias, atol=1e-4 + tiles_error(isa, dtype, rows, k))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 200])
def test_several_chunks(agree, isa, randn, dtype, rows):
    x, weight = randn(rows, 2050), randn(290, 2050, dtype=dtype)
    agree("linear", x, weight, None, atol=1e-3 + tiles_error(isa, dtype, rows, 2050))


def test_leading_axes(agree, randn):
    agree("linear", randn(2, 3, 9), randn(4, 9), None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_does_not_depend_on_its_neighbours(isa, randn, dtype):
    x, weight = randn(8, 301), randn(66, 301, dtype=dtype)
    whole = ops.linear(x, weight)
    for row in range(8):
        assert torch.equal(ops.linear(x[row : row + 1], weight)[0], whole[row])


def test_takes_numpy(randn):
    x, weight, out = randn(2, 8), randn(3, 8), torch.empty(2, 3)
    _core.linear(x.numpy(), weight.numpy(), None, out.numpy())
    torch.testing.assert_close(out, x @ weight.T)


@pytest.mark.parametrize(
    ("x", "weight", "message"),
    [
        (torch.zeros(2, 5), torch.zeros(3, 4), r"linear: x has shape \[2, 5\], expected \[... K\]"),
        (torch.zeros(2, 4), torch.zeros(4), r"weight has shape \[4\], expected \[N K\]"),
        (torch.zeros(2, 4), torch.zeros(3, 4).int(), "weight is int32, expected float32 or bfloat"),
        (
            torch.zeros(2, 4),
            torch.zeros(3, 4).half(),
            "weight is float16, expected float32 or bfloat16",
        ),
        (torch.zeros(2, 4), torch.zeros(4, 3).T, "not contiguous"),
        (torch.zeros(2, 4).bfloat16(), torch.zeros(3, 4), "x is bfloat16, expected float32"),
    ],
)
def test_refuses(x, weight, message):
    with pytest.raises(ValueError, match=message):
        _core.linear(x, weight, None, torch.zeros(2, 3))


def test_refuses_what_is_no_tensor():
    with pytest.raises(TypeError):
        _core.linear([1.0], torch.zeros(1, 1), None, torch.zeros(1))
