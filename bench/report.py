"""Makes the README's section of measurements from bench/results/*.json."""

import argparse
import json
import re
from pathlib import Path
from statistics import median

from report_quantized import decoders, encoders, memory
from report_trained import trained
from tables import table, where

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
MARK = re.compile(r"(<!-- results -->\n).*(<!-- /results -->)", re.DOTALL)


def read(name: str) -> dict | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def trim(path: Path) -> None:
    """Of pytest-benchmark's JSON keep what the report needs, not every single timing."""
    result = json.loads(path.read_text())
    if "benchmarks" in result:
        cpu = result["machine_info"]["cpu"]
        result = {
            "machine_info": {"cpu": {key: cpu[key] for key in ("brand_raw", "count")}},
            "benchmarks": [
                {
                    "fullname": row["fullname"],
                    "extra_info": row["extra_info"],
                    "stats": {key: row["stats"][key] for key in ("median", "iqr", "rounds")},
                }
                for row in result["benchmarks"]
            ],
        }
    path.write_text(json.dumps(result, indent=1) + "\n")


def compared(result: dict) -> list[str]:
    """omnirt's presets beside transformers: medians, and how many times better."""
    runs = result["runs"]
    *ours, theirs = runs
    rows = []
    for stage in ("first text", "last text", "first audio", "total", "peak resident"):
        unit, size = ("GiB", 2**30) if stage == "peak resident" else ("s", 1)
        values = {name: median(run[stage] for run in runs[name]) / size for name in runs}
        cells = [f"{values[n]:.1f} {unit} ({values[theirs] / values[n]:.1f}x)" for n in ours]
        rows.append([stage, *cells, f"{values[theirs]:.1f} {unit}"])
    title = (
        "A spoken question (3 s) to a full-size 3B of random bfloat16 weights, 16 tokens of text "
        f"and a second of speech; medians of {len(runs[theirs])} in turns "
        f"(`bench/compare_released.py`; {where(result)}):"
    )
    return [title, "", *table(["", *ours, "transformers 4.57.1"], rows)]


PRECISIONS = ("transformers", "float32", "bfloat16", "int8")


def speech_speed(result: dict) -> list[str]:
    """Seconds of every part for every precision, and how many times faster than the first."""
    rows = []
    for part, times in result["parts"].items():
        base = times["transformers"]["median"]
        cells = [f"{base:.2f} s"]
        for name in PRECISIONS[1:]:
            found = times.get(name)
            ratio = found and base / found["median"]
            cells.append(f"{found['median']:.2f} s ({ratio:.1f}x)" if found else "")
        rows.append([part, *cells])
    title = (
        "Codes to speech, 3B-sized Token2Wav with random weights, both guidance rows, beside "
        f"transformers 4.57.1 in turns; its 10 s are 36 evaluations and the vocoder as measured "
        f"(`bench/speech_speed.py`; {where(result)}):"
    )
    grown = "; ".join(
        f"{row['cost']:.2f} s at {row['seconds']} s (peak {row['peak'] / 2**30:.2f} GiB)"
        for row in result["growth"]
    )
    told = f"Work of `balanced` in int8 for a second of speech as replies grow: {grown}."
    return [title, "", *table(["", *PRECISIONS], rows), "", told]


def spread(rows: list[dict], key: str, form: str) -> str:
    """One figure of several checkpoints, from the least to the most."""
    values = sorted(row[key] for row in rows)
    low, high = (format(value, form) for value in (values[0], values[-1]))
    return low if low == high else f"{low} … {high}"


def speech_distance(result: dict) -> list[str]:
    """Two tables: by look-ahead, and by precision. The shipped checkpoint, then the random ones."""
    shipped, *random = result["checkpoints"].values()
    measured = [("log-mel", ".1e"), ("snr", ".0f"), ("samples", ".1e")]
    lines = []
    for part, title in (
        ("lookahead", "Streamed speech against one window over all of it"),
        ("precision", "Precision of the flow's products against float32, one window"),
    ):
        rows = []
        for mine, *others in zip(shipped[part], *(other[part] for other in random), strict=True):
            cells = [f"{mine[key]:{form}} ({spread(others, key, form)})" for key, form in measured]
            rows.append([mine["solver"], str(mine["guidance"]), str(mine[part]), *cells])
        header = ["solver", "guidance", part, "log-mel, dB", "SNR, dB", "largest sample"]
        lines += [
            f"{title}: the shipped checkpoint, in brackets {len(random)} random ones (about 3 s, "
            f"10 points; {where(result)}):",
            "",
            *table(header, rows),
            "",
        ]
    plot = "![SNR by look-ahead](bench/results/speech_distance.svg)"
    return [*lines, f"{plot} (`bench/speech_distance.py`, `bench/plot_distance.py`)"]


