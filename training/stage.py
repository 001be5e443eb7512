"""What the commands of all stages share."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Arguments:
    """out: folder of all stages. short: minutes instead of hours, for tests."""

    out: Path
    short: bool

    @classmethod
    def parse(cls, description: str | None) -> "Arguments":
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        parser = argparse.ArgumentParser(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--out", type=Path, default=Path("runs"))
        parser.add_argument("--short", action="store_true", help="minutes, for tests")
        given = parser.parse_args()
        return cls(given.out, given.short)
