"""Figures 6 and 7: means and deviations of C-scores by class, and examples of some classes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

import dataaudit
from benchmarks.common import Array
from benchmarks.paper import drawing, evidence
from benchmarks.paper.evidence import bootstrap, spearman
from benchmarks.paper.item import Item
from benchmarks.paper.result import Law, NotMade, Result
from benchmarks.paper.setting import Data, Setting

MANY = 20
"""Classes from which on a data set shows figures 6 and 7 itself."""
PAIRS = 100
"""Pairs of digits of each two-digit class, for a short run; five times as many otherwise."""
RUNS = 16
RATIO = 0.7
"""Subset ratio of the point estimate, as the paper's for ImageNet."""
SHOWN = (0.01, 0.35, 0.99)
"""Percentiles, from the highest score, of the images that the paper's figure 7 shows."""
COLUMN = 3
BOUNDED = "Scores lie between 0 and 1: a mean near 1 leaves little room for a deviation, whatever the data."
CLAIM = "Classes with a high mean C-score vary less (figure 6)"


def two_digits(data: Data, each: int, seed: int) -> Data:
    """The hundred two-digit numbers, each image two images of digits beside each other, halved in size."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(data.labels == digit) for digit in range(10)]
    labels = np.repeat(np.arange(100), each)
    left = np.concatenate([rng.choice(members[label // 10], each) for label in range(100)])
    right = np.concatenate([rng.choice(members[label % 10], each) for label in range(100)])
    both = np.concatenate([data.inputs[left], data.inputs[right]], axis=2).astype(np.float32)
    n, height, width = both.shape[0], both.shape[1] // 2, both.shape[2] // 2
    halved = both[:, : 2 * height, : 2 * width].reshape(n, height, 2, width, 2).mean((2, 4)).astype(np.uint8)
    return Data("two-digits", halved, labels, tuple(f"{label:02d}" for label in range(100))).mixed()


@lru_cache(maxsize=8)
def scored(setting: Setting, data: Data) -> tuple[Data, Array, str]:
    """Rows with their C-scores, and where these come from: of two-digit numbers where the data are digits."""
    if data.name != "mnist" or data.inputs.ndim != 3 or len(data.classes) != 10:
        truth = evidence.truth(setting, data)
        return evidence.part(setting, data), truth.values, truth.source
    each, runs = _sizes(setting)
    rows = two_digits(data, each, setting.seed)

    def make() -> dict[str, Array]:
        network, recipe = setting.network(rows)
        holdout = dataaudit.Holdout(
            ratio=RATIO, runs=runs, store=setting.place(data) / "store" / "pairs", backend=setting.backend
        )
        audit = dataaudit.score(
            network,
            (rows.inputs, rows.labels),
            ["c_score"],
            recipe=recipe,
            device=setting.device,
            seed=setting.seed,
            holdout=holdout,
            progress=False,
        )
        return {"c_score": audit.columns["c_score"]}

    values = setting.kept(data, "two-digits", make)["c_score"]
    return rows, values, f"{runs} runs at subset ratio {RATIO} on {len(rows)} two-digit numbers made of pairs"


def _sizes(setting: Setting) -> tuple[int, int]:
    """Pairs of each class, and runs."""
    if setting.full:
        return 5 * PAIRS, setting.sizes.runs
    return min(PAIRS, max(4, (setting.sizes.examples or 20000) // 100)), RUNS


def by_class(rows: Data, values: Array) -> tuple[Array, Array, Array]:
    """Classes with at least two scores, and the mean and deviation of each."""
    known = np.isfinite(values)
    able = [place for place in range(len(rows.classes)) if (known & (rows.labels == place)).sum() > 1]
    own = [values[known & (rows.labels == place)] for place in able]
    return np.array(able), np.array([part.mean() for part in own]), np.array([part.std() for part in own])


def figure_6(setting: Setting, data: Data) -> Result:
    rows, values, source = scored(setting, data)
    able, means, deviations = by_class(rows, values)
    if len(able) < 3:
        raise NotMade(
            f"the correlation of class means and deviations takes three classes or more, and there are {len(able)}"
        )
    found = [
        {"class": rows.classes[place], "mean": round(float(mean), 4), "deviation": round(float(deviation), 4)}
        for place, mean, deviation in zip(able, means, deviations, strict=True)
    ]
    rho = spearman(means, deviations)
    interval = bootstrap(lambda drawn: -spearman(means[drawn], deviations[drawn]), len(able), draws=1000)
    few = "" if len(able) >= MANY else f"; {len(able)} classes only"
    sentence = (
        f"Over {len(able)} classes, Spearman of mean and deviation is {rho:.3f}: the hardest is "
        f"{rows.classes[able[means.argmin()]]} ({means.min():.3f}), the easiest {rows.classes[able[means.argmax()]]} "
        f"({means.max():.3f}); from {source}{few}."
    )
    starred = representatives(means, deviations)

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 1, 6.4, 5)
        ax = axes[0, 0]
        if len(able) >= MANY:
            drawn = ax.hist2d(means, deviations, bins=15, cmap="Blues")
            figure.colorbar(drawn[3], label="classes")
        else:
            ax.plot(means, deviations, "o", color="#1f77b4")
        for number in starred:
            ax.plot(means[number], deviations[number], "*", color="#d95f02", markersize=13, clip_on=False)
            place = (means[number], deviations[number])
            ax.annotate(rows.classes[able[number]], place, (7, 4), textcoords="offset points", fontsize=9)
        ax.set(xlabel="mean C-score of the class", ylabel="standard deviation", title=rows.name)
        drawing.save(figure, path)

    law = Law.above(CLAIM, "-Spearman of class means and deviations, classes resampled", interval, BOUNDED)
    return Result("figure-6", data.name, sentence, found, draw, laws=[law])


def representatives(means: Array, deviations: Array) -> list[int]:
    """Up to five classes: the lowest, highest and middle mean, and the largest and smallest deviation beside these."""
    order = np.argsort(means)
    found = [order[0], order[len(order) // 2], order[-1], deviations.argmax(), order[len(order) * 3 // 4]]
    return [int(number) for number in dict.fromkeys(int(one) for one in found)]


def figure_7(setting: Setting, data: Data) -> Result:
    rows, values, source = scored(setting, data)
    able, means, deviations = by_class(rows, values)
    if not len(able):
        raise NotMade("no class has two examples with a C-score")
    chosen = [int(able[number]) for number in representatives(means, deviations)]
    picked = {place: at_percentiles(values, np.flatnonzero(rows.labels == place)) for place in chosen}
    found = [
        {
            "class": rows.classes[place],
            "percentile": share,
            "row": int(rows.index[row]),
            "c_score": round(float(values[row]), 4),
        }
        for place, groups in picked.items()
        for share, members in zip(SHOWN, groups, strict=True)
        for row in members
    ]
    sentence = (
        f"Examples at the top 1, 35 and 99 % of {', '.join(rows.classes[place] for place in chosen)}, and the "
        f"histogram of each; from {source}."
    )
    if not rows.images:
        return Result("figure-7", data.name, f"{sentence} There are no images: the table stands for them.", found)

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(2, len(chosen), len(chosen) * 2.3, 4.6, height_ratios=[2, 1])
        for column, place in enumerate(chosen):
            drawing.show_columns(axes[0, column], [rows.inputs[members] for members in picked[place]], COLUMN)
            axes[0, column].set_title(rows.classes[place], fontsize=11)
            own = values[rows.labels == place]
            axes[1, column].hist(own[np.isfinite(own)], np.linspace(0, 1, 11), color="#4c78a8")
            axes[1, column].set_xlabel("C-score")
        axes[1, 0].set_ylabel("examples")
        drawing.save(figure, path)

    return Result("figure-7", data.name, sentence, found, draw)


def at_percentiles(values: Array, members: Array) -> list[Array]:
    """Some rows of a class at each percentile in `SHOWN` of its scores."""
    ranked = members[np.isfinite(values[members])]
    ranked = ranked[np.argsort(-values[ranked], kind="stable")]
    groups = []
    for share in SHOWN:
        start = min(max(0, len(ranked) - COLUMN), round(share * len(ranked)))
        groups.append(ranked[start : start + COLUMN])
    return groups


def _cost(setting: Setting, data: Data) -> float:
    if data.name != "mnist":
        return 0.0
    each, runs = _sizes(setting)
    rows = two_digits(data, each, setting.seed)
    return runs * RATIO * evidence.training_seconds(setting, rows, setting.network(rows), len(rows))


ITEMS = (
    Item(
        "figure-6",
        "Figure 6. Means and deviations of C-scores by class",
        "On ImageNet (one ratio, .7) classes with high mean C-scores tend to have low variances; the middle of the "
        "cloud is made of classes that are mostly regular with a number of exceptions. Digits stand in by the hundred "
        "two-digit numbers made of pairs of them.",
        figure_6,
        _cost,
    ),
    Item(
        "figure-7",
        "Figure 7. Examples of classes",
        "Images at the top 1, 35 and 99 % by C-score of five classes, from scattered (projectile) to nearly all "
        "regular (yellow lady's slipper), with the histogram of each.",
        figure_7,
        after=("figure-6",),
    ),
)
