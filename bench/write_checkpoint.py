"""Write a random checkpoint: python bench/write_checkpoint.py FOLDER --preset 3b (12 GB) or 7b."""

import argparse
import logging
import time

from omnirt.weights.presets import PRESETS
from omnirt.weights.random_checkpoint import write_random_checkpoint

log = logging.getLogger("write_checkpoint")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="a folder that does not exist yet")
    parser.add_argument("--preset", default="3b", choices=sorted(PRESETS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    started = time.monotonic()
    folder = write_random_checkpoint(options.folder, options.preset, options.seed)
    log.info("%s written in %.1f s", folder, time.monotonic() - started)


if __name__ == "__main__":
    main()
