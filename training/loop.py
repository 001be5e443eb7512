"""What every stage's training has in common: AdamW, a ramp and a cosine, checkpoints, a curve."""

import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .config import Budget

RAMP = 100  # steps, or a tenth of them all
EVERY = 50  # steps that a point of the curve is the mean of, or a quarter of them all
SAVE = 200  # steps between checkpoints
CLIP = 1.0  # of the gradient's norm
SLOW = 0.1


def train(
    folder: Path,
    model: nn.Module,
    budget: Budget,
    loss: Callable[[int], dict[str, Tensor]],
    betas: tuple[float, float] = (0.9, 0.98),
    decay: float = 0.01,
    slow: Sequence[nn.Parameter] = (),
) -> None:
    """Minimise ``loss(step)["loss"]``; a killed run goes on where it last saved.

    loss: values to follow, the one to minimise first of all named loss; its random numbers must
    depend on the step only. folder: gets state.pt while it trains, model.pt and curve.json.
    slow: parameters that learn at SLOW of the rate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "model.pt").exists():
        model.load_state_dict(torch.load(folder / "model.pt"))
        return
    optimizer = torch.optim.AdamW(_groups(model, slow), betas=betas, weight_decay=decay)
    start, curve = _resume(folder, model, optimizer)
    recent: list[dict[str, float]] = []
    every = min(EVERY, math.ceil(budget.steps / 4))
    bar = tqdm(range(start, budget.steps), folder.name, initial=start, total=budget.steps)
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = rate(budget, step) * group["share"]
        values = loss(step)
        optimizer.zero_grad(set_to_none=True)
        values["loss"].backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        recent.append({name: value.item() for name, value in values.items()})
        if (step + 1) % every == 0 or step + 1 == budget.steps:
            curve.append({"step": step + 1} | _mean(recent))
            bar.set_postfix(_mean(recent))
            recent.clear()
        if (step + 1) % SAVE == 0:
            state = {"step": step + 1, "model": model.state_dict()}
            _save(
                folder / "state.pt", state | {"optimizer": optimizer.state_dict(), "curve": curve}
            )
    (folder / "curve.json").write_text(json.dumps(curve, indent=0) + "\n")
    _save(folder / "model.pt", model.state_dict())
    (folder / "state.pt").unlink(missing_ok=True)


def parameters(folder: Path, part: str) -> dict[str, Tensor]:
    """Those of a part of what a stage has saved, without its name in theirs."""
    state = torch.load(folder / "model.pt")
    return {n.removeprefix(part): value for n, value in state.items() if n.startswith(part)}


def embeddings(runs: Path) -> Tensor:
    """What ``training.reading`` has made of the tokens, float32 [V, E]."""
    return parameters(runs / "reading", "thinker.model.embed_tokens.")["weight"]


def _groups(model: nn.Module, slow: Sequence[nn.Parameter]) -> list[dict]:
    last = {id(parameter) for parameter in slow}
    usual = [p for p in model.parameters() if id(p) not in last]
    groups = [{"params": usual, "share": 1.0}, {"params": list(slow), "share": SLOW}]
    return [group for group in groups if group["params"]]


def rate(budget: Budget, step: int) -> float:
    """Learning rate of a step."""
    ramp = min(1.0, (step + 1) / min(RAMP, budget.steps / 10))
    return budget.rate * ramp * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / budget.steps)))


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Of each value, over the rows."""
    return {name: round(sum(row[name] for row in rows) / len(rows), 4) for name in rows[0]}


def padded(rows: Iterable[Tensor], value: float = 0) -> Tensor:
    """Tensors [T_i, ...] -> [B, max T_i, ...]."""
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value)


def _resume(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, list[dict]]:
    path = folder / "state.pt"
    if not path.exists():
        return 0, []
    state = torch.load(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["curve"]


def _save(path: Path, value: object) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(value, partial)
    os.replace(partial, path)
