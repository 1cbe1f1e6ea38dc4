"""Learning-rate schedules: figures 10 and 17 to 19, groups of equal size (figure 16), and test accuracy (table 3).

All train by the paper's settings for these figures: batches of 32, Nesterov momentum .9, weight decay 5e-4, a rate of
.1 that falls by 5 at 30, 45 and 60 % of the epochs, each of these four rates held constant, and Adam. A short run takes
the network and the number of epochs of its holdout runs; C-scores are then those of the same network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import drawing, dynamics, evidence
from benchmarks.paper.evidence import Recording
from benchmarks.paper.item import Item
from benchmarks.paper.result import NotMade, Result
from benchmarks.paper.setting import Data, Setting
from dataaudit.learners.devices import resolve_device

STAGEWISE, ADAM = "SGD stage-wise", "Adam"
RATES = (0.1, 0.02, 0.004, 0.0008)
"""Those of the stages, one after the other."""
PAPER = {
    STAGEWISE: 0.9514,
    "SGD at 0.1": 0.8484,
    "SGD at 0.02": 0.9119,
    "SGD at 0.004": 0.9205,
    "SGD at 0.0008": 0.9082,
    ADAM: 0.9297,
}
"""Test accuracy in table 3: CIFAR-10, ResNet-18, 200 epochs."""
EXCEPTIONS, REGULAR = 0.05, 0.5
"""Exceptions are the examples with the lowest C-scores, so large a share of them; those above the other are regular."""
WIDE = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
"""Groups of equal size: wider ones than the paper's, of which a small data set has too few examples."""
LEAST = 20
"""Fewest examples of a group that takes part."""
TESTED = 5000
"""Most rows that stand in for a test set."""


def constant(rate: float) -> str:
    """Name of training at a constant rate."""
    return f"SGD at {rate:g}"


def recipes(setting: Setting, data: Data) -> dict[str, dataaudit.Recipe]:
    """By the name of each row of table 3."""
    recipe = dataaudit.recipes.get("resnet18")
    assert isinstance(recipe, dataaudit.Recipe)
    if not data.colour:
        recipe = replace(recipe, augment=None)
    if not setting.full:
        recipe = replace(recipe, epochs=setting.network(data)[1].epochs)
    level = replace(recipe, schedule="constant", milestones=())
    found = {STAGEWISE: recipe} | {constant(rate): replace(level, learning_rate=rate) for rate in RATES}
    # Without decay of the weights this is Adam.
    return found | {ADAM: replace(level, optimizer="adamw", learning_rate=0.001, weight_decay=0.0)}


def tested(setting: Setting, data: Data) -> Data:
    """The data set with a test part: its own, or rows that nothing trains on."""
    used = len(evidence.part(setting, data))
    if data.test is not None or used == len(data):
        return data
    others = slice(used, used + min(TESTED, used))
    return replace(data, test=(data.inputs[others], data.labels[others]))


def _run(setting: Setting, data: Data, rows: Data, name: str, recipe: dataaudit.Recipe, seed: int) -> Recording:
    network = dynamics.learner(setting, data)[0]
    kept = name.replace(" at ", "-").replace(" ", "-")
    return evidence.recorded(setting, tested(setting, data), f"{kept}-{seed}", rows, network, recipe, seed)


def _of_table(setting: Setting, data: Data, name: str, seed: int) -> Recording:
    return _run(setting, data, evidence.part(setting, data), name, recipes(setting, data)[name], seed)


@lru_cache(maxsize=8)
def _make(setting: Setting, data: Data) -> None:
    """Make all runs of table 3, as many at a time as there are cores: a step of a small network keeps one busy."""
    if setting.backend != "joblib" or resolve_device(setting.device).type != "cpu":
        return
    setting.place(data)
    wanted = [(name, seed) for name in recipes(setting, data) for seed in range(setting.sizes.seeds)]
    Parallel(n_jobs=-1)(delayed(_keep)(setting, data, name, seed) for name, seed in wanted)


def _keep(setting: Setting, data: Data, name: str, seed: int) -> None:
    """Leave a run in the folder, for others to read."""
    _of_table(setting, data, name, seed)


@lru_cache(maxsize=32)
def runs(setting: Setting, data: Data, name: str) -> list[Recording]:
    """Training runs on all rows by a row of table 3, one for each seed."""
    _make(setting, data)
    return [_of_table(setting, data, name, seed) for seed in range(setting.sizes.seeds)]


