"""Fast truth: C-scores by the cheapest means that keep their order, each with its agreement and its cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import drawing, evidence
from benchmarks.paper.counts import mean_of
from benchmarks.paper.evidence import spearman
from benchmarks.paper.item import Item
from benchmarks.paper.result import NotMade, Result
from benchmarks.paper.setting import Data, Setting
from dataaudit.data import as_examples
from dataaudit.holdout.settings import GRID
from dataaudit.learners.devices import resolve_device
from dataaudit.learners.torch import TorchLearner

RATIO = 0.7
PROBES, SMALL = 200, 8
"""Runs of a linear probe, and of a small network."""
SHORT = 4
"""Epochs of the small network."""
FLOPS = 4e10
"""About what a core multiplies in a second, for estimates."""
WIDEST = 1024
"""Most numbers an input for a linear probe of inputs in a short run: it solves for a matrix of that many a side."""
BUDGETS = {"a minute": 60.0, "an hour": 3600.0, "a day": 86400.0}


def features(setting: Setting, rows: Data) -> Array:
    """Inputs of the last linear layer [n, d] of a network that was trained on all rows."""
    network, recipe = setting.network(rows)
    learner = TorchLearner(network, as_examples((rows.inputs, rows.labels)), recipe, resolve_device(setting.device))
    learner.check(setting.seed)
    fitted = learner.fit(np.arange(len(rows)), setting.seed, None, False)
    last = [part for part in fitted.module.modules() if isinstance(part, torch.nn.Linear)][-1]
    seen: list[Array] = []
    with last.register_forward_hook(lambda layer, given, out: seen.append(given[0].detach().float().numpy())):
        fitted.logits(np.arange(len(rows)))
    return np.concatenate(seen)


def means(setting: Setting, rows: Data) -> dict[str, Callable[[], Array]]:
    """Ways to a score of each row, by what they are called."""
    network, recipe = setting.network(rows)
    given = (rows.inputs, rows.labels)
    flat = (rows.inputs.reshape(len(rows), -1), rows.labels)

    def score(model: Any, data: Any, name: str, **options: Any) -> Array:
        return dataaudit.score(model, data, [name], seed=setting.seed, progress=False, **options).columns[name]

    def held_out(model: Any, data: Any, name: str, runs: int, **options: Any) -> Array:
        # In this process, whose time is measured.
        holdout = dataaudit.Holdout(ratio=RATIO, runs=runs, backend="serial")
        return score(model, data, name, holdout=holdout, **options)

    def probed(inputs: Array) -> Array:
        return held_out(dataaudit.LinearProbe(), (inputs, rows.labels), "holdout_probability", PROBES)

    short = replace(recipe, epochs=min(SHORT, recipe.epochs))
    wide = not setting.full and flat[0].shape[1] > WIDEST
    trained: dict[str, Any] = {"recipe": recipe, "device": setting.device}
    found: dict[str, Callable[[], Array]] = {
        "1-NN of inputs, closed form": lambda: score(None, flat, "knn_c_score/input"),
        "1-NN of a trained layer, closed form": lambda: score(network, given, "knn_c_score/hidden", **trained),
        "one training run, mean margin": lambda: score(network, given, "mean_margin", **trained),
        f"linear probe of a trained layer, {PROBES} runs": lambda: probed(features(setting, rows)),
        f"networks of {short.epochs} epochs, {SMALL} runs": lambda: held_out(
            network, given, "holdout_probability", SMALL, recipe=short, device=setting.device
        ),
    }
    if not wide:
        found[f"linear probe of inputs, {PROBES} runs"] = lambda: probed(flat[0].astype(np.float32) / 255)
    return found


def fast_truth(setting: Setting, data: Data) -> Result:
    truth, rows = evidence.truth(setting, data), evidence.part(setting, data)
    if truth.known.sum() < 3:
        raise NotMade("fewer than three examples have a C-score to compare with")
    found: list[dict[str, Any]] = []
    for number, (name, make) in enumerate(means(setting, rows).items()):

        def measured(make: Callable[[], Array] = make) -> dict[str, Array]:
            before = time.process_time()
            values = make()
            return {"values": values, "seconds": np.array(time.process_time() - before)}

        kept = setting.kept(data, f"means-{number}", measured)
        found.append(_row(name, spearman(kept["values"], truth.values), float(kept["seconds"]), len(rows)))
    runs = full_runs(setting, data, truth.values)
    found += runs
    best = {
        name: max((row for row in found if row["seconds"] <= most), key=_agreement, default=None)
        for name, most in BUDGETS.items()
    }
    bought = [f"{name} buys {row['spearman']:.3f} ({row['means']})" for name, row in best.items() if row is not None]
    sentence = (
        f"Of one core, for {len(rows)} examples (holdout runs: {found[-1]['examples']}), Spearman with "
        f"{truth.source}: {'; '.join(bought)}."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 1, 7.5, 4.8)
        ax = axes[0, 0]
        ax.plot(
            [row["seconds"] for row in runs],
            [row["spearman"] for row in runs],
            "o-",
            color="#7f7f7f",
            label="holdout runs at nine ratios: 1, 2, 4, ... of each",
        )
        for row in found[: -len(runs) or None]:
            ax.plot(row["seconds"], row["spearman"], "o", label=row["means"])
        for name, most in BUDGETS.items():
            ax.axvline(most, color="black", linewidth=0.5, linestyle=":")
            ax.text(most, ax.get_ylim()[0], f" {name}", fontsize=8, rotation=90, va="bottom")
        ax.set(
            xscale="log",
            xlabel="processor seconds",
            title=data.name,
            ylabel="Spearman's correlation with the C-score",
        )
        ax.legend(fontsize=7)
        drawing.save(figure, path)

    return Result("truth", data.name, sentence, found, draw)


def full_runs(setting: Setting, data: Data, truth: Array) -> list[dict[str, Any]]:
    """Holdout runs of the network itself at all nine ratios: agreement and reliability after each doubling, and of all.

    Without published scores our own are these very runs. Then the agreement is the one to expect of as many other runs
    with the scores that the cheaper means are compared with: the root of both reliabilities' product.
    """
    counts, whole = evidence.counts_of(setting, data), evidence.truth(setting, data).reliability
    n = counts.held.shape[2]
    network = setting.network(data)
    once = sum(GRID) * evidence.training_seconds(setting, data, network, n)
    found = []
    for runs in dict.fromkeys((*counts.doublings, counts.runs)):
        every = runs == counts.runs
        reliable = counts.reliability(None if every else runs)
        agreed = float(np.sqrt(max(reliable, 0.0) * max(whole or 0.0, 0.0)))
        if data.published is not None:
            values = mean_of(counts.scores(slice(0, None if every else runs.bit_length())))[: len(truth)]
            agreed = spearman(values, truth[: len(values)])
        name = f"{type(network[0]()).__name__}, {runs} runs of each of nine ratios"
        found.append(_row(name, agreed, runs * once, n, reliable))
    return found


def _row(name: str, agreement: float, seconds: float, n: int, reliable: float = float("nan")) -> dict[str, Any]:
    return {
        "means": name,
        "spearman": round(agreement, 4),
        "seconds": round(seconds, 1),
        "examples": n,
        "reliability": round(reliable, 4),
    }


def _agreement(row: dict[str, Any]) -> float:
    return float(np.nan_to_num(row["spearman"], nan=-1))


def _cost(setting: Setting, data: Data) -> float:
    rows = evidence.part(setting, data)
    once = evidence.training_seconds(setting, data, setting.network(data), len(rows))
    recipe = setting.network(data)[1]
    width = int(np.prod(data.inputs.shape[1:]))
    solved = PROBES * len(rows) * width**2 / FLOPS if setting.full or width <= WIDEST else 0.0
    return (4 + SMALL * RATIO * min(SHORT, recipe.epochs) / recipe.epochs) * once + solved


ITEMS = (
    Item(
        "truth",
        "Fast truth. What a minute, an hour and a day buy",
        "Integral C-scores take about 2000 networks for each of nine subset ratios, which is too much for large data: "
        "one ratio stands in (.7 for ImageNet). Here cheaper means still, and our own runs, against the C-scores.",
        fast_truth,
        _cost,
        after=("figure-2",),
    ),
)
