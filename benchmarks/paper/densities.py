"""Densities beyond the paper's: other bandwidths and gradients against C-scores, and all of them on planted errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import PAIRS, merit, paired, symmetric
from benchmarks.paper import drawing, evidence
from benchmarks.paper.dynamics import LINES, epochs_of
from benchmarks.paper.evidence import spearman
from benchmarks.paper.item import Item
from benchmarks.paper.result import NotMade, Result
from benchmarks.paper.setting import Data, Setting
from dataaudit import Density

KINDS = ("density", "class_density", "relative_density", "parzen")
BANDWIDTHS = ("1x", "0.5x", "0.25x")
PEERS = ("label_quality", "el2n", "mean_margin", "mean_confidence", "learning_speed")
"""Scores of the training dynamics that stand beside the densities."""
NOISE = 0.2
SHORT = 5000
"""Most examples with planted errors in a short run."""


def bandwidths(setting: Setting, data: Data) -> Result:
    rows, truth = evidence.part(setting, data), evidence.truth(setting, data).values
    network, recipe = setting.network(data)
    epochs = epochs_of(recipe.epochs) if setting.full else [min(3, recipe.epochs), recipe.epochs]
    asked = [
        Density(space, kind, bandwidth=bandwidth, epochs=[epoch])
        for space in ("hidden", "gradient")
        for bandwidth in BANDWIDTHS
        for kind in KINDS
        for epoch in dict.fromkeys(epochs)
    ]
    audit = dataaudit.score(
        network,
        (rows.inputs, rows.labels),
        [*asked, *PEERS],
        recipe=recipe,
        device=setting.device,
        seed=setting.seed,
        progress=False,
    )
    found: list[dict[str, Any]] = []
    for one in asked:
        rho = round(spearman(audit.columns[one.name], truth), 4)
        what = {"representation": one.representation, "score": one.kind, "bandwidth": one.bandwidth}
        found.append({**what, "epoch": one.epochs[0] if one.epochs else "", "spearman": rho})
    for name in PEERS:
        rho = round(spearman(audit.columns[name], truth), 4)
        found.append({"representation": "dynamics", "score": name, "bandwidth": "", "epoch": "end", "spearman": rho})
    densities = [row for row in found if row["representation"] != "dynamics"]
    best = max(densities, key=lambda row: row["spearman"])
    peer = max(found[len(densities) :], key=lambda row: row["spearman"])
    sentence = (
        f"The best density is {best['score']} of {best['representation']} at {best['bandwidth']} the paper's bandwidth "
        f"after epoch {best['epoch']} ({best['spearman']:.3f}); the best score of the dynamics is {peer['score']} "
        f"({peer['spearman']:.3f})."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 2, 10, 4, sharey=True)
        for ax, space in zip(axes[0], ("hidden", "gradient"), strict=True):
            for kind in KINDS:
                own = [row for row in densities if row["representation"] == space and row["score"] == kind]
                top = [max(row["spearman"] for row in own if row["bandwidth"] == width) for width in BANDWIDTHS]
                ax.plot(BANDWIDTHS, top, marker="o", color=LINES[kind][0], label=kind)
            ax.set(xlabel="bandwidth, by the paper's", title=f"{data.name}: {space}")
        axes[0, 0].set_ylabel("Spearman with the C-score, best epoch")
        axes[0, 0].legend(fontsize=8)
        drawing.save(figure, path)

    return Result("bandwidths", data.name, sentence, found, draw)


def planted_errors(setting: Setting, data: Data) -> Result:
    if len(data.classes) < 3:
        raise NotMade("errors between pairs of classes take three classes or more, and there are two")
    rows = data.first(20000 if setting.full else min(SHORT, setting.sizes.examples or SHORT))
    widths = (*BANDWIDTHS, "0.125x") if setting.full else BANDWIDTHS[:2]
    spaces = ("hidden", "gradient", "gradient_linear", "gradient_sketch") if setting.full else ("hidden", "gradient")
    asked = [
        Density(space, kind, bandwidth=width) for space in ("input", *spaces) for width in widths for kind in KINDS
    ]
    classes = len(rows.classes)
    partner = PAIRS if data.name == "fashion" else {one: (one + 1) % classes for one in range(classes)}
    found: list[dict[str, Any]] = []
    for seed in range(setting.seed, setting.seed + setting.sizes.seeds):
        cases = {
            "symmetric": symmetric(rows.labels, classes, NOISE, seed),
            "pairs": paired(rows.labels, partner, NOISE, seed),
        }
        for case, noisy in cases.items():
            network, recipe = setting.network(data)
            audit = dataaudit.score(
                network,
                (rows.inputs, noisy),
                [*asked, *PEERS],
                recipe=recipe,
                device=setting.device,
                seed=seed,
                progress=False,
            )
            for column in (*(one.name for one in asked), *PEERS):
                auroc, average = merit(audit.columns[column], noisy != rows.labels)
                figures = {"auroc": round(auroc, 4), "average_precision": round(average, 4)}
                found.append({"errors": case, "seed": seed, "examples": len(rows), "score": column, **figures})
    mean = {
        name: float(np.mean([row["average_precision"] for row in found if row["score"] == name]))
        for name in dict.fromkeys(str(row["score"]) for row in found)
    }
    density = max((one.name for one in asked), key=lambda name: mean[name])
    peer = max(PEERS, key=lambda name: mean[name])
    sentence = (
        f"With {100 * NOISE:.0f} % wrong labels, symmetric and between pairs, the best density for finding them is "
        f"{density} (mean average precision {mean[density]:.3f}); the best score of the dynamics, {peer}, has "
        f"{mean[peer]:.3f}."
    )
    return Result("planted-errors", data.name, sentence, found)


def _cost(setting: Setting, data: Data) -> float:
    rows = evidence.part(setting, data)
    return 2 * evidence.training_seconds(setting, data, setting.network(data), len(rows)) + 5e-8 * len(rows) ** 2


ITEMS = (
    Item(
        "bandwidths",
        "Densities at other bandwidths, and of gradients",
        "One bandwidth is used, half the mean distance; the density of gradients is future work (appendix C).",
        bandwidths,
        _cost,
    ),
    Item(
        "planted-errors",
        "Densities and planted label errors",
        "Low C-scores belong to ambiguous and mislabelled examples; how well densities find wrong labels is not "
        "measured.",
        planted_errors,
        _cost,
        scored=False,
    ),
)
