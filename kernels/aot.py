"""Compiles every kernel ahead for GPUs that need not be there: python -m omnirt.kernels.aot.

Triton brings ptxas for all targets, so this needs neither a GPU nor a driver. It writes a cache of
cubins (see entry.py) and a table of registers, shared memory and spills, and fails on a spill.
"""

import argparse
import dataclasses
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import get_ptxas
from triton.compiler import ASTSource

from . import registry
from .call import ALIGNED, Call
from .entry import Entry, plain

# A100; RTX 30; Orin; RTX 40; H100; B200; RTX 50: KiB of shared memory that a block may have
SHARED = {
    "sm_80": 163,
    "sm_86": 99,
    "sm_87": 163,
    "sm_89": 99,
    "sm_90a": 227,
    "sm_100a": 227,
    "sm_120a": 99,
}
TARGETS = tuple(SHARED)
WARP = 32

# (kernel, target) that may spill, and why.
ALLOWED_SPILLS: dict[tuple[str, str], str] = {
    ("_flow_attention_kernel", "sm_100a"): "16 bytes each way, with Triton 3.6 alone, in 2 of 22 "
    "layers; reading the queries again avoids it, but takes half of the resident programs"
}


def compile_call(call: Call, target: str, cache: Path | None = None) -> Entry:
    """Compile a call for a target such as "sm_90a"; the cubin goes into the cache."""
    arch = int(target.removeprefix("sm_").rstrip("a"))
    signature = {name: call.signature.get(name, "constexpr") for name in call.args}
    names = list(call.args)
    attributes = {(names.index(n),): [["tt.divisibility", ALIGNED]] for n in call.aligned}
    compiled = triton.compile(
        ASTSource(call.kernel, signature, call.constants, attributes),
        target=GPUTarget("cuda", arch, WARP),
        options=dict(num_warps=call.warps, num_stages=call.stages, enable_fp_fusion=True),
    )
    registers, spills = _usage(compiled.asm["ptx"], arch, target)
    meta = compiled.metadata
    entry = dataclasses.replace(
        plain(call, target),
        symbol=meta.name,
        warps=meta.num_warps,
        shared=meta.shared,
        scratch=meta.global_scratch_size,
        profile=meta.profile_scratch_size,
        registers=registers,
        spills=spills,
        triton=triton.__version__,
    )
    if cache is not None:
        entry.write(cache, compiled.asm["cubin"])
    return entry


def _usage(ptx: str, arch: int, target: str) -> tuple[int, int]:
    """Registers of a thread, and bytes that it spills and loads again, as ptxas tells them."""
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        command = [get_ptxas(arch).path, "-v", f"--gpu-name={target}", file.name, "-o", "/dev/null"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    registers = int(re.search(r"Used (\d+) registers", told).group(1))
    return registers, sum(int(n) for n in re.findall(r"(\d+) bytes spill", told))


def faults(entries: Iterable[Entry]) -> list[str]:
    """What may not ship: a sentence for each kernel that cannot be launched, or that spills and is
    not on the list."""
    return [
        f"{entry.key} needs {entry.shared} bytes of shared memory, {entry.target} has "
        f"{SHARED[entry.target]} KiB"
        for entry in entries
        if entry.shared > SHARED[entry.target] << 10
    ] + [
        f"{entry.key} spills {entry.spills} bytes on {entry.target} ({entry.registers} registers)"
        for entry in entries
        if entry.spills and (entry.kernel, entry.target) not in ALLOWED_SPILLS
    ]


def table(entries: Iterable[Entry]) -> list[dict[str, object]]:
    """What the report says of each compiled kernel."""
    fields = ("key", "kernel", "target", "warps", "registers", "shared", "spills", "triton")
    return [{field: getattr(entry, field) for field in fields} for entry in entries]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m omnirt.kernels.aot", description=__doc__)
    parser.add_argument("--targets", nargs="+", default=TARGETS, choices=TARGETS)
    parser.add_argument("--only", default="", help="kernels whose name has this in it")
    parser.add_argument("--sample", action="store_true", help="one launch of each kernel")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--table", type=Path, help="JSON of registers, shared memory and spills")
    options = parser.parse_args(arguments)
    calls = [call for call in registry.distinct().values() if options.only in call.name]
    if options.sample:
        calls = list({call.name: call for call in calls}.values())
    entries = []
    for target in options.targets:
        for call in calls:
            entries.append(compile_call(call, target, options.out))
            sys.stderr.write(f"{target} {entries[-1].key}\n")
    if options.table:
        options.table.write_text(json.dumps(table(entries), indent=1) + "\n")
    bad = faults(entries)
    sys.stderr.writelines(f"{line}\n" for line in bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
