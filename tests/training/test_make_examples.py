"""The examples of the demo: what ships is what the script makes."""

import json

import pytest

from omnirt import demo
from omnirt.inputs.prompt import Processor, build_prompt

pytest.importorskip("espeakng_loader", reason="the questions' voices need espeakng-loader")

from training.make_examples import make  # noqa: E402

MOST_BYTES = 400_000


def test_shipped_examples_are_those_of_the_script(tmp_path):
    make(tmp_path)
    shipped = demo.model_folder().parent / demo.EXAMPLES
    listed = [json.loads((folder / "examples.json").read_text()) for folder in (tmp_path, shipped)]
    assert listed[0] == listed[1]
    names = [{path.name for path in folder.iterdir()} for folder in (tmp_path, shipped)]
    assert names[0] == names[1]
    assert sum(path.stat().st_size for path in shipped.iterdir()) < MOST_BYTES
    for path in shipped.glob("*.wav"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


@pytest.mark.parametrize("asked", demo.examples(), ids=lambda asked: asked.name)
def test_examples_make_prompts(asked):
    processor = Processor.from_folder(demo.model_folder())
    prompt = build_prompt(asked.messages, processor, True)
    assert len(prompt.mel) == ("audio" in asked.given) + ("video" in asked.given)
