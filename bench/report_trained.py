"""The README's tables of the small trained model, from bench/results/trained.json."""

from tables import table, where


def schedules(result: dict) -> list[str]:
    """Word error rate by look-ahead, solver and guidance, streamed and in one window."""
    rows = [
        [
            row["schedule"],
            f"{row['word error rate']:.1%}",
            f"{row['log-mel']:.2f}" if "log-mel" in row else "",
        ]
        for row in result["schedules"]
    ]
    title = (
        f"Words that a recogniser mishears in {result['replies']} replies of the small trained "
        "model, the same codes by every schedule; log-mel: distance in dB to one window of the "
        f"same solver and guidance (`bench/trained.py`; {where(result)}):"
    )
    return [title, "", *table(["schedule", "word error rate", "log-mel, dB"], rows)]


def settings(result: dict) -> list[str]:
    """Right answers and word error rate by what is quantized."""
    groups = list(result["settings"][0]["right"])
    rows = [
        [
            row["setting"],
            *(f"{row['right'][group]:.0%}" for group in groups),
            f"{row['all right']:.1%}",
            f"{row['word error rate']:.1%}",
        ]
        for row in result["settings"]
    ]
    title = (
        f"Right answers of {result['questions']} held-out questions a group, and misheard words "
        f"of {result['replies']} replies against the text that was to be said, by what is "
        f"quantized on the fly (`bench/trained.py`; {where(result)}):"
    )
    return [title, "", *table(["", *groups, "mean", "word error rate"], rows)]


def trained(result: dict) -> list[str]:
    return [*settings(result), "", *schedules(result)]
