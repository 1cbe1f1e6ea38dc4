"""Figures of C-scores by subset ratio: 2 (11), 3 (12), 4 (13 to 15) and 5, all from one set of holdout runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from benchmarks.common import Array
from benchmarks.paper import drawing, evidence
from benchmarks.paper.evidence import spearman
from benchmarks.paper.item import Item
from benchmarks.paper.result import Compared, NotMade, Result
from benchmarks.paper.setting import Data, Setting
from dataaudit.holdout.settings import GRID

BARS = 30
"""Bins of a histogram: as many as the paper's figure 3 has."""
PEAKS = {"mnist": 0.1, "cifar10": 0.3, "cifar100": 0.4}
"""Subset ratio at which the paper's figure 5 peaks (CIFAR-100: .4 or .5)."""
EACH = 5
"""Images of a class with high, middling and low scores each, in the figure of examples."""
MOST = 20
"""Most classes of that figure."""


def _rows(setting: Setting, data: Data) -> Data:
    """Rows that the counts are of."""
    return data.first(evidence.counts_of(setting, data).held.shape[2])


def histograms(setting: Setting, data: Data) -> Result:
    counts = evidence.counts_of(setting, data)
    scores, edges = counts.scores(), np.linspace(0, 1, BARS + 1)
    shares = [100 * np.histogram(own[np.isfinite(own)], edges)[0] / np.isfinite(own).sum() for own in scores]
    found = [
        {"ratio": ratio, "from": round(edges[bar], 4), "to": round(edges[bar + 1], 4), "percent": round(share[bar], 3)}
        for ratio, share in zip(GRID, shares, strict=True)
        for bar in range(BARS)
    ]
    top = [float(np.nanmean(own == 1) / np.isfinite(own).mean()) for own in scores]
    sentence = (
        f"Scores move up with the subset ratio: {100 * top[0]:.0f} % of the examples are right in every run at ratio "
        f".1, {100 * top[-1]:.0f} % at .9, mean score {np.nanmean(scores[0]):.3f} and {np.nanmean(scores[-1]):.3f} "
        f"({counts.source})."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(3, 3, 10, 7, sharex=True, sharey=True)
        for ax, ratio, share in zip(axes.ravel(), GRID, shares, strict=True):
            some = share > 0
            ax.bar(edges[:-1][some], share[some], np.diff(edges)[some], align="edge", color="#4c78a8")
            # From below the share of a single example.
            ax.set(yscale="log", xlim=(0, 1), ylim=(50 / len(scores[0]), 150))
            ax.set_title(f"s = {100 * ratio:.0f} %", fontsize=10)
        for ax in axes[-1]:
            ax.set_xlabel("C-score")
        for ax in axes[:, 0]:
            ax.set_ylabel("% of examples")
        figure.suptitle(data.name)
        drawing.save(figure, path)

    return Result("figure-2", data.name, sentence, found, draw)


def integral(setting: Setting, data: Data) -> Result:
    counts = evidence.counts_of(setting, data)
    scores, whole, edges = counts.scores(), counts.integral, np.linspace(0, 1, BARS + 1)
    bins = np.where(np.isfinite(whole), np.clip(np.searchsorted(edges, whole, "right") - 1, 0, BARS - 1), -1)
    filled = [int(number) for number in np.unique(bins[bins >= 0])]
    lines = {number: np.nanmean(scores[:, bins == number], 1) for number in filled}
    found: list[dict[str, Any]] = [
        {
            "from": round(edges[number], 4),
            "to": round(edges[number + 1], 4),
            "examples": int((bins == number).sum()),
            **{f"s={ratio}": round(float(value), 4) for ratio, value in zip(GRID, line, strict=True)},
        }
        for number, line in lines.items()
    ]
    chance = 1 / len(data.classes)
    below = [number for number in filled if lines[number][-1] < chance]
    fallen = [number for number in below if lines[number][0] > lines[number][-1]]
    sentence = (
        f"{len(fallen)} of {len(filled)} bins fall below chance ({chance:.3f}) as the training set grows, from the low "
        f"end; {int((bins == BARS - 1).sum())} of {int((bins >= 0).sum())} examples are in the highest bin "
        f"({counts.source})."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 2, 11, 4.4)
        colours = drawing.shades(BARS, drawing.SCORE)
        sizes = [int((bins == number).sum()) for number in filled]
        axes[0, 0].bar(edges[filled], sizes, 1 / BARS, align="edge", color=colours[filled])
        axes[0, 0].set(xlabel="integral C-score", ylabel="examples", yscale="log", title=data.name, xlim=(0, 1))
        for number, line in lines.items():
            axes[0, 1].plot(GRID, line, color=colours[number], alpha=0.6, marker="o", markersize=5, linewidth=1)
        axes[0, 1].axhline(chance, color="black", linewidth=0.7, linestyle=":")
        axes[0, 1].set(xlabel="subset ratio s", ylabel="mean C-score of the bin", ylim=(-0.02, 1.02))
        drawing.save(figure, path)

    return Result("figure-3", data.name, sentence, found, draw)


def chosen(scores: Array, rows: Array) -> dict[str, Array]:
    """Rows with high, middling and low scores among `rows`, best first; those without a score count as none."""
    order = rows[np.isfinite(scores[rows])]
    order = order[np.argsort(-scores[order], kind="stable")]
    middle = max(0, len(order) // 2 - EACH // 2)
    # Where most scores are 1, the middle of the ranks says nothing: the middle of the scores that differ does.
    differ = order[scores[order] < scores[order].max()] if len(order) else order
    if len(differ) >= 4 * EACH and middle < len(order) - len(differ):
        start = len(differ) // 2
        return {"high": order[:EACH], "middle": differ[start : start + EACH], "low": order[-EACH:]}
    return {"high": order[:EACH], "middle": order[middle : middle + EACH], "low": order[-EACH:]}


def examples(setting: Setting, data: Data) -> Result:
    truth = evidence.truth(setting, data)
    rows = evidence.part(setting, data)
    picked = {place: chosen(truth.values, np.flatnonzero(rows.labels == place)) for place in range(len(data.classes))}
    found: list[dict[str, Any]] = [
        {
            "class": data.classes[place],
            "group": group,
            "row": int(rows.index[row]),
            "c_score": round(float(truth.values[row]), 4),
        }
        for place, groups in picked.items()
        for group, members in groups.items()
        for row in members
    ]
    lowest = min(found, key=lambda row: row["c_score"], default=None)
    if lowest is None:
        raise NotMade("no example has a C-score yet: more runs are needed")
    sentence = (
        f"Rows of each class with high, middling and low C-scores ({truth.source}); the lowest is row {lowest['row']}, "
        f"labelled {lowest['class']}, with {lowest['c_score']:.2f}."
    )
    if not data.images:
        return Result("figure-4", data.name, f"{sentence} There are no images: the table stands for them.", found)

    def draw(path: Path) -> None:
        shown = list(picked)[:MOST]
        columns = min(5, len(shown))
        lines = -(-len(shown) // columns)
        figure, axes = drawing.panels(lines, columns, columns * 1.9, lines * 3.1)
        for ax in axes.ravel():
            ax.axis("off")
        for ax, place in zip(axes.ravel(), shown, strict=False):
            drawing.show_columns(ax, [rows.inputs[members] for members in picked[place].values()], EACH)
            ax.set_title(data.classes[place], fontsize=10)
        figure.suptitle("each class: high, middling and low C-scores", fontsize=10)
        drawing.save(figure, path)

    return Result("figure-4", data.name, sentence, found, draw)


def point_estimates(setting: Setting, data: Data) -> Result:
    counts = evidence.counts_of(setting, data)
    scores, whole, published = counts.scores(), counts.integral, _rows(setting, data).published
    found: list[dict[str, Any]] = []
    for place, ratio in enumerate(GRID):
        both = np.isfinite(scores[place]) & np.isfinite(whole)
        tau = float(kendalltau(scores[place][both], whole[both]).statistic) if both.sum() > 2 else float("nan")
        found.append(
            {
                "ratio": ratio,
                "spearman": round(spearman(scores[place], whole), 4),
                "kendall": round(tau, 4),
                "reliability": round(counts.reliability(ratio=place), 4),
                "runs": counts.runs,
                "published_spearman": "" if published is None else round(spearman(scores[place], published), 4),
            }
        )
    peak = max(found, key=lambda row: np.nan_to_num(row["spearman"], nan=-1))
    against = "" if published is None else f", and the integral has {spearman(whole, published):.3f} with the published"
    sentence = (
        f"The ratio that ranks most like the integral is {peak['ratio']} (Spearman {peak['spearman']:.3f}, Kendall "
        f"{peak['kendall']:.3f}){against}; the integral's own split-half reliability is {counts.reliability():.3f} "
        f"({counts.source})."
    )

    def draw(path: Path) -> None:
        figure, axes = drawing.panels(1, 2, 10, 4)
        for ax, name in zip(axes[0], ("spearman", "kendall"), strict=True):
            ax.plot(GRID, [row[name] for row in found], marker="o", label=data.name)
            if data.name in PEAKS:
                ax.axvline(PEAKS[data.name], color="#7f7f7f", linestyle=":", label="peak in the paper")
            ax.set(xlabel="subset ratio s", ylabel=f"{name.title()}'s correlation with the integral")
            ax.legend(fontsize=8)
        drawing.save(figure, path)

    compared = [Compared("subset ratio at the peak", float(peak["ratio"]), PEAKS.get(data.name))]
    return Result("figure-5", data.name, sentence, found, draw, compared)


ITEMS = (
    Item(
        "figure-2",
        "Figures 2 and 11. Histograms of C-scores by subset ratio",
        "With small subsets scores bunch at the low end, with large ones at the high end, where most examples are "
        "right in nearly every run.",
        histograms,
        evidence.holdout_seconds,
        also=("figure-11",),
    ),
    Item(
        "figure-3",
        "Figures 3 and 12. Integral C-scores, and scores by bin and ratio",
        "Most integral scores are high, but more spread than those of one ratio. The order of bins is the same at "
        "every ratio, and the lowest bins fall below chance as the training set grows.",
        integral,
        after=("figure-2",),
        also=("figure-12",),
    ),
    Item(
        "figure-4",
        "Figures 4 and 13 to 15. Examples of each class",
        "High scores look alike and make a prototype of the class; many low ones are ambiguous or mislabelled.",
        examples,
        also=("figure-13", "figure-14", "figure-15"),
    ),
    Item(
        "figure-5",
        "Figure 5. The subset ratio that stands for the integral",
        "One ratio ranks examples nearly as the integral does: .1 on MNIST, .3 on CIFAR-10, .4 or .5 on CIFAR-100; the "
        "harder the data, the larger it is.",
        point_estimates,
        after=("figure-2",),
    ),
)
