"""How ops are tested: the C++ kernels of every instruction set against the reference."""

from collections.abc import Callable, Iterator

import pytest
import torch

from omnirt import _core, ops


@pytest.fixture(params=["generic", "avx2", "avx512", "amx"])
def isa(request) -> Iterator[str]:
    """Each instruction set that this machine runs, in force for the test."""
    if request.param not in _core.isas():
        pytest.skip(f"this machine does not run {request.param}")
    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


def _run(backend: str, cores: int, name: str, args: tuple) -> list:
    """Results of an op on copies of its arguments, then those arguments: it may write them."""
    own = [a.clone() if isinstance(a, torch.Tensor) else a for a in args]
    before = _core.cores()
    _core.set_cores(cores)
    with ops.use(backend):
        result = getattr(ops, name)(*own)
    _core.set_cores(before)
    results = list(result) if isinstance(result, tuple) else [result]
    return [x for x in results + own if isinstance(x, torch.Tensor)]


@pytest.fixture
def agree(isa) -> Callable[..., None]:
    """agree(name, *args, atol=, rtol=): cpu equals the reference, and itself on 1 and 2 threads."""

    def check(name: str, *args, atol: float = 1e-5, rtol: float = 1e-5) -> None:
        declined = ops.declined["cpu", name]
        one, two = (_run("cpu", cores, name, args) for cores in (1, 2))
        want = _run("reference", 1, name, args)
        assert ops.declined["cpu", name] == declined, f"{name} fell to the reference"
        for a, b, expected in zip(one, two, want, strict=True):
            assert torch.equal(a, b), f"{name} depends on the number of threads"
            torch.testing.assert_close(a, expected, atol=atol, rtol=rtol)

    return check


@pytest.fixture
def randn() -> Callable[..., torch.Tensor]:
    """randn(*shape, dtype=): normal numbers, the same in every run."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(dtype)

    return draw
