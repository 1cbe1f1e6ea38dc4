"""Densities against the published C-scores of MNIST (the paper's table 1 and figure 8) and planted label errors.

    python -m benchmarks.paper.density --mnist FILE.npz [--fashion FOLDER] [--only table noise figure]

table   Spearman and Kendall of the three input densities with the C-scores, all 60000 images, beside the values that a
        direct evaluation of the equations gives. Exits with 1 where one is further off than 0.005.
figure  Hidden and gradient densities and Parzen posteriors after each of several epochs, at several bandwidths, of the
        paper's MLP and recipe: Spearman with the C-scores.
noise   Fashion-MNIST with 20 % symmetric and 20 % paired label errors, two networks, three seeds: average precision
        and AUROC of every representation, score and bandwidth, with the default score of `dataaudit.score` in the
        same run.

FILE.npz holds `images` uint8 [60000, 28, 28], `labels` [60000] and `cscores` [60000] in the original order.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

import dataaudit
from benchmarks.common import FASHION, PAIRS, Array, fashion, merit, paired, symmetric, table, write
from dataaudit import Density

KINDS = ("density", "class_density", "relative_density", "parzen")
DIRECT = {
    "density": (0.031, 0.024),
    "class_density": (0.301, 0.233),
    "relative_density": (0.254, 0.196),
}
"""Spearman and Kendall of a direct float64 evaluation of equations 3 to 5 on these images and scores."""
EPOCHS = (1, 2, 3, 5, 10, 15, 20)
BANDWIDTHS = ("1x", "0.5x", "0.25x")
PEERS = ("label_quality", "el2n", "mean_margin", "mean_confidence", "learning_speed")
"""Scores of the training dynamics that stand beside the densities."""
RESULTS = Path(__file__).parent / "results"


def table_one(images: Array, labels: Array, truth: Array) -> bool:
    names = [f"{kind}/input" for kind in KINDS]
    audit = dataaudit.score(None, (images, labels), names, progress=False)
    rows, right = [], True
    for kind in KINDS:
        values = audit.columns[f"{kind}/input"]
        found = float(spearmanr(values, truth).statistic), float(kendalltau(values, truth).statistic)
        direct = DIRECT.get(kind, (float("nan"),) * 2)
        right &= not any(abs(ours - theirs) > 0.005 for ours, theirs in zip(found, direct, strict=True))
        figures = dict(
            zip(("spearman", "kendall", "direct_spearman", "direct_kendall"), (*found, *direct), strict=True)
        )
        rows.append({"score": f"{kind}/input", "examples": len(labels), **figures})
    table(
        list(rows[0]), [[row["score"], row["examples"], *(f"{v:.3f}" for v in list(row.values())[2:])] for row in rows]
    )
    write(RESULTS / "density_table.csv", rows)
    return right


def figure_eight(images: Array, labels: Array, truth: Array, seed: int) -> None:
    asked = [
        Density(space, kind, bandwidth=bandwidth, epochs=[epoch])
        for space in ("hidden", "gradient")
        for bandwidth in BANDWIDTHS
        for kind in KINDS
        for epoch in EPOCHS
    ]
    # The label's posterior of pixels, for comparison.
    pixels = [Density("input", "parzen", bandwidth=bandwidth) for bandwidth in ("1x", "0.5x", "0.25x")]
    model = dataaudit.networks.build("mlp", (28, 28), 10)
    audit = dataaudit.score(
        model, (images, labels), [*asked, *pixels, *PEERS], recipe="mnist", seed=seed, progress=False
    )
    rows: list[dict[str, Any]] = []

    def add(column: str, representation: str, score: str, bandwidth: Any, epoch: Any) -> None:
        rho = round(float(spearmanr(audit.columns[column], truth).statistic), 4)
        what = {"representation": representation, "score": score, "bandwidth": bandwidth, "epoch": epoch}
        rows.append({"seed": seed, "examples": len(labels), **what, "spearman": rho})

    for scorer in (*asked, *pixels):
        epoch = scorer.epochs[0] if scorer.epochs else "no model"
        add(scorer.name, scorer.representation, scorer.kind, scorer.bandwidth, epoch)
    for name in PEERS:
        add(name, "training dynamics", name, "", "end")
    lines: dict[tuple[Any, ...], dict[Any, float]] = {}
    for row in rows:
        lines.setdefault((row["representation"], row["score"], row["bandwidth"]), {})[row["epoch"]] = row["spearman"]
    head = [*EPOCHS, "end", "no model"]
    cells = [
        [" ".join(map(str, key)), *(f"{found[epoch]:.3f}" if epoch in found else "" for epoch in head)]
        for key, found in lines.items()
    ]
    table(["Spearman after epoch", *map(str, head)], cells)
    write(RESULTS / "density_figure.csv", rows)


def noise(folder: str, n: int, seeds: tuple[int, ...]) -> None:
    images, labels = fashion(folder, n)
    bandwidths = ("1x", "0.5x", "0.25x", "0.125x")
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        cases = {"20% symmetric": symmetric(labels, 10, 0.2, seed), "20% pairs": paired(labels, PAIRS, 0.2, seed)}
        for case, noisy in cases.items():
            for network in ("mlp", "small_cnn"):
                asked = [Density("input", kind, bandwidth=h) for h in bandwidths for kind in KINDS]
                for epochs in ([2], None):
                    for space in ("hidden", "gradient", "gradient_linear", "gradient_sketch"):
                        # The wide ones take longest: two bandwidths of each.
                        some = bandwidths if space in ("hidden", "gradient") else bandwidths[:2]
                        asked += [Density(space, kind, bandwidth=h, epochs=epochs) for h in some for kind in KINDS]
                model = dataaudit.networks.build(network, (1, 28, 28), 10)
                audit = dataaudit.score(model, (images, noisy), [*asked, *PEERS], seed=seed, progress=False)
                for column in (*(scorer.name for scorer in asked), *PEERS):
                    auroc, average = merit(audit.columns[column], noisy != labels)
                    figures = {"auroc": round(auroc, 4), "average_precision": round(average, 4)}
                    rows.append({"noise": case, "network": network, "seed": seed, "n": n, "score": column, **figures})
                print(f"{case}, {network}, seed {seed}: {audit.timings}", flush=True)
    cases_of = list(dict.fromkeys((row["noise"], row["network"]) for row in rows))
    lines = []
    for name in dict.fromkeys(row["score"] for row in rows):
        cells = []
        for of in cases_of:
            chosen = [row for row in rows if row["score"] == name and (row["noise"], row["network"]) == of]
            cells.append([float(np.median([row[key] for row in chosen])) for key in ("auroc", "average_precision")])
        lines.append((name, cells, float(np.mean([cell[1] for cell in cells]))))
    lines.sort(key=lambda line: -line[2])
    table(
        ["AUROC / AP, medians of seeds", *(", ".join(of) for of in cases_of), "mean AP"],
        [[name, *("{:.3f} / {:.3f}".format(*cell) for cell in cells), f"{mean:.3f}"] for name, cells, mean in lines],
    )
    write(RESULTS / "density_noise.csv", rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--fashion", default=FASHION)
    parser.add_argument("--only", nargs="+", choices=("table", "figure", "noise"), default=("table", "figure", "noise"))
    parser.add_argument("--noisy", type=int, default=20000, help="images of Fashion-MNIST")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    with np.load(options.mnist) as data:
        images, labels, truth = (data[name] for name in ("images", "labels", "cscores"))
    labels = labels.astype(np.int64)
    right = True
    if "table" in options.only:
        right = table_one(images, labels, truth)
    if "figure" in options.only:
        figure_eight(images, labels, truth, seed=0)
    if "noise" in options.only:
        noise(options.fashion, options.noisy, tuple(range(options.seeds)))
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
