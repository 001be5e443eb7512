"""Draws bench/results/speech_distance.json: what each provisional block to the right buys.

pip install matplotlib && python bench/plot_distance.py
"""

import itertools

import matplotlib.pyplot as plt

from report import RESULTS, read


def main() -> None:
    checkpoints = read("speech_distance")["checkpoints"]
    figure, axes = plt.subplots(1, len(checkpoints), figsize=(12, 3.6), sharey=True)
    for axis, (name, found) in zip(axes, checkpoints.items(), strict=True):
        for solver, guidance in itertools.product(("euler", "rk4"), (0.5, 0.0)):
            rows = [
                row
                for row in found["lookahead"]
                if (row["solver"], row["guidance"]) == (solver, guidance)
            ]
            blocks = [str(row["lookahead"]) for row in rows]
            axis.plot(blocks, [row["snr"] for row in rows], "o-", label=f"{solver}, {guidance}")
        axis.set_title(name)
        axis.set_xlabel("provisional blocks to the right (0.24 s each)")
    axes[0].set_ylabel("SNR against one window, dB")
    axes[0].legend(title="solver, guidance")
    figure.tight_layout()
    figure.savefig(RESULTS / "speech_distance.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
