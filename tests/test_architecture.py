"""The shape of the code: who may import whom, how long things may be, what may not be written."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "omnirt"
LEAVES = {"errors", "types", "config", "formats", "kv_rows"}
MODELS = ("thinker", "talker", "token2wav")
CONFIGS = {f"{model}.config" for model in MODELS}

TOP = {"engine", "inputs", "weights", "ops", "_core"}  # runtime.py and the modules beside it

# part -> what it may import besides itself and the leaves; the order is the direction of the arrows
ALLOWED = {
    "errors": set(),
    "types": set(),
    "config": set(),
    "formats": set(),
    "kv_rows": set(),
    "ops": {"_core"},
    "nn": {"ops", "_core"},
    "thinker": {"nn", "ops"},
    "talker": {"nn", "ops"},
    "token2wav": {"nn", "ops"},
    "inputs": set(),
    "weights": CONFIGS,
    "engine": {*MODELS, "nn", "ops", "weights", "_core"},
    "evaluation": {*MODELS, *TOP, "nn", "console", "conversation", "options"},
    "quantization": {*MODELS, *TOP, "nn", "console", "conversation", "options"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """Dotted omnirt modules, without the package name, that a file imports."""
    here = ("omnirt", *path.relative_to(PACKAGE).with_suffix("").parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            stem = ".".join(filter(None, (base, node.module)))
            found |= {f"{stem}.{alias.name}" for alias in node.names}
    return {name.removeprefix("omnirt.") for name in found if name.startswith("omnirt.")}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    part = part_of(path)
    allowed = ALLOWED.get(part, TOP | set(ALLOWED) - {*MODELS, "nn"})
    for name in imports(path):
        root = name.split(".")[0]
        is_own = root == part or (part not in ALLOWED and (PACKAGE / f"{root}.py").exists())
        is_config = part == "weights" and any(name.startswith(c) for c in CONFIGS)
        assert is_own or root in LEAVES | allowed or is_config, f"{part} imports {name}"


def test_config_modules_are_leaves():
    for model in MODELS:
        for name in imports(PACKAGE / model / "config.py"):
            assert name.split(".")[0] in LEAVES, f"{model}/config.py imports {name}"


def test_reference_knows_no_extension():
    for path in (PACKAGE / "ops" / "reference").glob("*.py"):
        assert not any(name.startswith("_core") for name in imports(path)), path


CPP_LAYERS = {
    "base": {"base"},
    "cpu": {"base", "cpu"},
    "runtime": {"base", "runtime"},
    "cuda": {"base", "runtime", "cuda"},
    "bindings": {"base", "cpu", "runtime", "cuda", "bindings"},
}


def test_includes_go_one_way():
    for folder, allowed in CPP_LAYERS.items():
        for path in (ROOT / "csrc" / folder).iterdir():
            for name in re.findall(r'#include "([^"]+)"', path.read_text()):
                assert name.split("/")[0] in allowed, f"{path.name} includes {name}"


def test_foreign_headers_stay_where_they_belong():
    for path in (ROOT / "csrc").rglob("*.*"):
        text = path.read_text()
        assert not re.search(r"#include <(torch|ATen|c10|cuda|omp)", text), path
        assert path.parent.name == "bindings" or "pybind11" not in text, path


def functions(path: Path) -> list[int]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [n.end_lineno - n.lineno + 1 for n in ast.walk(tree) if isinstance(n, kinds)]


def test_files_and_functions_stay_small():
    files = [*modules(), *(ROOT / "kernels").glob("*.py"), *(ROOT / "csrc").rglob("*.cc")]
    files += (ROOT / "csrc").rglob("*.h")
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    longest = max(lengths, key=lengths.get)
    assert lengths[longest] <= 500, f"{longest} has {lengths[longest]} lines"
    assert statistics.median(lengths.values()) <= 160
    sizes = sorted(size for path in modules() for size in functions(path))
    assert sizes[-1] <= 80
    assert sizes[len(sizes) * 9 // 10] <= 30


FORBIDDEN = (r"except Exception", r"\bhasattr\(", r"(?<!\.)\bprint\(", r"\bTODO\b", r"\b829[2-6]\b")


def test_forbidden_words():
    for path in modules():
        if path.name == "presets.py":
            continue  # the released configs hold the codec ids
        text = path.read_text()
        for pattern in FORBIDDEN:
            assert not re.search(pattern, text), f"{path.name} has {pattern}"


def test_extension_links_no_framework():
    from omnirt import _core

    shown = subprocess.run(
        ["readelf", "-d", _core.__file__], capture_output=True, text=True, check=True
    )
    needed = re.findall(r"NEEDED.*\[(.+)\]", shown.stdout)
    assert needed
    assert not [name for name in needed if re.search("torch|c10|cuda|gomp|omp", name)], needed


def test_import_brings_no_test_dependency():
    code = "import sys, omnirt; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"transformers", "triton", "torchvision"} & set(loaded.stdout.split())
