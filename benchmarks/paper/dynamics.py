"""Figures 8 and 9: densities in hidden space and confidences over epochs; groups of examples as they are learned."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import drawing, evidence
from benchmarks.paper.evidence import Recording, spearman
from benchmarks.paper.item import Item
from benchmarks.paper.result import Compared, Result
from benchmarks.paper.setting import Data, Setting

KINDS = ("relative_density", "class_density", "density")
"""The paper's three, best first."""
FURTHER = (("hidden", "parzen"), ("gradient", "density"))
"""What the paper leaves open, as space and kind."""
LINES = {
    "relative_density": ("#7f7f7f", "relative density (equation 3)"),
    "class_density": ("#e377c2", "class density (equation 4)"),
    "density": ("#1f77b4", "density (equation 5)"),
    "parzen": ("#2ca02c", "Parzen posterior, not in the paper"),
    "gradient": ("#d95f02", "density of gradients (appendix C)"),
}
PEAK = {"mnist": 0.7, "cifar10": 0.7, "cifar100": 0.4}
"""About what the relative density reaches in the paper's figure 8."""
CBTL = 0.864
"""The paper's cumulative binary training loss on CIFAR-10."""
EDGES = np.linspace(0, 1, 21)
"""Groups of C-scores that are .05 wide."""


def learner(setting: Setting, data: Data) -> tuple[Any, dataaudit.Recipe]:
    """Network and recipe of the recorded run: the paper's ResNet-18 for colour images at full size."""
    if not (setting.full and data.colour):
        return setting.network(data)
    shape = (data.inputs.shape[3], *data.inputs.shape[1:3])
    recipe = dataaudit.recipes.get("resnet18")
    assert isinstance(recipe, dataaudit.Recipe)
    return dataaudit.networks.build("resnet18", shape, len(data.classes)), recipe


@lru_cache(maxsize=8)
def main_run(setting: Setting, data: Data) -> Recording:
    """One training run on all rows, recorded."""
    return evidence.recorded(setting, data, "training", evidence.part(setting, data), *learner(setting, data))


@lru_cache(maxsize=8)
def hidden(setting: Setting, data: Data) -> dict[tuple[str, str, int], Array]:
    """Densities [n] in the last hidden layer, and of gradients, by space, kind and epoch of a training run."""
    rows = evidence.part(setting, data)
    network, recipe = setting.network(data)
    epochs = epochs_of(recipe.epochs)
    spaces = [*(("hidden", kind) for kind in KINDS), *FURTHER]

    def make() -> dict[str, Array]:
        scorers = [dataaudit.Density(space, kind, epochs=[epoch]) for space, kind in spaces for epoch in epochs]
        audit = dataaudit.score(
            network,
            (rows.inputs, rows.labels),
            scorers,
            recipe=recipe,
            device=setting.device,
            seed=setting.seed,
            progress=False,
        )
        return {
            f"{one.representation} {one.kind} {epoch}": audit.columns[one.name].astype(np.float32)
            for one in scorers
            for epoch in one.epochs or ()
        }

    found = setting.kept(data, "densities", make)
    return {(space, kind, epoch): found[f"{space} {kind} {epoch}"] for space, kind in spaces for epoch in epochs}


def epochs_of(most: int) -> list[int]:
    """Epochs after which densities are taken: closer together in the beginning."""
    return [epoch for epoch in (1, 2, 3, 5, 10, 20, 40, 80, 120, 160) if epoch < most] + [most]


def figure_8(setting: Setting, data: Data) -> Result:
    truth = evidence.truth(setting, data).values
    found: list[dict[str, Any]] = [
        {"space": space, "score": kind, "epoch": epoch, "spearman": round(spearman(values, truth), 4)}
        for (space, kind, epoch), values in hidden(setting, data).items()
    ]
    lines: dict[str, dict[int, float]] = {}
    for row in found:
        name = "gradient" if row["space"] == "gradient" else row["score"]
        lines.setdefault(name, {})[row["epoch"]] = row["spearman"]
    peaks = {name: max(line.items(), key=lambda pair: pair[1]) for name, line in lines.items()}
    ordered = sorted(KINDS, key=lambda kind: -peaks[kind][1])
    same = "as in the paper" if tuple(ordered) == KINDS else "in another order than the paper's"
    sentence = (
        f"Best epoch of each in the hidden layer, {same}: "
        + ", ".join(f"{kind} {peaks[kind][1]:.3f} (epoch {peaks[kind][0]})" for kind in ordered)
        + f"; the Parzen posterior reaches {peaks['parzen'][1]:.3f}, the density of gradients "
        f"{peaks['gradient'][1]:.3f}."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 1, 6.4, 4.2)
        for name, line in lines.items():
            colour, label = LINES[name]
            style = "-" if name in KINDS else "--"
            axes[0, 0].plot(list(line), list(line.values()), style, color=colour, label=label, marker=".")
        axes[0, 0].axhline(0, color="black", linewidth=0.6)
        drawing.by_epoch(axes[0, 0], "Spearman's correlation with the C-score", data.name)
        axes[0, 0].legend(fontsize=8)
        drawing.save(figure, path)

    reached = Compared("Spearman, best relative density in hidden space", peaks[KINDS[0]][1], PEAK.get(data.name))
    return Result("figure-8", data.name, sentence, found, draw, [reached])


