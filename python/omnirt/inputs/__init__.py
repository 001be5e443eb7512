"""Messages to PromptInputs: ids, mel, patches. Nothing here knows the models."""

from .prompt import Processor, build_prompt
from .sources import Limits
from .tokenizer import Detokenizer, TextTokenizer

__all__ = ["Detokenizer", "Limits", "Processor", "TextTokenizer", "build_prompt"]
