"""Calibration's conversations: a folder's questions and the source model's own replies to them."""

import json
import logging
from pathlib import Path

from tqdm import tqdm

from omnirt.conversation import ask_all
from omnirt.engine.answer import answer
from omnirt.engine.loader import load_models
from omnirt.engine.teacher import Said
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.options import Defaults, Options
from omnirt.types import SamplingParams
from omnirt.weights.checkpoint import Checkpoint

log = logging.getLogger("omnirt")

ROWS = 8192  # of all samples: 117 MB of hidden states in a 7B
TOKENS, CODES = 96, 192  # of a reply; 3.84 s of speech


def collect(source: Checkpoint, folder: Path, speaks: bool, kept: Path) -> list[Said]:
    """A sample of each conversation of ``folder`` until there are ROWS rows.

    The replies need the source model's memory, mapped; they are kept in the file ``kept``, so that
    work that goes on does not make them again. speaks: with speech.
    """
    processor = Processor.from_folder(source.path)
    models = load_models(source, speaks, "auto", {}, sound=False)
    replies = json.loads(kept.read_text()) if kept.exists() else {}
    samples: list[Said] = []
    rows, conversations = 0, ask_all(folder)
    for name, messages in tqdm(conversations.items(), "listening", disable=None):
        prompt = build_prompt(messages, processor)
        options = Options(
            seed=0,
            thinker=SamplingParams(max_new_tokens=TOKENS),
            talker=SamplingParams(max_new_tokens=CODES),
        )
        request = Defaults.of(models).request(prompt, options)
        if name not in replies:
            replies[name] = answer(models, source.config, request)
            kept.write_text(json.dumps(replies))
        tokens, codes = replies[name]
        rows += len(prompt.input_ids) + len(tokens) + len(codes)
        if samples and rows > ROWS:
            enough = "calibration: the first %d of %d conversations are enough"
            log.info(enough, len(samples), len(conversations))
            break
        voice = models.speaker_ids.get(request.voice or "")
        samples.append(Said(prompt, tokens, codes, voice))
    return samples
