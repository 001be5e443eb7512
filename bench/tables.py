"""Markdown tables, and the words for where a result was measured."""


def where(result: dict) -> str:
    m = result["machine"]
    return f"{m['processor']}, {m['cores']} cores, {m['kernels']} kernels, torch {m['torch']}"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
