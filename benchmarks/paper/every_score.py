"""Every score of the library against C-scores: those of training dynamics after each epoch, and all with their cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import drawing, evidence
from benchmarks.paper.evidence import spearman
from benchmarks.paper.item import Item
from benchmarks.paper.result import Result
from benchmarks.paper.setting import Data, Setting
from dataaudit import scores
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.evidence.base import Evidence, Need
from dataaudit.learners.devices import resolve_device
from dataaudit.learners.torch import TorchLearner

BY_MARGIN = "learning_speed, ties by margin"
SHORT = 3000
"""Most examples of the table of all scores in a short run."""
HELD = ("c_score", "holdout_")
"""Beginnings of scores that are the truth itself."""
FEW = 4
"""Holdout runs by which the cost of one is told."""


class EveryEpoch(Recorder):
    """A recorder that compares all scores of the dynamics with C-scores whenever an epoch ends."""

    def __init__(self, rows: Data, truth: Array) -> None:
        super().__init__(len(rows), len(rows.classes), history_bytes=0)
        self.data, self.truth = rows, truth
        self.rows: list[dict[str, Any]] = []

    def end_epoch(self, group: Any = None) -> None:
        super().end_epoch(group)
        evidence_now = Evidence(self.data.labels, self.data.classes, dynamics=self.dynamics())
        for name in scores.REGISTRY.builtin_names():
            scorer = scores.REGISTRY.get(name)
            if scorer.needs != {Need.DYNAMICS}:
                continue
            found = scorer.score(evidence_now)
            self._add(name, found.values)
            if name == "learning_speed":
                self._add(BY_MARGIN, ranked(np.lexsort((found.ties, found.values))))

    def _add(self, name: str, values: Array) -> None:
        rho = round(spearman(values, self.truth), 4)
        self.rows.append({"score": name, "epoch": self.epochs, "examples": len(self.truth), "spearman": rho})


def ranked(order: Array) -> Array:
    """Rank of each row by the order of rows."""
    ranks = np.empty(len(order))
    ranks[order] = np.arange(len(order))
    return ranks


def every_epoch(setting: Setting, data: Data) -> Result:
    rows, truth = evidence.part(setting, data), evidence.truth(setting, data)
    network, recipe = setting.network(data)
    learner = TorchLearner(network, as_examples((rows.inputs, rows.labels)), recipe, resolve_device(setting.device))
    learner.check(setting.seed)
    recorder = EveryEpoch(rows, truth.values)
    learner.fit(np.arange(len(rows)), setting.seed, recorder, False)
    best = max(recorder.rows, key=lambda row: np.nan_to_num(row["spearman"], nan=-1))
    sentence = (
        f"Of the scores of one training run, {best['score']} agrees best with {truth.source}: {best['spearman']:.3f} "
        f"after epoch {best['epoch']} of {recipe.epochs}."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 1, 7, 4.6)
        for name in dict.fromkeys(row["score"] for row in recorder.rows):
            own = [row for row in recorder.rows if row["score"] == name]
            axes[0, 0].plot([row["epoch"] for row in own], [row["spearman"] for row in own], label=name)
        drawing.by_epoch(axes[0, 0], "Spearman's correlation with the C-score", data.name)
        axes[0, 0].legend(fontsize=7, ncols=2)
        drawing.save(figure, path)

    return Result("every-epoch", data.name, sentence, recorder.rows, draw)


def every_proxy(setting: Setting, data: Data) -> Result:
    rows, truth = evidence.part(setting, data), evidence.truth(setting, data)
    if not setting.full:
        rows = rows.first(SHORT)
    values = truth.values[: len(rows)]
    network, recipe = setting.network(data)

    held = evidence.at_one_ratio(setting, data)
    unknown = np.full(len(rows), np.nan)
    probability = unknown if held is None else held.columns["holdout_probability"][: len(rows)]
    runs = float("nan") if data.published is not None else evidence.counts_of(setting, data).runs

    def timed(names: list[str], **options: Any) -> tuple[dataaudit.Audit, float]:
        before = time.process_time()
        audit = dataaudit.score(
            network,
            (rows.inputs, rows.labels),
            names,
            recipe=recipe,
            device=setting.device,
            seed=setting.seed,
            progress=False,
            **options,
        )
        return audit, time.process_time() - before

    def line(audit: dataaudit.Audit, name: str, cost: float) -> dict[str, Any]:
        own = audit.columns[name]
        if name in audit.ties:
            own = np.where(np.isfinite(own), ranked(audit.ranking(name)), np.nan)
        own = own[: len(rows)]
        rho, lower, upper = (round(value, 4) for value in evidence.agreement(own, values))
        return {
            "score": name,
            "c_score": rho,
            "lower": lower,
            "upper": upper,
            "holdout_probability": round(spearman(own, probability), 4),
            "cost": round(cost, 2),
            "runs": runs,
            "examples": len(rows),
        }

    together: dict[str, list[str]] = {}
    for name in scores.REGISTRY.names():
        needs = scores.REGISTRY.get(name).needs
        # The paper's recipes have no evaluations after their last epochs.
        if not name.startswith(HELD) and Need.EVALUATIONS not in needs:
            shared = "dynamics" if needs <= {Need.DYNAMICS} else name.rpartition("/")[2]
            together.setdefault(shared, []).append(name)
    timed(
        ["parzen/input", "density/gradient_linear", "density/gradient_sketch"]
    )  # What is compiled, is compiled now, and not timed.
    once = timed(["confidence"])[1]
    found: list[dict[str, Any]] = []
    for names in together.values():
        audit, seconds = timed(names)
        found += [line(audit, name, seconds / once) for name in names]
    found.sort(key=lambda row: -np.nan_to_num(row["c_score"], nan=-1))
    truths: list[dict[str, Any]] = []
    if held is not None:
        # The runs themselves may have been made by an earlier call.
        few = timed(list(evidence.AT_ONE_RATIO), holdout=dataaudit.Holdout(runs=FEW))[1]
        truths = [line(held, name, few / FEW * runs / once) for name in evidence.AT_ONE_RATIO]

    def place_of(beginning: str) -> int:
        return next(place for place, row in enumerate(found, 1) if row["score"].startswith(beginning))

    ceiling = (
        ""
        if truth.reliability is None
        else (f"; no proxy can be expected above {np.sqrt(max(truth.reliability, 0)):.3f}, the root of the reliability")
    )
    sentence = (
        f"Best proxies for {truth.source}: "
        + ", ".join(f"{row['score']} {row['c_score']:.3f} ({row['cost']:.1f} runs)" for row in found[:4])
        + f"; consensus is in place {place_of('consensus')} of {len(found)}, the density of gradients in place "
        f"{place_of('density/gradient')}{ceiling}."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 1, 8, 0.2 * len(found) + 1)
        for place, row in enumerate(reversed(found)):
            axes[0, 0].plot([row["lower"], row["upper"]], [place, place], color="#4c78a8", linewidth=2)
            axes[0, 0].plot([row["c_score"]], [place], "o", color="#4c78a8", markersize=4)
        axes[0, 0].set_yticks(range(len(found)), [row["score"] for row in reversed(found)], fontsize=7)
        axes[0, 0].set(xlabel="Spearman's correlation with the C-score, 95 % interval", title=data.name)
        drawing.save(figure, path)

    return Result("proxies", data.name, sentence, [*truths, *found], draw)


def _cost(setting: Setting, data: Data) -> float:
    return evidence.training_seconds(setting, data, setting.network(data), len(evidence.part(setting, data)))


def _cost_of_all(setting: Setting, data: Data) -> float:
    share = 1.0 if setting.full else min(1.0, SHORT / len(evidence.part(setting, data)))
    return (15 + FEW) * share * _cost(setting, data)


ITEMS = (
    Item(
        "every-epoch",
        "Scores of training dynamics, epoch by epoch",
        "Confidences agree with C-scores early and less later; the number of epochs in which an example is right "
        "agrees best at the end.",
        every_epoch,
        _cost,
    ),
    Item(
        "proxies",
        "Every proxy, and what it costs",
        "The cumulative binary training loss (.864) is the best proxy by far, and costs almost nothing; the best "
        "density reaches about .7; the density of gradients is left to future work (appendix C). Here stand all scores "
        "of this library that one training run gives.",
        every_proxy,
        _cost_of_all,
    ),
)
