"""From a full checkpoint to a quantized one, unit by unit; peak memory is that of one unit."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from omnirt.conversation import ask_all
from omnirt.errors import InputError
from omnirt.types import require
from omnirt.weights.checkpoint import Checkpoint
from omnirt.weights.model_config import read_json
from omnirt.weights.precisions import Precisions, part_of
from omnirt.weights.quantization_config import QuantizationConfig

from .calibrate import Calibration
from .fold import Folded, fold
from .methods import METHODS, round_weight
from .partial import Partial
from .plan import Plan, Unit
from .samples import collect
from .statistics import Statistics
from .work import Work

_MADE_ANEW = ("*.safetensors", "*.safetensors.index.json", "config.json")


@torch.inference_mode()
def quantize(
    source: str,
    target: str,
    quantization: str | Mapping[str, str],
    method: str = "rtn",
    calibration: str | None = None,
) -> None:
    """Write a quantized copy of the checkpoint ``source`` to the folder ``target``.

    quantization: as in ``from_pretrained``; what it does not name stays as it is. method: "rtn",
    "gptq" or "awq", the last two with the folder ``calibration`` of texts, pictures, sounds and
    videos to answer. A call that was interrupted goes on where it stopped if it is made again, and
    ``target`` appears when it is complete. Raises InputError, CheckpointError.
    """
    checkpoint, plan = _checked(source, quantization, method, calibration)
    run = _describe(checkpoint, plan, method, calibration)
    partial = Partial(checkpoint, plan)
    with Work(Path(target), run, len(plan.units)) as work:
        calibrated = None
        if calibration is not None:
            speaks = any(name.startswith("talker.") for name in plan.formats)
            samples = collect(checkpoint, Path(calibration), speaks, work.kept)
            partial.release(plan.weights)
            calibrated = Calibration(plan.config, partial, samples)
        _write_units(work, plan, partial, method, calibrated)
        _finish(work, plan, partial, checkpoint)


def _checked(
    source: str, quantization: str | Mapping[str, str], method: str, calibration: str | None
) -> tuple[Checkpoint, Plan]:
    require(method in METHODS, "method", method, f"use one of {', '.join(METHODS)}")
    if (calibration is None) != (method == "rtn"):
        raise InputError(
            f"calibration={calibration!r} with method={method!r}: gptq and awq need a folder of "
            "texts, pictures, sounds or videos, rtn takes none"
        )
    if calibration is not None:
        ask_all(calibration)
    precisions = Precisions.of(quantization)
    require(bool(quantization), "quantization", quantization, "name at least one part")
    fix = "files hold no cache; name it when the model is loaded"
    require(precisions.kv_cache is None, "quantization['kv_cache']", precisions.kv_cache, fix)
    checkpoint = Checkpoint.open(source)
    if checkpoint.config.quantization != QuantizationConfig():
        raise InputError(f"SRC={source!r}: is quantized already; start from the full checkpoint")
    checkpoint.verify(talker=checkpoint.config.talker is not None)
    plan = Plan(checkpoint.config, precisions)
    there = {part_of(name, spec.shape) for name, spec in plan.weights.items()}
    absent = sorted(precisions.formats.keys() - there)
    require(not absent, "quantization", absent, f"SRC={source!r} has no such part, leave it out")
    return checkpoint, plan


def _describe(checkpoint: Checkpoint, plan: Plan, method: str, calibration: str | None) -> dict:
    """What makes two runs the same, for JSON."""
    return {
        "source": str(checkpoint.path.resolve()),
        "source files": _stamps(checkpoint.path),
        "formats": dict(plan.precisions.formats) | {"token2wav": plan.precisions.token2wav},
        "method": method,
        "calibration files": {} if calibration is None else _stamps(Path(calibration)),
    }


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Size and time of change of the files in a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def _write_units(
    work: Work, plan: Plan, partial: Partial, method: str, calibration: Calibration | None
) -> None:
    done = {i for i in range(len(plan.units)) if work.verified(i)}
    sizes = [sum(map(partial.stored_bytes, unit.names)) for unit in plan.units]
    missing = [unit for i, unit in enumerate(plan.units) if i not in done]
    _check_room(work, sum(partial.bytes(name) for unit in missing for name in unit.names))
    with tqdm(desc="quantizing", total=sum(sizes), unit="B", unit_scale=True, disable=None) as bar:
        for i, unit in enumerate(plan.units):
            if i not in done:
                needed = calibration is not None and any(n in plan.formats for n in unit.names)
                known = calibration.statistics(unit) if needed else {}
                work.write(i, _make(unit, plan, partial, method, known))
            partial.done(unit.names, work.path(i))
            if calibration is not None:
                calibration.done(unit)
            partial.release(unit.names)
            bar.update(sizes[i])


def _make(
    unit: Unit, plan: Plan, partial: Partial, method: str, known: Mapping[str, Statistics]
) -> dict[str, Tensor]:
    """The tensors of a unit. known: statistics of inputs, by the weights' names."""
    source, tensors = partial.weights(unit.prefix if unit.layer else ""), {}
    folded = Folded()
    if method == "awq" and unit.layer and known:
        below = {name.removeprefix(f"{unit.prefix}."): name for name in unit.names}
        layer = {short: source[short] for short in below}
        seen = {short: known[name] for short, name in below.items() if name in known}
        folded = fold(layer, seen, plan.formats[next(iter(known))])
    for name in unit.names:
        short = name.removeprefix(f"{unit.prefix}.") if unit.layer else name
        weight, format = source[short], plan.formats.get(name)
        if format is None:
            tensors[name] = folded.norms.get(short, weight)
            continue
        statistics = folded.seen(short, known.get(name))
        rounded = round_weight(folded.weight(short, weight), statistics, format, method)
        tensors |= plan.stored(name, rounded)
    return tensors


def _check_room(work: Work, needed: int) -> None:
    free = shutil.disk_usage(work.folder).free
    if needed > free:
        raise InputError(
            f"DST={str(work.target)!r}: {needed / 1e9:.2f} GB are to be written, {free / 1e9:.2f} "
            "GB are free there; make room and give the same command again"
        )


def _finish(work: Work, plan: Plan, partial: Partial, checkpoint: Checkpoint) -> None:
    others = [path for path in checkpoint.path.iterdir() if path.is_file()]
    others = [path for path in others if not any(path.match(p) for p in _MADE_ANEW)]
    total = sum(map(partial.bytes, plan.weights))
    weight_map = {
        tensor: work.path(i).name
        for i, unit in enumerate(plan.units)
        for name in unit.names
        for tensor in plan.tensors(name)
    }
    config = read_json(checkpoint.path / "config.json")
    config["quantization_config"] = plan.quantization_config()
    work.finish(weight_map, total, others, config)