def equal_groups(truth: Array, seed: int) -> Array:
    """As many rows of each `WIDE` group as the smallest of `LEAST` or more has, ascending; smaller ones are out."""
    rng = np.random.default_rng(seed)
    groups = dynamics.groups_of(truth, WIDE)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups[groups >= 0])]
    members = [own for own in members if len(own) >= LEAST]
    if len(members) < 2:
        raise NotMade(f"fewer than two groups of C-scores have {LEAST} examples: more examples are needed")
    least = min(map(len, members))
    return np.sort(np.concatenate([rng.choice(own, least, replace=False) for own in members]))


@lru_cache(maxsize=8)
def equal_runs(setting: Setting, data: Data) -> tuple[Array, list[Recording]]:
    """Rows of equally large groups, and training runs on them."""
    rows = equal_groups(evidence.truth(setting, data).values, setting.seed)
    some = evidence.part(setting, data).rows(rows)
    recipe = recipes(setting, data)[STAGEWISE]
    seeds = range(setting.sizes.seeds)
    return rows, [_run(setting, data, some, "equal groups", recipe, seed) for seed in seeds]


def mean_curves(recordings: list[Recording], groups: Array) -> dict[int, Array]:
    """Share of each group that is right after each epoch, mean over runs."""
    every = [dynamics.curves(one.correct, groups) for one in recordings]
    return {group: np.mean([one[group] for one in every], axis=0) for group in every[0]}


def ends(truth: Array) -> tuple[Array, Array]:
    """Which rows are exceptions, and which are regular; those of equal score alike."""
    if not np.isfinite(truth).any():
        raise NotMade("no example has a C-score yet: more runs are needed")
    low, high = np.nanquantile(truth, (EXCEPTIONS, REGULAR))
    return truth <= low, (truth >= high) & (truth > low)


def share(recordings: list[Recording], rows: Array) -> float:
    """Share of some rows that is right after the last epoch, mean over runs; NaN for none."""
    return float(np.mean([one.correct[-1, rows].mean() for one in recordings])) if rows.any() else float("nan")


def learning(setting: Setting, data: Data) -> Result:
    truth = evidence.truth(setting, data).values
    groups, found = dynamics.groups_of(truth), []
    lines = {name: mean_curves(runs(setting, data, name), groups) for name in recipes(setting, data)}
    for name, own in lines.items():
        found += _rows_of(name, own, groups, dynamics.EDGES)
    low, high = ends(truth)
    last = {name: (share(runs(setting, data, name), low), share(runs(setting, data, name), high)) for name in lines}
    epochs = runs(setting, data, STAGEWISE)[0].epochs
    sentence = (
        f"Right after {epochs} epochs of the {int(low.sum())} exceptions (C-scores up to {truth[low].max():.2f}) and "
        f"of the {int(high.sum())} regular examples (from {truth[high].min():.2f}): "
        + "; ".join(f"{name} {one:.2f} and {other:.2f}" for name, (one, other) in last.items())
        + "."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(2, 3, 13, 7, sharex=True, sharey=True)
        for ax, (name, own) in zip(axes.ravel(), lines.items(), strict=True):
            _draw(ax, name, own, len(dynamics.EDGES) - 1)
        figure.suptitle(f"{data.name}: groups by C-score, blue low, red high")
        drawing.save(figure, path)

    return Result("figure-10", data.name, sentence, found, draw)


def _rows_of(name: str, lines: dict[int, Array], groups: Array, edges: Array) -> list[dict[str, Any]]:
    return [
        {
            "training": name,
            "group": f"{edges[group]:.2f} to {edges[group + 1]:.2f}",
            "examples": int((groups == group).sum()),
            "epoch": epoch,
            "right": round(float(value), 4),
        }
        for group, line in lines.items()
        for epoch, value in enumerate(line, 1)
    ]


def _draw(ax: Any, title: str, lines: dict[int, Array], count: int) -> None:
    colours = drawing.shades(count, drawing.GROUPS)
    for group, line in lines.items():
        ax.plot(range(1, len(line) + 1), line, color=colours[group], linewidth=1.4)
    drawing.by_epoch(ax, "share of the group that is right", title)
    ax.set_ylim(0, 1.02)


def equal_sizes(setting: Setting, data: Data) -> Result:
    truth = evidence.truth(setting, data).values
    rows, few = equal_runs(setting, data)
    everything = dynamics.groups_of(truth, WIDE)
    groups = everything[rows]
    whole = {
        group: line
        for group, line in mean_curves(runs(setting, data, STAGEWISE), everything).items()
        if group in np.unique(groups)
    }
    equal = mean_curves(few, groups)
    lowest, highest = min(equal), max(equal)
    each = len(rows) // len(equal)
    both = {"all": whole, "equal": equal}
    means = {name: [float(own[group].mean()) for group in (lowest, highest)] for name, own in both.items()}
    sentence = (
        f"{len(equal)} groups of {each} examples: over the epochs the lowest is right in {means['equal'][0]:.2f} and "
        f"the highest in {means['equal'][1]:.2f}, against {means['all'][0]:.2f} and {means['all'][1]:.2f} where all "
        f"{len(truth)} examples are trained on."
    )
    found = _rows_of("all examples", whole, everything, WIDE) + _rows_of("equal groups", equal, groups, WIDE)

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 2, 10, 4.2, sharey=True)
        for ax, (name, own) in zip(axes[0], both.items(), strict=True):
            _draw(ax, f"{data.name}, {name}{'' if name == 'all' else f' groups of {each}'}", own, len(WIDE) - 1)
        drawing.save(figure, path)

    return Result("figure-16", data.name, sentence, found, draw)


