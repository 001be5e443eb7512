"""``omnirt eval``: what a quantized model loses against the full one."""

import gc
from collections.abc import Mapping
from pathlib import Path

import torch

from omnirt.conversation import ask_all
from omnirt.engine.loader import load_models
from omnirt.weights.checkpoint import Checkpoint

from .compare import compare
from .librispeech import recognition, utterances
from .questions import questions
from .study import Limits, Study, study


@torch.inference_mode()
def evaluate(
    full: str,
    quantized: str,
    data: str | None = None,
    librispeech: str | None = None,
    most: int | None = None,
    quantization: str | Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> dict:
    """Compare two checkpoints, one after the other in memory; a dict for JSON.

    data: folder of conversations, by default a few that ship with the package. librispeech: folder
    for the word error rate, of the first ``most`` utterances. quantization: of ``quantized`` as it
    is loaded, as in ``from_pretrained``. Raises InputError, CheckpointError.
    """
    conversations = questions() if data is None else ask_all(data)
    listed = [] if librispeech is None else utterances(librispeech, most)
    limits = limits or Limits()
    first, told = _one(full, {}, conversations, listed, limits, None)
    gc.collect()
    second, also = _one(quantized, quantization or {}, conversations, listed, limits, first)
    return {
        "full": told,
        "quantized": also,
        "conversations": list(conversations),
        "tokens": sum(len(reading.said.tokens) for reading in first.readings.values()),
        "codes": sum(len(reading.said.codes) for reading in first.readings.values()),
        "measures": compare(first, second),
    }


def _one(
    name: str,
    quantization: str | Mapping[str, str],
    conversations: Mapping[str, list[dict]],
    listed: list[tuple[Path, str]],
    limits: Limits,
    like: Study | None,
) -> tuple[Study, dict]:
    checkpoint = Checkpoint.open(name)
    speaks = checkpoint.config.talker is not None
    models = load_models(checkpoint, speaks, "auto", quantization)
    told = {
        "model": name,
        "quantization": quantization if isinstance(quantization, str) else dict(quantization),
        "bytes": sum(path.stat().st_size for path in checkpoint.path.glob("*.safetensors")),
    }
    if listed:
        told["word error rate"] = recognition(checkpoint, models, listed)
    return study(checkpoint, models, conversations, limits, like), told


def table(result: dict) -> str:
    """A result as a markdown table."""
    models = result["full"], result["quantized"]
    rows = [("", *(model["model"] for model in models))]
    rows.append(("size", *(f"{model['bytes'] / 2**30:.2f} GiB" for model in models)))
    if "word error rate" in models[0]:
        rows.append(("word error rate", *(f"{m['word error rate']:.2%}" for m in models)))
    rows += [(name, "", f"{value:.4g}") for name, value in result["measures"].items()]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])
