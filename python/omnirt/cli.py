"""The ``omnirt`` command: demo, run, info, quantize, eval."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence

from . import console
from .errors import OmniError
from .types import PRECISIONS, PRESETS


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="omnirt", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_demo(commands)
    run = commands.add_parser("run", help="answer one message")
    run.add_argument("--model", required=True, help="folder or hub name")
    run.add_argument("--text", action="append", default=[])
    run.add_argument("--image", action="append", default=[], metavar="FILE")
    run.add_argument("--audio", action="append", default=[], metavar="FILE")
    run.add_argument("--video", action="append", default=[], metavar="FILE")
    run.add_argument("--use-audio-in-video", action="store_true")
    run.add_argument("--voice")
    run.add_argument("--wave", default="balanced", choices=PRESETS, help="how speech is solved")
    run.add_argument("--no-audio", action="store_true", help="text only")
    run.add_argument("--seed", type=int)
    run.add_argument("--max-new-tokens", type=int, help="limit of the text")
    run.add_argument("--max-codes", type=int, help="limit of the speech, 50 a second")
    run.add_argument("--threads", type=int)
    _quantization(run)
    run.add_argument("--out", metavar="FILE.wav")
    run.add_argument("--json", action="store_true", help="one event per line with its time")
    info = commands.add_parser("info", help="this machine, or a model's memory plan")
    info.add_argument("model", nargs="?", help="folder or hub name; its config.json is enough")
    info.add_argument("--context", type=int, default=4096, help="tokens of prompt and reply")
    _quantization(info)
    _add_quantize(commands)
    _add_eval(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction) -> None:
    demo = commands.add_parser("demo", help="a small trained model answers shipped questions")
    asked = demo.add_mutually_exclusive_group()
    asked.add_argument("--audio", metavar="FILE", help="ask this instead, spoken")
    asked.add_argument("--type", metavar="TEXT", help="ask this instead, typed")
    demo.add_argument("--image", metavar="FILE", help="what the question is about")
    demo.add_argument("--video", metavar="FILE", help="the same, seen and heard")
    demo.add_argument("--voice", help="Chelsie or Ethan")
    demo.add_argument("--out", default="demo-out", metavar="FOLDER", help="for the speech")
    demo.add_argument("--seed", type=int, default=0)


def _add_quantize(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("quantize", help="write a smaller checkpoint")
    parser.add_argument("source", metavar="SRC", help="folder or hub name of a full checkpoint")
    parser.add_argument("target", metavar="DST", help="folder to make")
    for part in ("thinker", "talker", "encoders"):
        parser.add_argument(f"--{part}", metavar="FORMAT", help="int8, int4, int4-zero, ...")
    parser.add_argument("--token2wav", metavar="PRECISION", help=", ".join(PRECISIONS))
    parser.add_argument("--part", action="append", default=[], metavar="thinker.lm_head=FORMAT")
    parser.add_argument("--method", default="rtn", help="rtn, gptq or awq")
    parser.add_argument("--calibration", metavar="FOLDER", help="texts and media to answer")
    parser.add_argument("--threads", type=int)


def _add_eval(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("eval", help="what a quantized model loses against the full one")
    parser.add_argument("full", metavar="FULL", help="folder or hub name")
    parser.add_argument("quantized", metavar="QUANTIZED", help="folder or hub name")
    _quantization(parser)
    parser.add_argument("--data", metavar="FOLDER", help="texts and media to answer")
    parser.add_argument("--librispeech", metavar="FOLDER", help="for the word error rate")
    parser.add_argument("--utterances", type=int, help="of them, the first so many")
    parser.add_argument("--max-new-tokens", type=int, default=64, help="limit of a text")
    parser.add_argument("--max-codes", type=int, default=128, help="limit of a speech")
    parser.add_argument("--json", metavar="FILE", help="write all that was found")
    parser.add_argument("--threads", type=int)


def _quantization(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--quantization",
        type=_by_part,
        default={},
        metavar="FORMAT|PART=FORMAT,...",
        help="int8 or int4 for everything, or as in thinker=int4,talker=int8,token2wav=int8",
    )


def _by_part(text: str) -> str | dict[str, str]:
    return dict(_pair(item) for item in text.split(",")) if "=" in text else text


def _pair(item: str) -> tuple[str, str]:
    part, _, value = item.partition("=")
    return part.strip(), value.strip()


def run(args: argparse.Namespace) -> None:
    """Answer one message: text as it comes, speech into a file."""
    from .conversation import ask
    from .runtime import OmniRuntime
    from .types import SamplingParams

    messages = ask(args.text, args.image, args.audio, args.video)
    started = time.monotonic()
    with OmniRuntime.from_pretrained(
        args.model,
        talker=not args.no_audio,
        threads=args.threads,
        quantization=args.quantization,
    ) as runtime:
        load = time.monotonic() - started
        stream = runtime.stream(
            messages,
            voice=args.voice,
            wave=args.wave,
            seed=args.seed,
            use_audio_in_video=args.use_audio_in_video,
            thinker=SamplingParams(max_new_tokens=args.max_new_tokens),
            talker=SamplingParams(max_new_tokens=args.max_codes),
        )
        console.show(stream, args.out, args.json, load)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``omnirt`` and ``python -m omnirt``. Returns the exit status."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="omnirt: %(message)s")
    try:
        if args.command == "run":
            run(args)
        elif args.command == "demo":
            from .demo import Question, demo

            parts = {k: getattr(args, k) for k in ("audio", "image", "video")}
            own = Question("answer", text=args.type, **parts)
            demo(args.out, own if own.given else None, args.voice, args.seed)
        elif args.command == "quantize":
            from .quantization import command

            command.run(args)
        elif args.command == "eval":
            from .evaluation import command

            command.run(args)
        else:
            from .info import info

            info(args.model, args.context, args.quantization)
    except OmniError as error:
        console.news(f"omnirt: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