def confidences(recording: Recording, truth: Array) -> dict[str, list[float]]:
    """Spearman with C-scores after each epoch, of what training shows by then."""
    learned = np.cumsum(recording.correct, 0)
    mean = np.cumsum(recording.confidence.astype(np.float64), 0)
    scores = {
        "p of the label": recording.confidence,
        "largest p": recording.largest,
        "epochs learned (CBTL)": learned,
        "mean p of the label": mean,
    }
    return {
        name: [round(spearman(values[epoch].astype(np.float64), truth), 4) for epoch in range(recording.epochs)]
        for name, values in scores.items()
    }


def groups_of(truth: Array, edges: Array = EDGES) -> Array:
    """Group of each C-score between `edges`, -1 without one."""
    found = np.clip(np.searchsorted(edges, truth, side="right") - 1, 0, len(edges) - 2)
    return np.where(np.isfinite(truth), found, -1)


def curves(correct: Array, groups: Array) -> dict[int, Array]:
    """Share of each group that is classified correctly after each epoch; groups without members are left out."""
    return {int(group): correct[:, groups == group].mean(1) for group in np.unique(groups[groups >= 0])}


def figure_9(setting: Setting, data: Data) -> Result:
    truth, recording = evidence.truth(setting, data).values, main_run(setting, data)
    groups = groups_of(truth)
    learned, lines = curves(recording.correct, groups), confidences(recording, truth)
    epochs = list(range(1, recording.epochs + 1))
    found: list[dict[str, Any]] = []
    for group, line in learned.items():
        name = f"{EDGES[group]:.2f} to {EDGES[group + 1]:.2f}"
        size = int((groups == group).sum())
        found += [
            {"panel": "a", "what": name, "examples": size, "epoch": epoch, "value": round(float(value), 4)}
            for epoch, value in zip(epochs, line, strict=True)
        ]
    for name, values in lines.items():
        found += [
            {"panel": "b", "what": name, "examples": len(truth), "epoch": epoch, "value": value}
            for epoch, value in zip(epochs, values, strict=True)
        ]
    density = max(spearman(hidden(setting, data)[key], truth) for key in hidden(setting, data) if key[1] in KINDS[:1])
    best = int(np.nanargmax(lines["p of the label"]))
    sentence = (
        f"The label's probability agrees best with the C-score after epoch {best + 1} "
        f"({lines['p of the label'][best]:.3f}; the largest probability {max(lines['largest p']):.3f}, the best "
        f"relative density {density:.3f}); at the end the number of epochs in which an example was right has "
        f"{lines['epochs learned (CBTL)'][-1]:.3f}."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 2, 11, 4.4)
        _draw_groups(axes[0, 0], learned, epochs, f"(a) {data.name}: groups by C-score, blue low, red high")
        for name, values in lines.items():
            axes[0, 1].plot(epochs, values, label=name, linestyle="-" if name[0] in "pl" else "--")
        axes[0, 1].axhline(density, color="#7f7f7f", linewidth=1, linestyle=":", label="best relative density")
        drawing.by_epoch(axes[0, 1], "Spearman's correlation with the C-score", "(b) scores by then")
        axes[0, 1].legend(fontsize=8)
        drawing.save(figure, path)

    last = lines["epochs learned (CBTL)"][-1]
    compared = [Compared("Spearman, epochs learned (CBTL) at the end; published of CIFAR-10", last, CBTL)]
    return Result("figure-9", data.name, sentence, found, draw, compared)


def _draw_groups(ax: Any, learned: dict[int, Array], epochs: list[int], title: str) -> None:
    colours = drawing.shades(len(EDGES) - 1, drawing.GROUPS)
    for group, line in learned.items():
        ax.plot(epochs, line, color=colours[group], linewidth=1.4)
    drawing.by_epoch(ax, "share of the group that is right", title)
    ax.set_ylim(0, 1.02)


def _cost_8(setting: Setting, data: Data) -> float:
    rows = evidence.part(setting, data)
    epochs = len(epochs_of(setting.network(data)[1].epochs))
    return evidence.training_seconds(setting, data, setting.network(data), len(rows)) + epochs * 2e-8 * len(rows) ** 2


def _cost_9(setting: Setting, data: Data) -> float:
    return evidence.training_seconds(setting, data, learner(setting, data), len(evidence.part(setting, data)))


ITEMS = (
    Item(
        "figure-8",
        "Figure 8. Densities in hidden space over epochs",
        "The relative density agrees best with C-scores, then the class density, then the plain one, which stays near "
        "0; the relative density grows with training and does not fall, to about .7 on MNIST and CIFAR-10 and .4 on "
        "CIFAR-100.",
        figure_8,
        _cost_8,
    ),
    Item(
        "figure-9",
        "Figure 9. Learning speed of groups, and confidences over epochs",
        "(a) Groups with lower C-scores are learned later, in their order, with jumps where the learning rate falls. "
        "(b) Early in training the label's probability agrees with the C-score (below .8), better than the largest "
        "probability; the number of epochs in which an example is right has .864 at the end (CIFAR-10).",
        figure_9,
        _cost_9,
        after=("figure-8",),
    ),
)
