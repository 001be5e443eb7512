"""OmniRuntime: load a checkpoint once, answer conversations."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from typing_extensions import Unpack

from .engine.engine import Engine
from .engine.loader import load_models
from .engine.threads import use_machine
from .inputs.prompt import Processor, build_prompt
from .inputs.tokenizer import Detokenizer
from .options import Defaults, Options, OptionsDict
from .reply import ReplyStream
from .types import Reply, require
from .weights.checkpoint import Checkpoint

DEVICES = ("auto", "cpu")


class OmniRuntime:
    """One loaded model. Threads may share it. Close it, or use it as a context manager.

    voices: the names that ``voice`` may have, empty without the talker.
    """

    def __init__(self, processor: Processor, engine: Engine, defaults: Defaults) -> None:
        self._processor, self._engine, self._defaults = processor, engine, defaults
        self.voices = defaults.voices

    @classmethod
    def from_pretrained(
        cls,
        path_or_id: str,
        device: str = "auto",
        dtype: str = "auto",
        talker: bool = True,
        threads: int | None = None,
        *,
        max_sessions: int = 4,
        context: int | None = None,
        quantization: str | Mapping[str, str] = MappingProxyType({}),
    ) -> "OmniRuntime":
        """Load a checkpoint in the released layout from a folder or a hub name.

        device: "auto" or "cpu". dtype: "auto" (as stored), "float32" or "bfloat16". talker: False
        loads neither Talker nor Token2Wav, replies are text only. threads: cores to use, all by
        default. max_sessions: requests that run at once. context: tokens of prompt and reply, the
        model's own limit by default. quantization: "int8" or "int4" for everything, or by part, as
        in {"thinker": "int4", "talker": "int8", "token2wav": "int8", "kv_cache": "int8"}; the parts
        and their formats are those of ``omnirt.weights.precisions``. Raises InputError for an
        option, CheckpointError for a checkpoint that cannot be used.
        """
        require(device in DEVICES, "device", device, "this build runs on the CPU: 'auto' or 'cpu'")
        use_machine(threads)
        checkpoint = Checkpoint.open(path_or_id)
        processor = Processor.from_folder(checkpoint.path)
        limit = checkpoint.config.thinker.text.max_positions
        require(max_sessions >= 1, "max_sessions", max_sessions, "use 1 or more")
        fits = context is None or 1 < context <= limit
        require(fits, "context", context, f"use 2 to {limit} tokens")
        models = load_models(checkpoint, talker, dtype, quantization)
        engine = Engine(models, max_sessions, context or limit)
        return cls(processor, engine, Defaults.of(models))

    def stream(self, messages: Sequence[dict], **options: Unpack[OptionsDict]) -> ReplyStream:
        """Answer a conversation: an iterator of TextDelta, AudioChunk and, last, Done.

        ``options`` are the fields of ``Options``. Closing the iterator cancels. Raises InputError
        for a message or an option, CapacityError when max_sessions requests run already.
        """
        return self._start(messages, Options(**options), wait=False)

    def generate(self, messages: Sequence[dict], **options: Unpack[OptionsDict]) -> Reply:
        """The whole answer at once. As ``stream``, but waits for a free session."""
        return self._start(messages, Options(**options), wait=True).collect()

    def generate_batch(
        self, conversations: Sequence[Sequence[dict]], **options: Unpack[OptionsDict]
    ) -> list[Reply]:
        """Answers of several conversations, in order, up to max_sessions of them at once."""
        with ThreadPoolExecutor(self._engine.slots) as pool:
            return list(
                pool.map(lambda messages: self.generate(messages, **options), conversations)
            )

    def _start(self, messages: Sequence[dict], options: Options, wait: bool) -> ReplyStream:
        started = time.monotonic()
        prompt = build_prompt(messages, self._processor, options.use_audio_in_video)
        request = self._defaults.request(prompt, options)
        session = self._engine.start(request, wait, started)
        detokenizer = Detokenizer(self._processor.tokenizer)
        return ReplyStream(session, detokenizer, request)

    def lane_stats(self) -> dict[str, dict]:
        """What each lane did so far: steps and their seconds, gaps between steps and theirs."""
        return self._engine.scheduler.stats()

    def close(self) -> None:
        """Stop all sessions and end the lanes."""
        self._engine.close()

    def __enter__(self) -> "OmniRuntime":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
