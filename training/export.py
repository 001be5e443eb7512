"""All that was trained, as one checkpoint in the released layout.

python -m training.export --out runs
"""

import json
import os
import shutil
from pathlib import Path

import torch
from torch import Tensor

from omnirt.weights.model_config import ModelConfig
from omnirt.weights.names import expected_tensors
from omnirt.weights.presets import FIRST_VOICE
from omnirt.weights.shards import write_shard

from . import tokenizer
from .config import PLAIN_TOKENS, VOICES, model_config
from .residual import louder
from .stage import Arguments

# Where the released layout keeps what a stage has trained; the Thinker's names begin with it.
_PARTS = {
    "thinker": "",
    "talker": "talker.",
    "flow": "token2wav.code2wav_dit_model.",
    "vocoder": "token2wav.code2wav_bigvgan_model.",
}


def export(runs: Path, folder: Path) -> None:
    """Write a checkpoint to ``folder``, which it replaces when all is written.

    Parts are stored as in the released checkpoints: Token2Wav in float32, the rest in bfloat16.
    """
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    values = model_config()
    (partial / "config.json").write_text(json.dumps(values, indent=2) + "\n")
    thinker = values["thinker_config"]
    generation = {key: thinker[key] for key in ("eos_token_id", "pad_token_id")}
    (partial / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    tokenizer.write(partial)
    torch.save(speakers(runs / "codec"), partial / "spk_dict.pt")
    write_shard(partial / "model.safetensors", tensors(runs))
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def tensors(runs: Path) -> dict[str, Tensor]:
    """Every tensor of the layout, in its dtype."""
    trained: dict[str, Tensor] = {}
    for stage, prefix in _PARTS.items():
        state = torch.load(runs / stage / "model.pt")
        if stage == "thinker":
            state = louder(state)  # as the Talker has learnt it
        trained |= {prefix + name: value for name, value in state.items()}
    specs = expected_tensors(ModelConfig.from_dict(model_config()))
    return {name: trained[name].to(spec.dtype).contiguous() for name, spec in specs.items()}


def speakers(codec: Path) -> dict[str, dict]:
    """What spk_dict.pt holds: a text id, a voice vector and a reference log-mel of each voice."""
    known = torch.load(codec / "speakers.pt")
    return {
        voice: {"bos_token": PLAIN_TOKENS + FIRST_VOICE - 2 * i, **known[voice]}
        for i, voice in enumerate(VOICES)
    }


def main(arguments: Arguments) -> None:
    export(arguments.out, arguments.out / "model")


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
