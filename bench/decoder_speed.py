"""Steps of the Thinker and the Talker at the released sizes, random weights, by precision.

    PYTHONPATH=python python bench/decoder_speed.py --llama BIN --gguf FOLDER --out F.json

Beside a plain read of memory and, where --llama and --gguf are given, llama.cpp's llama-bench on
FOLDER's Q4_0.gguf, Q8_0.gguf and bf16.gguf: the same checkpoint (bench/write_checkpoint.py) through
its convert_hf_to_gguf.py and llama-quantize. Everything in turns, in one run.
"""

import argparse
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

import machine
from omnirt import _core, ops
from omnirt.engine.buffers import Track, new_track
from omnirt.engine.threads import use_cores
from omnirt.formats import Quantized
from omnirt.nn.attention import DecodeAttention, PrefillAttention
from omnirt.nn.decoder import Decoder
from omnirt.nn.linear import Linear
from omnirt.ops.state import KV_LEN, POSITION
from omnirt.weights.model_config import ModelConfig
from omnirt.weights.names import expected_tensors
from omnirt.weights.precisions import Precisions
from omnirt.weights.presets import config_of, preset
from timing import READ, in_turns, plain_read

PRECISIONS = ("bfloat16", "int8", "int4")
PEERS = {"bfloat16": "bf16", "int8": "Q8_0", "int4": "Q4_0"}
PROMPT, REPLY = 512, 64  # tokens
THREADS = (1, 2)  # a prompt takes the last


class RandomWeights:
    """Weights of a preset's size, quantized as a user's word says."""

    def __init__(self, config: ModelConfig, precision: str, prefix: str = "") -> None:
        self._config, self._precision, self._prefix = config, precision, prefix
        self._specs = expected_tensors(config)

    def scope(self, name: str) -> "RandomWeights":
        return RandomWeights(self._config, self._precision, f"{self._prefix}{name}.")

    def __getitem__(self, name: str) -> Tensor | Quantized:
        name = self._prefix + name
        shape = self._specs[name].shape
        stored = torch.empty(shape, dtype=torch.bfloat16)
        tile = torch.randn(min(stored.numel(), 1 << 20)) / shape[-1] ** 0.5
        for part in stored.view(-1).split(len(tile)):
            part.copy_(tile[: len(part)])
        if self._precision == "bfloat16":
            return stored
        format = Precisions.of(self._precision).format(name, shape)
        return stored if format is None else ops.quantize(stored, format)


class Decoding:
    """A decoder and its head, with a recorded step."""

    def __init__(self, model: str, part: str, precision: str) -> None:
        sizes = preset(model)
        config = ModelConfig.from_dict(config_of(sizes, sizes.plain_tokens))
        weights = RandomWeights(config, precision).scope(part)
        sizes = config.thinker.text if part == "thinker" else config.talker.decoder
        head = "lm_head" if part == "thinker" else "codec_head"
        self.decoder = Decoder(sizes, weights.scope("model"))
        self.head = Linear(weights.scope(head), bias=False)
        self.track = new_track(sizes, torch.bfloat16, 1, 2 * PROMPT)
        self.track.cache.allocator.open(0, 2 * PROMPT)
        self.x = torch.randn(1, sizes.hidden_size)
        self.prompt = torch.randn(PROMPT, sizes.hidden_size)
        self.plan = _core.Plan("step")
        with self.plan.recording():
            self._step()

    def _step(self) -> None:
        track: Track = self.track
        attend = DecodeAttention(track.cache, track.states, self.decoder.inv_freq)
        self.head(self.decoder(self.x, attend))

    @property
    def bytes(self) -> int:
        """Of weights that a step reads."""
        names = ("q", "k", "v", "o", "gate", "up", "down")
        linears = [getattr(layer, name) for layer in self.decoder.layers for name in names]
        return sum(linear.weight.nbytes for linear in [*linears, self.head])

    def prefill(self) -> None:
        d = self.decoder
        positions = torch.arange(PROMPT).expand(3, -1)
        attend = PrefillAttention(self.track.cache, 0, 0, positions, d.inv_freq, d.section)
        self.head(d(self.prompt, attend)[-1:])

    def reply(self) -> None:
        """As llama-bench has it: from an empty cache."""
        for i in range(REPLY):
            self.track.states[:, KV_LEN] = self.track.states[:, POSITION] = i
            self.plan.run()


def llama(binary: Path, model: Path, threads: int, prompt: bool) -> dict[str, float]:
    """Tokens a second of the prompt, if that is asked for, and of the reply."""
    options = f"-t {threads} -o json -r 1 -p {PROMPT * prompt} -n {REPLY}".split()
    command = [str(binary / "llama-bench"), "-m", str(model), *options]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        "prompt" if test["n_prompt"] else "reply": test["avg_ts"]
        for test in json.loads(shown.stdout)
    }


def rows(model: str, part: str, repeats: int, peer: Callable | None) -> Iterator[dict]:
    """One for each precision and number of threads."""
    for precision in PRECISIONS:
        decoding = Decoding(model, part, precision)
        for threads in THREADS:
            use_cores(threads)
            calls = {"read": plain_read(threads), "reply": decoding.reply}
            with_prompt = part == "thinker" and threads == THREADS[-1]
            if with_prompt:
                calls["prompt"] = decoding.prefill
            seconds = in_turns(calls, repeats, f"{precision}, {threads} threads")
            sizes = {"read": READ, "reply": REPLY, "prompt": PROMPT}
            row: dict[str, object] = {
                "precision": precision,
                "threads": threads,
                "bytes": decoding.bytes,
                **{name: sizes[name] / median(taken) for name, taken in seconds.items()},
            }
            yield row | ({"llama.cpp": peer(precision, threads, with_prompt)} if peer else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama", type=Path, help="folder of llama-bench")
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    peer = None
    if args.llama and args.gguf:

        def peer(precision: str, threads: int, prompt: bool) -> dict[str, float]:
            return llama(args.llama, args.gguf / f"{PEERS[precision]}.gguf", threads, prompt)

    result: dict[str, object] = {}
    for model, part in (("3b", "thinker"), ("3b", "talker"), ("7b", "talker")):
        beside = peer if part == "thinker" else None
        found = rows(model, part, args.repeats, beside)
        with torch.inference_mode():
            name = f"{model} {part}"
            result[name] = list(found)
    machine.publish(result, args.out)


if __name__ == "__main__":
    main()
