"""Every stage of the training, in order; what is there already is kept.

python -m training --out runs          hours on two cores
python -m training --out runs --short  minutes: the same code on little data, which must learn
"""

import json
import logging
from importlib import import_module
from pathlib import Path

from .stage import Arguments

STAGES = (
    *("recordings", "codec", "recogniser", "vocoder", "flow", "echoes"),
    *("reading", "hearing", "seeing", "thinker", "talker", "export", "score", "report"),
)
# The most that a short run may leave of each stage's loss, the last point of its curve; code that
# no longer learns stays far above.
FLOORS = {
    "recogniser": 10.0,
    "vocoder": 4.0,
    "flow": 2.5,
    "reading": 4.2,
    "hearing": 180.0,
    "seeing": 12.0,
    "thinker": 4.0,
    "talker": 9.0,
}
_log = logging.getLogger(__name__)


def check(runs: Path) -> None:
    """Raises SystemExit if a stage of a short run did not learn enough."""
    for stage, most in FLOORS.items():
        loss = json.loads((runs / stage / "curve.json").read_text())[-1]["loss"]
        _log.info("%s: loss %.3f, at most %.3f", stage, loss, most)
        if not loss <= most:
            raise SystemExit(f"{stage}: the loss is {loss:.3f}, above {most}")


def main(arguments: Arguments) -> None:
    for stage in STAGES:
        _log.info("stage %s", stage)
        import_module(f"training.{stage}").main(arguments)
    if arguments.short:
        check(arguments.out)


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