def first_audio(result: dict) -> list[str]:
    rows = []
    for preset, row in result["presets"].items():
        first, total = row["first audio"], row["total"]
        rows.append(
            [
                f"`{preset}`",
                f"{row['codes at first audio']:.0f}",
                f"{first:.2f} s",
                f"{total:.2f} s",
                f"{first / total:.2f}",
            ]
        )
    header = ["preset", "codes at first audio", "first audio", "last sample", ""]
    title = (
        "The first packet of a ten-second reply, small checkpoint, medians "
        f"(`bench/first_audio.py`; {where(result)}):"
    )
    return [title, "", *table(header, rows)]


def gaps(result: dict) -> list[str]:
    values = result["microseconds"]
    told = ", ".join(f"{row['median']:.1f} µs where the {name}" for name, row in values.items())
    return [
        f"Between two replayed steps, beyond their kernels: {told} "
        f"(medians, `bench/lane_gaps.py`; {where(result)})."
    ]


def timed(result: dict, a: str, b: str) -> list[tuple[str, dict, dict]]:
    """(test, a's row, b's row) of pytest-benchmark's JSON; ids are test[a-...] and test[b-...]."""
    rows = {row["fullname"].rsplit("::", 1)[-1]: row for row in result["benchmarks"]}
    pairs = ((name, name.replace(a, b, 1)) for name in rows if a in name)
    return [(name, rows[name], rows[other]) for name, other in pairs if other in rows]


def milliseconds(row: dict) -> float:
    return 1e3 * row["stats"]["median"]


def kernels(result: dict) -> list[str]:
    rows = []
    for name, ours, reference in timed(result, "cpu", "reference"):
        rate = max(ours["extra_info"].items(), key=lambda item: item[1])
        label = name.removeprefix("test_").replace("cpu-", "").replace("[cpu]", "")
        a, b = milliseconds(ours), milliseconds(reference)
        rows.append(
            [
                f"`{label}`",
                f"{a:.3g} ms",
                f"{b:.3g} ms",
                f"{b / a:.1f}x",
                f"{rate[1]:.0f} {rate[0]}",
            ]
        )
    title = (
        "Ops at the 3B's sizes, median, beside the reference in torch (`make bench-results`; "
        f"{result['machine_info']['cpu']['brand_raw']}, {result['machine_info']['cpu']['count']} "
        "cores):"
    )
    return [title, "", *table(["op", "omnirt", "reference", "", "rate"], rows)]


def front_end(result: dict) -> list[str]:
    told = [
        f"{name.split('[')[1][:-1]}: {milliseconds(ours):.1f} ms, "
        f"transformers {milliseconds(theirs):.0f} ms"
        for name, ours, theirs in timed(result, "omnirt", "transformers")
    ]
    return [f"Log-mel of a spoken clip, one thread, median: {'; '.join(told)}."]


SECTIONS = (
    ("compare_3b", compared),
    ("first_audio", first_audio),
    ("speech_speed", speech_speed),
    ("speech_distance", speech_distance),
    ("trained", trained),
    ("decoder_speed", decoders),
    ("encoder_speed", encoders),
    ("full_size", memory),
    ("lane_gaps", gaps),
    ("inputs", front_end),
    ("ops", kernels),
)


def render() -> str:
    parts = []
    for name, section in SECTIONS:
        if (result := read(name)) is not None:
            parts.append("\n".join(section(result)))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the README is out of date")
    args = parser.parse_args()
    for path in RESULTS.glob("*.json"):
        trim(path)
    readme = ROOT / "README.md"
    old = readme.read_text()
    new = MARK.sub(lambda match: match[1] + render() + match[2], old)
    if args.check and new != old:
        raise SystemExit("README.md: run python bench/report.py")
    readme.write_text(new)


if __name__ == "__main__":
    main()
