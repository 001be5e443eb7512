"""Decode steps of a released model's Thinker or Talker, random weights, against what memory can do.

    python bench/decode_speed.py --part thinker --precision int4 --threads 1 2

The step is recorded as the engine records it. Turns of steps and plain reads of 256 MB alternate;
medians. The bytes of a step are its decoder's and its head's.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median

import torch

from omnirt import _core, ops
from omnirt.config import DecoderConfig
from omnirt.engine.buffers import new_track
from omnirt.formats import FORMATS, Quantized
from omnirt.nn.attention import DecodeAttention
from omnirt.nn.decoder import Decoder
from omnirt.nn.linear import Linear
from omnirt.ops.state import KV_LEN, THINKER
from omnirt.weights.presets import PRESETS

READ = 256 << 20


def config_of(preset: str, part: str) -> DecoderConfig:
    sizes = PRESETS[preset]
    d = sizes.text if part == "thinker" else sizes.talker
    return DecoderConfig(
        hidden_size=d.hidden,
        intermediate_size=d.intermediate,
        num_layers=d.layers,
        num_heads=d.heads,
        num_kv_heads=d.kv_heads,
        head_dim=128 if part == "thinker" else sizes.head_dim,
        vocab_size=sizes.vocab_size if part == "thinker" else 8448,
        rms_norm_eps=1e-6,
        rope_theta=1e6,
        max_positions=32768,
        mrope_section=d.mrope_section,
    )


class RandomWeights:
    """Weights that have whatever name is asked for."""

    def __init__(self, config: DecoderConfig, precision: str, prefix: str = "") -> None:
        self.config, self.precision, self.prefix, self.nbytes = config, precision, prefix, [0]

    def scope(self, name: str) -> "RandomWeights":
        scoped = RandomWeights(self.config, self.precision, f"{self.prefix}{name}.")
        scoped.nbytes = self.nbytes
        return scoped

    def __getitem__(self, name: str) -> torch.Tensor | Quantized:
        shape = self._shape((self.prefix + name).split(".")[-2:])
        if len(shape) == 1:
            return torch.ones(shape).bfloat16()
        weight = torch.empty(shape, dtype=torch.bfloat16)
        _core.use_huge_pages(weight)
        weight.fill_(0.02)
        if self.precision != "bfloat16":
            weight = ops.quantize(weight, FORMATS[self.precision])
        self.nbytes[0] += weight.nbytes
        return weight

    def _shape(self, name: list[str]) -> tuple[int, ...]:
        c = self.config
        kv, q = c.num_kv_heads * c.head_dim, c.num_heads * c.head_dim
        rows = {"q_proj": q, "k_proj": kv, "v_proj": kv, "o_proj": c.hidden_size}
        rows |= dict.fromkeys(("gate_proj", "up_proj"), c.intermediate_size)
        rows |= {"down_proj": c.hidden_size, "head": c.vocab_size}
        columns = {"o_proj": q, "down_proj": c.intermediate_size}
        n = rows.get(name[0], c.hidden_size)
        wide = name[1] == "weight" and name[0] in rows
        return (n, columns.get(name[0], c.hidden_size)) if wide else (n,)


def record(config: DecoderConfig, precision: str, context: int) -> tuple[_core.Plan, object, int]:
    """The plan of one step, what it works on, and the bytes of weights that it reads."""
    weights = RandomWeights(config, precision)
    decoder, head = Decoder(config, weights), Linear(weights.scope("head"), bias=False)
    track = new_track(config, torch.bfloat16, 1, context + 1024)
    track.cache.allocator.open(0, context + 1024)
    track.states[:, KV_LEN] = context
    table = torch.zeros(16, config.hidden_size).bfloat16()
    track.states[:, 0], track.suppress[16:] = 1, 1  # ids that the small table has
    plan = _core.Plan("step")
    with plan.recording():
        e = ops.state_embed(track.states, table)
        h = decoder(e, DecodeAttention(track.cache, track.states, decoder.inv_freq))
        ops.sample(track.states, head(h), track.seen, track.suppress, THINKER)
    return plan, (decoder, track), weights.nbytes[0]


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=("3b", "7b"), default="3b")
    parser.add_argument("--part", choices=("thinker", "talker"), default="thinker")
    parser.add_argument("--precision", nargs="+", default=["bfloat16", "int8", "int4"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--turns", type=int, default=7)
    args = parser.parse_args()
    config = config_of(args.preset, args.part)
    memory = torch.empty(READ, dtype=torch.uint8)
    _core.use_huge_pages(memory)
    memory.fill_(1)
    for precision in args.precision:
        plan, _, nbytes = record(config, precision, args.context)
        for threads in args.threads:
            _core.set_cores(threads)
            parts, reads, steps = torch.empty(threads, dtype=torch.int32), [], []
            for _ in range(args.turns):
                reads.append(seconds(lambda parts=parts: _core.read_memory(memory, parts)))
                steps.append(seconds(lambda plan=plan: [plan.run() for _ in range(3)]) / 3)
            read, weights = READ / median(reads) / 1e9, nbytes / median(steps) / 1e9
            row = {"preset": args.preset, "part": args.part, "precision": precision}
            row |= {"threads": threads, "steps/s": 1 / median(steps), "read GB/s": read}
            row |= {"weights GB/s": weights, "share of read": weights / read}
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
