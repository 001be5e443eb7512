"""Small quantized checkpoints made from a random one, and what they mean in plain float32."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from layouts import awq_file, gptq_file
from omnirt import ops
from omnirt.formats import Quantized, unpack
from omnirt.weights.precisions import Precisions, part_of
from omnirt.weights.quantized_files import store

FILE = "model.safetensors"
Tensors = dict[str, Tensor]


def rounded(source: Path, formats: Mapping[str, str]) -> dict[str, Quantized]:
    """Weights of a checkpoint, to the nearest. formats: by part, as ``quantization`` takes it."""
    precisions, found = Precisions.of(formats), {}
    for name, tensor in load_file(source / FILE).items():
        format = precisions.format(name, tuple(tensor.shape))
        if format is not None:
            found[name] = ops.quantize(tensor, format)
    return found


def write(source: Path, target: Path, change: Callable[[Tensors], Tensors], config: dict) -> Path:
    """A copy with other tensors and ``quantization_config``."""
    shutil.copytree(source, target)
    save_file(change(load_file(source / FILE)), target / FILE, metadata={"format": "pt"})
    values = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(values | {"quantization_config": config}))
    return target


def packed(source: Path, target: Path, formats: Mapping[str, str]) -> Path:
    """In our own layout."""
    weights, precisions = rounded(source, formats), Precisions.of(formats)

    def change(tensors: Tensors) -> Tensors:
        for name, weight in weights.items():
            del tensors[name]
            tensors |= store(name, weight)
        return tensors

    parts = {name: part_of(name, weight.shape) for name, weight in weights.items()}
    own = {name.removesuffix(".weight"): precisions.formats[part] for name, part in parts.items()}
    return write(source, target, change, {"quant_method": "omnirt", "omnirt": own})


def foreign(source: Path, target: Path, config: dict) -> tuple[Path, dict[str, Quantized]]:
    """As GPTQ and AWQ releases are: 4-bit decoder Linears, the rest of the models in float16.

    Returns the folder and the quantized weights.
    """
    zeros = config["quant_method"] == "awq" or not config.get("sym", True)
    found = rounded(source, {"thinker": "int4-zero" if zeros else "int4"})
    weights = {name: w for name, w in found.items() if part_of(name, w.shape) == "thinker"}

    def change(tensors: Tensors) -> Tensors:
        kept = {name: _half(tensors[name]) for name in tensors.keys() - weights}
        for name, weight in weights.items():
            stem = name.removesuffix(".weight")
            kept |= {f"{stem}.{part}": t for part, t in _file(weight, config).items()}
        return kept

    return write(source, target, change, config), weights


def plain(source: Path, target: Path, weights: Mapping[str, Quantized]) -> Path:
    """A float32 copy with the values that quantized ``weights`` stand for.

    bfloat16 numbers of random checkpoints that float16 cannot hold are too small to matter.
    """

    def change(tensors: Tensors) -> Tensors:
        values = {name: weight.dequantize() for name, weight in weights.items()}
        kept = {name: tensors[name] for name in tensors.keys() - values}
        return {name: tensor.float() for name, tensor in (kept | values).items()}

    return write(source, target, change, {"quant_method": "omnirt"})


def _file(weight: Quantized, config: dict) -> Tensors:
    rows = unpack(weight)
    zeros = (
        torch.full(rows.scales.shape, 8, dtype=torch.uint8) if rows.zeros is None else rows.zeros
    )
    numbers = rows.values.numpy(), zeros.numpy(), rows.scales.numpy()
    if config["quant_method"] == "awq":
        return awq_file(*numbers)
    return gptq_file(*numbers, 128, config.get("checkpoint_format") == "gptq_v2")


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.dtype == torch.bfloat16 else tensor
