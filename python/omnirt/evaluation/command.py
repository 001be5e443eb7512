"""``omnirt eval``."""

import argparse
import json
from pathlib import Path

from omnirt import console
from omnirt.engine.threads import use_machine
from omnirt.errors import InputError

from .run import evaluate, table
from .study import Limits


def run(args: argparse.Namespace) -> None:
    """Compare as the command line says; the table goes to stdout, the rest to --json."""
    use_machine(args.threads)
    result = evaluate(
        args.full,
        args.quantized,
        args.data,
        args.librispeech,
        args.utterances,
        args.quantization,
        Limits(args.max_new_tokens, args.max_codes),
    )
    console.write(table(result))
    if args.json is not None:
        try:
            Path(args.json).write_text(json.dumps(result, indent=1) + "\n")
        except OSError as error:
            fix = "name a file that can be written"
            raise InputError(f"json={args.json!r}: {error.strerror}; {fix}") from error
