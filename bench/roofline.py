"""What each CUDA kernel could reach on paper, from its work and its compiled registers.

python -m omnirt.kernels.aot --targets sm_90a sm_89 sm_87 --out build/cubins --table build/aot.json
python bench/roofline.py --table build/aot.json --out bench/results/roofline.json

Nothing here was measured on a GPU. The floor is the longer of the bytes at the published bandwidth
and the products at the published peak. The share of it that a design can reach is bounded by the
bytes that its resident programs keep in flight (Little's law; the last programs are fewer), by the
multiprocessors that the last products leave idle, and by the instructions beside the products.
Launches whose floor is below LAUNCH_SECONDS are bound by the time between launches instead, and
judged by the sum of a step.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path

from omnirt.kernels import registry
from omnirt.kernels.call import Call

WARP = 32
REGISTERS = 65536  # of a multiprocessor, on all of these
REGISTER_STEP = 8  # registers of a thread are given out in steps
RESERVED = 1024  # bytes of shared memory that a block takes beyond its own
LATENCY = 600e-9  # s of a load under load: about twice the idle one of arXiv 2402.13499
LAUNCH_SECONDS = 2e-6
WANTED = 0.6  # share of the floor's speed


@dataclass(frozen=True)
class Device:
    """bandwidth: bytes/s; peak: FLOP/s by type, dense; shared: bytes of a multiprocessor."""

    target: str
    bandwidth: float
    peak: dict[str, float]
    processors: int
    clock: float
    shared: int
    warps: int
    blocks: int


def _peaks(bf16: float, tf32: float, fp32: float, int8: float = 0.0) -> dict[str, float]:
    """tf32x3 is three products of tf32; int8 is twice bf16 unless said."""
    return {"bf16": bf16, "int8": int8 or 2 * bf16, "tf32": tf32, "tf32x3": tf32 / 3, "fp32": fp32}


# NVIDIA's data sheets: H100 SXM5, RTX 4090 (Ada whitepaper), Jetson AGX Orin 64 GB.
DEVICES = {
    "H100": Device(
        "sm_90a", 3.35e12, _peaks(989e12, 495e12, 67e12), 132, 1.755e9, 228 << 10, 64, 32
    ),
    "RTX 4090": Device(
        "sm_89", 1.008e12, _peaks(165e12, 82.6e12, 82.6e12, 660e12), 128, 2.52e9, 100 << 10, 48, 24
    ),
    "AGX Orin": Device(
        "sm_87", 204.8e9, _peaks(42.5e12, 21.2e12, 5.3e12), 16, 1.3e9, 164 << 10, 48, 16
    ),
}
LANES = 128  # float32 instructions of a multiprocessor in a cycle


def resident(device: Device, registers: int, shared: int, warps: int) -> int:
    """Programs that a multiprocessor holds at once."""
    per_thread = ceil(registers / REGISTER_STEP) * REGISTER_STEP
    by_registers = REGISTERS // (per_thread * WARP * warps)
    by_shared = device.shared // (shared + RESERVED)
    return min(by_registers, by_shared, device.warps // warps, device.blocks)


def floor_of(call: Call, device: Device) -> float:
    """Seconds that no kernel can beat."""
    return max(call.moved / device.bandwidth, call.work.flops / device.peak[call.work.type])


def judge(call: Call, compiled: dict, device: Device) -> dict[str, object]:
    """The floor of a call on a device, and the share of it within reach."""
    work, programs = call.work, prod(call.grid)
    floor = floor_of(call, device)
    held = resident(device, compiled["registers"], compiled["shared"], compiled["warps"])
    slots = held * device.processors
    each = work.in_flight or call.moved / programs
    needed = device.bandwidth * LATENCY
    memory = sum(
        count
        / programs
        * call.moved
        / device.bandwidth
        / min(1.0, min(count, slots) * each / needed)
        for count in (programs // slots * slots, programs % slots)
        if count
    )
    turns = programs / device.processors  # programs of a multiprocessor share its tensor cores
    products = work.flops / device.peak[work.type] * max(1.0, ceil(turns) / turns)
    issue = work.lanes / (LANES * device.processors * device.clock)
    reach = floor / max(memory, products, issue)
    return {
        "floor_us": round(1e6 * floor, 3),
        "bound": "memory" if floor == call.moved / device.bandwidth else "products",
        "programs": programs,
        "resident": held,
        "occupancy": round(held * compiled["warps"] / device.warps, 2),
        "in_flight_kb": round(min(programs, slots) * each / 1024),
        "needed_kb": round(needed / 1024),
        "reach": round(reach, 2),
        "verdict": _verdict(floor, reach),
    }


def _verdict(floor: float, reach: float) -> str:
    if floor < LAUNCH_SECONDS:
        return "launch"
    return "ok" if reach >= WANTED else "low"


def rows(compiled: dict[tuple[str, str], dict]) -> list[dict[str, object]]:
    """Every call of both models on every device; the floor alone where a kernel is not compiled."""
    found = []
    for model in registry.MODELS:
        for name, call in registry.calls(model).items():
            places = {
                title: judge(call, compiled[call.key, device.target], device)
                if (call.key, device.target) in compiled
                else {"floor_us": round(1e6 * floor_of(call, device), 3)}
                for title, device in DEVICES.items()
            }
            about = {"model": model, "call": name, "kernel": call.name, "bytes": call.moved}
            found.append(about | {"flop": call.work.flops, "devices": places})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="JSON of omnirt.kernels.aot")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    compiled = {(row["key"], row["target"]): row for row in json.loads(options.table.read_text())}
    result = rows(compiled)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    low = 0
    for row in result:
        sys.stdout.write(f"{row['model']} {row['call']}: {row['bytes']} B, {row['flop']} FLOP\n")
        for title, found in row["devices"].items():
            low += found.get("verdict") == "low"
            facts = ", ".join(f"{key} {value}" for key, value in found.items())
            sys.stdout.write(f"    {title}: {facts}\n")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
