"""The README's tables of quantized models, from bench/results/*.json."""

from tables import table, where

GIB = 2**30


def beside(ours: float, theirs: float | None, form: str) -> str:
    """A rate, and how many times a peer's."""
    told = format(ours, form)
    return f"{told} ({ours / theirs:.2f}x of {theirs:{form}})" if theirs else told


def decoders(result: dict) -> list[str]:
    """Tokens a second of each decoder, and the share of a plain read that its steps reach."""
    lines = [
        "Decoders at the released sizes, random weights, tokens a second: a reply of 64 from an "
        "empty cache, a prompt of 512; share: bytes of weights a second against the fastest plain "
        "read of memory in the same run; in brackets, llama.cpp's Q4_0, Q8_0 and bf16 "
        f"(`bench/decoder_speed.py`; {where(result)}):",
        "",
    ]
    decoders = {name: rows for name, rows in result.items() if name != "machine"}
    fastest: dict[int, float] = {}  # reads differ with who else is on the machine
    for row in (row for found in decoders.values() for row in found):
        fastest[row["threads"]] = max(row["read"], fastest.get(row["threads"], 0))
    rows = []
    for name, found in decoders.items():
        for row in found:
            peer = row.get("llama.cpp", {})
            rate, best = row["reply"] * row["bytes"], fastest[row["threads"]]
            prompt = beside(row["prompt"], peer.get("prompt"), ".1f") if "prompt" in row else ""
            rows.append(
                [
                    name,
                    row["precision"],
                    str(row["threads"]),
                    beside(row["reply"], peer.get("reply"), ".1f"),
                    f"{rate / best:.0%} of {best / 1e9:.0f} GB/s",
                    prompt,
                ]
            )
    return [*lines, *table(["", "weights", "threads", "reply", "share", "prompt"], rows)]


def encoders(result: dict) -> list[str]:
    names = {"image": "a picture of 448x448", "audio": "10 s of sound"}
    rows = []
    for kind, times in result["seconds"].items():
        theirs = times["llama.cpp"]
        ours = [f"{times[p]:.1f} s ({theirs / times[p]:.1f}x)" for p in ("bfloat16", "int8")]
        rows.append([names[kind], *ours, f"{theirs:.1f} s"])
    title = (
        "Encoders of the 3B, 2 threads, medians; llama.cpp pads sound to 30 s "
        f"(`bench/encoder_speed.py`; {where(result)}):"
    )
    return [title, "", *table(["", "bfloat16", "int8", "llama.cpp, bf16"], rows)]


def memory(result: dict) -> list[str]:
    """Files, memory and times of full-size checkpoints that answer a spoken question."""
    rows = [
        [
            name,
            f"{row['weights_bytes'] / GIB:.2f} GiB",
            f"{row['load']:.1f} s",
            f"{row['loading_bytes'] / GIB:.2f} GiB",
            f"{row['running_bytes'] / GIB:.2f} GiB",
            f"{row['stats']['first_text']:.1f} s",
            f"{row['stats']['first_audio']:.1f} s",
        ]
        for name, row in result["models"].items()
    ]
    title = (
        "A full-size 3B of random weights that hears a question (3 s) and speaks a second: most "
        "memory held while it loads and while it answers, mapped files included "
        f"(`bench/full_size.py`; {where(result)}):"
    )
    header = ["", "files", "load", "loading", "answering", "first text", "first audio"]
    return [title, "", *table(header, rows)]
