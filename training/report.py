"""The model card with its scores, and the curves of every stage.

python -m training.report --out runs
"""

import json
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from .config import CODEC_EOS, CODEC_PAD
from .export import tensors
from .stage import Arguments
from .voices import HELD_OUT_VOICES

CURVES = ("recogniser", "vocoder", "flow", "reading", "hearing", "seeing", "thinker", "talker")
_SMOOTH = 10  # points of a curve that are averaged

CARD = """# A small Qwen2.5-Omni

{parameters:.1f} million parameters in the topology, file layout and special tokens of
Qwen2.5-Omni (arXiv 2503.20215), trained from nothing by `training/` of this project. It shows what
the runtime does and measures what streaming and quantization cost; it is no assistant.

- **It hears or reads** sums with numbers up to twenty and what to add next, words to say back,
  questions about a picture of coloured shapes and about a short clip with its sound; it answers
  "i don't know" to much else. **It says** its answer in one of two voices.
- **It does not** know any other word, language, number, picture or sound, and is not made to. What
  is far from the data below gets a wrong answer, confidently.
- **Data**: made by a script from seeds, nothing downloaded. Speech of espeak-ng (its voices with
  changes of speed, pitch, level and noise), drawn pictures and clips, computed sounds. A tenth of
  all sums, lists of words, strange questions, pictures and clips, and {held_out} of the voices'
  variants, were held out of training; the scores are of those.
- **Training**: the stages of `training/` from seeds, in about two hours on two cores; its README
  tells how the run differed from one command. The losses were still falling.
- **Licence**: that of this project. No recording of a person and no other model's output is in it.
- Token2Wav is stored in float32 and the rest in bfloat16, as in the released checkpoints. The
  codec has 1024 codes, so its special ids differ from the released ones: with transformers, give
  `talker_eos_token_id=[{pad}, {eos}]`.

## Scores

`python -m training.score`: exact answers of the runtime, greedy; speech by the default schedule and
sampling, heard by a recogniser that was trained on espeak-ng only, and by the model itself.

{answers}

{speech}
"""


def card(score: dict, parameters: int, held_out: int, stops: tuple[int, int]) -> str:
    """The model card. score: of ``training.score``; stops: ids that end speech."""
    answers = [
        "| questions | asked | right |",
        "|---|---|---|",
        *(f"| {n} | {row['asked']} | {row['right']:.1%} |" for n, row in score["answers"].items()),
    ]
    voices = score["speech"]
    names = [name for name in next(iter(voices.values())) if name != "replies"]
    speech = [
        f"| {' | '.join(('', *voices))} |",
        f"|{'---|' * (len(voices) + 1)}",
        *(f"| {n} | {' | '.join(f'{row[n]:.1%}' for row in voices.values())} |" for n in names),
    ]
    return CARD.format(
        parameters=parameters / 1e6,
        held_out=held_out,
        pad=stops[0],
        eos=stops[1],
        answers="\n".join(answers),
        speech="\n".join(speech),
    )


def draw(runs: Path, file: Path) -> None:
    """The loss of each stage by its steps."""
    mpl.rcParams["svg.hashsalt"] = "omnirt"  # the same file from the same curves
    figure, axes = plt.subplots(1, len(CURVES), figsize=(20, 3))
    for axis, stage in zip(axes, CURVES, strict=True):
        curve = json.loads((runs / stage / "curve.json").read_text())
        losses = [point["loss"] for point in curve]
        smooth = [
            sum(losses[max(0, i - _SMOOTH) : i + 1]) / len(losses[max(0, i - _SMOOTH) : i + 1])
            for i in range(len(losses))
        ]
        steps = [point["step"] for point in curve]
        axis.plot(steps, losses, alpha=0.3)
        axis.plot(steps, smooth)
        axis.set(title=stage, xlabel="step", yscale="log")
    axes[0].set_ylabel("loss")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main(arguments: Arguments) -> None:
    out = arguments.out
    parameters = sum(tensor.numel() for tensor in tensors(out).values())
    variants = len({voice.variant for voice in HELD_OUT_VOICES})
    score = json.loads((out / "score.json").read_text())
    stops = CODEC_PAD, CODEC_EOS
    (out / "model" / "README.md").write_text(card(score, parameters, variants, stops))
    draw(out, out / "curves.svg")


if __name__ == "__main__":
    main(Arguments.parse(__doc__))
