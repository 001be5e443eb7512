"""The README: its links lead somewhere, its example is Python, its figures are those of bench/."""

import ast
import re
from pathlib import Path

import report

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_links_resolve():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) >= 9
    for link in links:
        assert (ROOT / link).exists(), link


def test_example_is_python():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "runtime.stream" in ast.unparse(ast.parse(example))


def test_figures_are_the_measured_ones():
    assert report.render() in README
