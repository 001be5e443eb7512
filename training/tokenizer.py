"""The small model's own vocabulary: every word of its world is one token."""

from pathlib import Path

from omnirt.conversation import RECOGNISER, WRITE_DOWN
from omnirt.inputs.chat import SPEECH_SYSTEM_PROMPT
from omnirt.inputs.prompt import Processor
from omnirt.weights.random_tokenizer import write_tokenizer

from . import world
from .config import MAX_PICTURE, PLAIN_TOKENS

PLAIN_SYSTEM_PROMPT = "You are a helpful assistant."  # the template's, where none is given


def write(folder: Path) -> None:
    """Tokenizer, chat template and processor settings, in the released layout."""
    write_tokenizer(folder, PLAIN_TOKENS, sentences(), PLAIN_TOKENS, MAX_PICTURE)


def open_processor(out: Path) -> Processor:
    """The front end that all stages share; its files are written if they are not there."""
    folder = out / "tokenizer"
    if not (folder / "preprocessor_config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)
    return Processor.from_folder(folder)


def sentences() -> list[str]:
    """Every word as it may be written: at a start and behind a space, plain and with a capital."""
    asked = (*world.SUMS, *world.SAYINGS, *world.FOLLOW_UPS, *world.WHAT, *world.HOW_MANY)
    asked += (*world.WHICH_COLOUR, *world.WHERE, *world.HEARD, *world.STRANGE, *world.STRANGERS)
    words = {word for line in (*asked, *world.WORDS) for word in line.replace("{}", "").split()}
    firsts = {line.split()[0] for line in (*asked, *world.WORDS) if line.split()[0] != "{}"}
    prompts = (
        SPEECH_SYSTEM_PROMPT,
        PLAIN_SYSTEM_PROMPT,
        RECOGNISER,
        WRITE_DOWN,
        "system user assistant",
    )
    spoken = sorted({word for prompt in prompts for word in prompt.split()})
    again = [
        *sorted(words),
        *sorted(firsts & words),
        *(first.capitalize() for first in sorted(firsts)),
    ]
    return [*again, *(f"a {word}" for word in (*sorted(words), *spoken)), *prompts]
