"""Word error rate on a folder laid out as LibriSpeech (Panayotov et al. 2015)."""

import itertools
from pathlib import Path

from tqdm import tqdm

from omnirt.conversation import to_write_down
from omnirt.engine.answer import answer
from omnirt.engine.loader import Models
from omnirt.errors import InputError
from omnirt.inputs.prompt import Processor, build_prompt
from omnirt.options import Defaults, Options
from omnirt.types import SamplingParams
from omnirt.weights.checkpoint import Checkpoint

from .measures import word_error_rate

TOKENS = 256


def utterances(folder: str | Path, most: int | None = None) -> list[tuple[Path, str]]:
    """Sound file and transcript of each line of ``*/*/*.trans.txt``, sorted. Raises InputError."""
    found = (u for path in sorted(Path(folder).glob("*/*/*.trans.txt")) for u in _chapter(path))
    listed = list(itertools.islice(found, most))
    if not listed:
        raise InputError(
            f"librispeech={str(folder)!r}: has no speaker/chapter/*.trans.txt; name the folder of "
            "a set, such as test-clean"
        )
    return listed


def _chapter(path: Path):
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition(" ")
        sounds = (path.with_name(name + ending) for ending in (".flac", ".wav"))
        sound = next((sound for sound in sounds if sound.exists()), None)
        if sound is None:
            raise InputError(f"librispeech={str(path)!r}: {name}.flac or .wav is not beside it")
        yield sound, text


def transcribe(checkpoint: Checkpoint, models: Models, sound: Path, processor: Processor) -> str:
    """What the model hears, greedily."""
    messages = to_write_down({"type": "audio", "audio": str(sound)})
    options = Options(audio=False, thinker=SamplingParams(temperature=0.0, max_new_tokens=TOKENS))
    request = Defaults.of(models).request(build_prompt(messages, processor), options)
    return processor.tokenizer.decode(answer(models, checkpoint.config, request)[0])


def recognition(checkpoint: Checkpoint, models: Models, listed: list[tuple[Path, str]]) -> float:
    """Word error rate of a model."""
    processor = Processor.from_folder(checkpoint.path)
    return word_error_rate(
        (text, transcribe(checkpoint, models, sound, processor))
        for sound, text in tqdm(listed, "transcribing", disable=None)
    )
