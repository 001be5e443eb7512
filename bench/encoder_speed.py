"""Ten seconds of sound and a picture of 448x448 through the encoders, beside llama.cpp's.

    python bench/encoder_speed.py CHECKPOINT --llama BIN --gguf FOLDER --out F.json

FOLDER holds bf16.gguf and mmproj-bf16.gguf of the same checkpoint (convert_hf_to_gguf.py, once
with --mmproj); Q4_0.gguf is used for the text model, which is not timed. In turns, in one run.
"""

import argparse
import re
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

import machine
from omnirt.conversation import ask
from omnirt.engine.loader import load_models
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.thinker.model import Thinker
from omnirt.weights.checkpoint import Checkpoint

PRECISIONS = {"bfloat16": {}, "int8": {"encoders": "int8"}}
SECONDS, SIDE = 10, 448


def write_media(folder: Path) -> dict[str, Path]:
    random = np.random.default_rng(0)
    picture, sound = folder / "picture.png", folder / "sound.wav"
    pixels = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        noise = random.standard_normal(SECONDS * 16000) * 3000
        file.writeframes(noise.astype("<i2").tobytes())
    return {"image": picture, "audio": sound}


def ours(thinker: Thinker, processor: Processor, kind: str, path: Path) -> Callable[[], object]:
    """The encoder alone, from mel frames or patches."""
    prompt = build_prompt(ask(**{kind: [str(path)]}), processor)
    if kind == "audio":
        mel = [torch.from_numpy(clip) for clip in prompt.mel]
        return lambda: list(thinker.audio_encoder.pieces(mel))
    patches, grid = torch.from_numpy(prompt.images[0].patches), [prompt.images[0].grid]
    return lambda: list(thinker.vision_encoder.pieces(patches, grid))


def llama(binary: Path, gguf: Path, kind: str, path: Path) -> float:
    """Seconds of the encoder, as llama-mtmd-cli says them."""
    options = ["-m", gguf / "Q4_0.gguf", "--mmproj", gguf / "mmproj-bf16.gguf", f"--{kind}", path]
    command = [binary / "llama-mtmd-cli", *options, *"-p hi -n 1 -t 2 -c 4096".split()]
    shown = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    said = re.search(r"encoding done in (\d+) ms", shown.stdout + shown.stderr)
    if said is None:
        raise RuntimeError("llama-mtmd-cli does not say how long it encoded")
    return int(said[1]) / 1000


def measure(args: argparse.Namespace, media: dict[str, Path]) -> dict[str, dict[str, list[float]]]:
    checkpoint = Checkpoint.open(args.folder)
    processor = Processor.from_folder(checkpoint.path)
    models = {
        name: load_models(checkpoint, False, "auto", choice) for name, choice in PRECISIONS.items()
    }
    found: dict[str, dict[str, list[float]]] = {}
    for kind, path in media.items():
        calls = {name: ours(model.thinker, processor, kind, path) for name, model in models.items()}
        for call in calls.values():
            call()  # reads the weights
        times: dict[str, list[float]] = {name: [] for name in (*calls, "llama.cpp")}
        for _ in range(args.repeats):
            for name, call in calls.items():
                started = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - started)
            if args.llama:
                times["llama.cpp"].append(llama(args.llama, args.gguf, kind, path))
        found[kind] = {name: values for name, values in times.items() if values}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--llama", type=Path, help="folder of llama-mtmd-cli")
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        times = measure(args, write_media(Path(folder)))
    medians = {kind: {n: median(t) for n, t in rows.items()} for kind, rows in times.items()}
    machine.publish({"seconds": medians, "all": times}, args.out)


if __name__ == "__main__":
    main()
