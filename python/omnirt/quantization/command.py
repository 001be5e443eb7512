"""``omnirt quantize``."""

import argparse

from omnirt import console
from omnirt.engine.threads import use_machine
from omnirt.errors import InputError

from .run import quantize


def run(args: argparse.Namespace) -> None:
    """Quantize as the command line says."""
    use_machine(args.threads)
    named = {part: vars(args)[part] for part in ("thinker", "talker", "encoders", "token2wav")}
    parts = {part: format for part, format in named.items() if format is not None}
    parts |= dict(map(_part, args.part))
    quantize(args.source, args.target, parts, args.method, args.calibration)
    console.news(f"written: {args.target}")


def _part(text: str) -> tuple[str, str]:
    name, equals, format = text.partition("=")
    if not equals:
        raise InputError(f"part={text!r}: write it as thinker.lm_head=int8")
    return name, format
