"""Writing safetensors files tensor by tensor, so that memory never holds more than one."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from tqdm import tqdm

from .tensor_spec import CODES, TensorSpec

_ALIGNMENT = 64


def write_shards(
    folder: Path,
    specs: dict[str, TensorSpec],
    chunks: Callable[[str], Iterator[torch.Tensor]],
    shard_bytes: int,
) -> None:
    """Write ``specs`` in order into as many shards as needed, with an index if more than one.

    chunks(name): the tensor's elements in order, as flat pieces in its dtype.
    """
    shards = _split(specs, shard_bytes)
    weight_map: dict[str, str] = {}
    total = sum(spec.nbytes for spec in specs.values())
    with tqdm(total=total, unit="B", unit_scale=True, desc="writing", disable=None) as progress:
        for i, names in enumerate(shards, start=1):
            file = f"model-{i:05d}-of-{len(shards):05d}.safetensors"
            file = file if len(shards) > 1 else "model.safetensors"
            _write_shard(folder / file, {n: specs[n] for n in names}, chunks, progress)
            weight_map |= dict.fromkeys(names, file)
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def write_shard(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write one file of tensors that are there, in their order."""
    specs = {name: TensorSpec(tuple(t.shape), t.dtype) for name, t in tensors.items()}
    with tqdm(disable=True) as progress:
        _write_shard(path, specs, lambda name: iter((tensors[name],)), progress)


def _split(specs: dict[str, TensorSpec], shard_bytes: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    size = 0
    for name, spec in specs.items():
        if shards[-1] and size + spec.nbytes > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += spec.nbytes
    return shards


def _write_shard(
    path: Path,
    specs: dict[str, TensorSpec],
    chunks: Callable[[str], Iterator[torch.Tensor]],
    progress: tqdm,
) -> None:
    """The safetensors layout: header length, JSON header, then the data without gaps."""
    header: dict = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, spec in specs.items():
        start, end = end, end + spec.nbytes
        header[name] = {
            "dtype": CODES[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in specs:
            for chunk in chunks(name):
                progress.update(file.write(chunk.contiguous().view(-1).view(torch.uint8).numpy()))
