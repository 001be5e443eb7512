"""Files packed by AutoGPTQ, AutoRound and AutoAWQ themselves, where they are installed.

Their packing needs torch only: ``pip install --no-deps auto-gptq auto-round autoawq``. What the
packages import at their top (other models, CUDA) is kept out.
"""

import importlib
import importlib.util
import sys
import types

import numpy as np
import pytest
import torch

from layouts import dequantized, random_weight
from omnirt.formats import FORMATS, unpack
from omnirt.weights.awq import Awq
from omnirt.weights.gptq import Gptq

pytest.importorskip("transformers.pytorch_utils")  # which the tools import, and whole

N, K, GROUP = 64, 256, 128
SHAPE = (N, K)


def bare(monkeypatch, name: str, module: str) -> types.ModuleType:
    """Import ``module`` of the package ``name`` without running any __init__ on the way."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        pytest.skip(f"{name} is not installed")
    path = spec.submodule_search_locations[0]
    parents = module.split(".")[:-1]
    for depth in range(len(parents) + 1):
        package = types.ModuleType(".".join([name, *parents[:depth]]))
        package.__path__ = ["/".join([path, *parents[:depth]])]
        monkeypatch.setitem(sys.modules, package.__name__, package)
    return importlib.import_module(f"{name}.{module}")


def linear(q, z, s) -> torch.nn.Linear:
    made = torch.nn.Linear(K, N, bias=False)
    made.weight.data = dequantized(q, z, s, GROUP)
    return made


def check(layout, packed, q, z, s) -> None:
    tensors = {f"a.{name}": t for name, t in packed.named_buffers()}
    rows = unpack(layout.read("a.weight", SHAPE, tensors))
    assert torch.equal(rows.values, torch.from_numpy(q))
    assert torch.equal(rows.scales, torch.from_numpy(s))
    assert torch.equal(rows.dequantize(), dequantized(q, z, s, GROUP))


@pytest.mark.parametrize("symmetric", [True, False])
def test_auto_gptq(monkeypatch, symmetric):
    tool = bare(monkeypatch, "auto_gptq", "nn_modules.qlinear.qlinear_cuda_old")
    q, z, s = random_weight(N, K, GROUP, symmetric)
    z = np.maximum(z, 1)  # it cannot pack 0
    packed = tool.QuantLinear(4, GROUP, K, N, bias=False)
    scales, zeros = torch.from_numpy(s), torch.from_numpy(z).float()
    packed.pack(linear(q, z, s).half(), scales, zeros, None)
    check(Gptq(FORMATS["int4" if symmetric else "int4-zero"]), packed, q, z, s)
    ours = dequantized(q, z, s, GROUP).half()
    assert torch.equal(packed(torch.eye(K).half()), ours.T)


@pytest.mark.parametrize("symmetric", [True, False])
def test_auto_round(monkeypatch, symmetric):
    bare(monkeypatch, "auto_round", "utils.bit_packing")
    sys.modules["auto_round.utils"].get_packing_device = lambda device: "cpu"
    tool = bare(monkeypatch, "auto_round_extension", "torch.qlinear_torch_zp")
    q, z, s = random_weight(N, K, GROUP, symmetric)
    z = np.maximum(z, 1)  # it cannot pack 0
    packed = tool.QuantLinear(4, GROUP, K, N, bias=False)
    packed.pack(linear(q, z, s), torch.from_numpy(s), torch.from_numpy(z).float(), None)
    check(Gptq(FORMATS["int4" if symmetric else "int4-zero"]), packed, q, z, s)


def test_auto_awq(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", types.ModuleType("accelerate"))
    tool = bare(monkeypatch, "awq", "modules.linear.gemm")
    packing = sys.modules["awq.utils.packing_utils"]
    q, z, s = random_weight(N, K, GROUP, symmetric=False)
    scales, zeros = torch.from_numpy(s.T.copy()), torch.from_numpy(z.T.copy())
    packed = tool.WQLinear_GEMM.from_linear(linear(q, z, s), 4, GROUP, False, scales, zeros)
    check(Awq(FORMATS["int4-zero"]), packed, q, z, s)
    theirs = packing.dequantize_gemm(packed.qweight, packed.qzeros, packed.scales, 4, GROUP)
    assert torch.equal(dequantized(q, z, s, GROUP).half(), theirs.T)