def last_accuracy(recording: Recording) -> float:
    """Mean test accuracy over the last twentieth of the epochs, as the paper's last 10 of 200."""
    return float(recording.test_accuracy[-max(1, recording.epochs // 20) :].mean())


def table_3(setting: Setting, data: Data) -> Result:
    test = tested(setting, data).test
    if test is None:
        raise NotMade("no rows are left to test on: add test_images and test_labels to the file")
    low, high = ends(evidence.truth(setting, data).values)
    found: list[dict[str, Any]] = []
    for name, recipe in recipes(setting, data).items():
        reached = np.array([last_accuracy(one) for one in runs(setting, data, name)])
        found.append(
            {
                "training": name,
                "epochs": recipe.epochs,
                "test_rows": len(test[1]),
                "runs": len(reached),
                "test_accuracy": round(float(reached.mean()), 4),
                "standard_deviation": round(float(reached.std(ddof=1)), 4) if len(reached) > 1 else "",
                "paper_cifar10": PAPER[name],
                "exceptions_right": round(share(runs(setting, data, name), low), 4),
                "regular_right": round(share(runs(setting, data, name), high), 4),
            }
        )
    order = sorted(found, key=lambda row: -float(row["test_accuracy"]))
    where = "its test part" if data.test is not None else "rows that nothing trained on"
    sentence = f"Test accuracy on {len(test[1])} images, {where}: " + "; ".join(
        f"{row['training']} {row['test_accuracy']:.4f}" for row in order
    )
    return Result("table-3", data.name, f"{sentence}.", found)


def _cost(trainings: int) -> Callable[[Setting, Data], float]:
    """Processor seconds of so many trainings on all rows, tested after each epoch."""

    def seconds(setting: Setting, data: Data) -> float:
        learner = dynamics.learner(setting, data)[0], recipes(setting, data)[STAGEWISE]
        test = tested(setting, data).test
        # A look without learning costs about a third of a pass that learns.
        rows = len(evidence.part(setting, data)) + (0 if test is None else len(test[1]) // 3)
        return setting.sizes.seeds * trainings * evidence.training_seconds(setting, data, learner, rows)

    return seconds


ITEMS = (
    Item(
        "figure-10",
        "Figures 10 and 17 to 19. Groups by C-score under six schedules",
        "With stage-wise rates groups with low C-scores are learned when the rate falls; large constant rates never "
        "learn them well, small ones and Adam learn all groups early, side by side.",
        learning,
        _cost(len(PAPER)),
        also=("figure-17", "figure-18", "figure-19"),
    ),
    Item(
        "figure-16",
        "Figure 16. Groups of equal size",
        "With 400 examples of each group the curves of many groups overlap: low groups are learned faster than among "
        "all examples, high ones slower, and the highest and the lowest stay apart.",
        equal_sizes,
        _cost(1),
        after=("figure-10",),
    ),
    Item(
        "table-3",
        "Table 3. Test accuracy by schedule",
        "On CIFAR-10 stage-wise rates reach 95.14 %, Adam 92.97 %, and constant rates 84.84 to 92.05 %.",
        table_3,
        after=("figure-10",),
    ),
)
