"""C-scores of nearest-neighbour learners in closed form: against Monte Carlo, by cost, and against published C-scores.

    python -m benchmarks.holdout.closed_form [--quick] [--only agreement cost] [--mnist FILE.npz]

agreement  Handwritten digits with coarse pixels (many equal distances), duplicates and wrong labels. Subsets are drawn,
           and equal distances put in random order, by code of its own: 1e5 subsets a case. Exits with 1 unless 99 % of
           the closed-form values lie within 3 standard errors and none beyond 6. The standard error is that of the
           sample; where fewer than 30 events are expected (c (1 - c) draws < 30) it is at least the binomial one.
cost       60000 x 128 made features in clusters: seconds of the search and of each closed form. Exits with 1 where the
           closed form of one neighbour takes over 5 % of the search, or both over 60 s.
mnist      Spearman with the published C-scores: pixels, and the hidden layer of an MLP after 2 epochs.

FILE.npz holds `images` uint8 [60000, 28, 28], `labels` [60000] and `cscores` [60000] in the original order.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

import dataaudit
from benchmarks.common import Array, symmetric, table, write
from dataaudit import NeighbourCScore
from dataaudit.neighbours.closed_form import c_scores
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import Faiss, PyNNDescent, Torch, resolve
from dataaudit.representations.spaces import Space

RATIOS: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
GRID = tuple(np.arange(1, 10) / 10)
RESULTS = Path(__file__).parent / "results"


@numba.njit(nogil=True)
def draw(order, starts, labels, classes, k, ratios, fixed, seed):  # type: ignore[no-untyped-def]
    """Sum and sum of squares of the credit of each example's label, and draws in which it was held out; one subset a
    ratio. order [n, n - 1]: others by distance; starts: where a group of equal distances begins."""
    n = len(labels)
    np.random.seed(seed)  # noqa: NPY002 (compiled code has this generator alone)
    kept, mine = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    shuffled, tied, votes = np.arange(n), np.empty(n, np.int64), np.empty(classes, np.int64)
    sums, squares, count = np.zeros(n), np.zeros(n), np.zeros(n, np.int64)
    for ratio in ratios:
        if fixed:
            size = min(max(int(np.rint(ratio * n)), 1), n - 1)
            kept[:] = False
            for place in range(size):
                other = np.random.randint(place, n)  # noqa: NPY002
                shuffled[place], shuffled[other] = shuffled[other], shuffled[place]
                kept[shuffled[place]] = True
        else:
            for j in range(n):
                kept[j] = np.random.random() < ratio  # noqa: NPY002
        inside = kept.sum()
        for i in range(n):
            if fixed and kept[i]:
                continue
            subset = kept
            if inside - kept[i] == 0:
                # Conditioned on a subset that is not empty, at this ratio.
                alone = 0
                while alone == 0:
                    for j in range(n):
                        mine[j] = j != i and np.random.random() < ratio  # noqa: NPY002
                        alone += mine[j]
                subset = mine
            votes[:] = 0
            voted, r = 0, 0
            while r < n - 1 and voted < k:
                found = 0
                while True:
                    if subset[order[i, r]]:
                        tied[found] = order[i, r]
                        found += 1
                    r += 1
                    if r == n - 1 or starts[i, r]:
                        break
                for place in range(min(found, k - voted)):
                    if found > k - voted:
                        other = np.random.randint(place, found)  # noqa: NPY002
                        tied[place], tied[other] = tied[other], tied[place]
                    votes[labels[tied[place]]] += 1
                voted += min(found, k - voted)
            most = votes.max()
            credit = 1.0 / (votes == most).sum() if votes[labels[i]] == most else 0.0
            sums[i] += credit
            squares[i] += credit * credit
            count[i] += 1
    return sums, squares, count


def sampled(order: Array, starts: Array, labels: Array, k: int, ratios: Array, fixed: bool, seed: int) -> Any:
    """Means, variances and counts over subsets of the given ratios, in two halves on two threads."""
    classes = int(labels.max()) + 1
    with ThreadPoolExecutor(2) as pool:
        parts = [
            pool.submit(draw, order, starts, labels, classes, k, half, fixed, seed + place)
            for place, half in enumerate((ratios[::2], ratios[1::2]))
        ]
        sums, squares, count = (sum(arrays) for arrays in zip(*(part.result() for part in parts), strict=True))
    mean = sums / count
    return mean, squares / count - mean**2, count


def coarse_digits(n: int) -> tuple[Array, Array]:
    """Digits of three grey levels, a tenth duplicates of others, 10 % wrong labels."""
    inputs, labels = load_digits(return_X_y=True)
    x = np.floor(inputs[:n] / 6).astype(np.uint8)
    x[: n // 10] = x[n // 2 : n // 2 + n // 10]
    return x, symmetric(labels[:n], 10, 0.1, seed=0)


def agreement(n: int, subsets: int) -> bool:
    x, labels = coarse_digits(n)
    graph = neighbour_graph(NeighbourNeed(Space("input"), depth=n - 1), x, {}, resolve("auto"), 0, False)
    starts = graph.starts()
    print(f"{n} examples; {(~starts).mean():.0%} of the neighbours are as far as the one before\n")
    order = graph.indices.astype(np.int64)
    rows: list[dict[str, Any]] = []
    cases: list[Any] = [*RATIOS, GRID, "integral"]
    for k in (1, 5, 15):
        for inclusion in ("bernoulli", "fixed"):
            for ratio in cases:
                exact = c_scores(graph, labels, k, ratio, inclusion)
                fixed = inclusion == "fixed"
                rng = np.random.default_rng(len(rows))
                drawn: list[Any]
                if isinstance(ratio, str):
                    # A size is uniform on 1..n-1, each with its own held-out counts; a probability on (0, 1).
                    if fixed:
                        drawn = [np.full(max(2, subsets // (n - 1)), (size + 0.25) / n) for size in range(1, n)]
                    else:
                        drawn = [rng.random(subsets)]
                else:
                    several = np.atleast_1d(ratio)
                    drawn = [np.full(subsets // len(several), one) for one in several]
                mean, variance, least = np.zeros(n), np.zeros(n), np.inf
                for part, ratios in enumerate(drawn):
                    found, spread, count = sampled(order, starts, labels, k, ratios, fixed, 1000 * len(rows) + 2 * part)
                    found, count = np.where(count > 0, found, 0.0), np.maximum(count, 1)
                    mean += found / len(drawn)
                    variance += np.where(count > 1, spread, 0.25) / count / len(drawn) ** 2
                    least = min(least, count.min())
                draws = np.where(fixed, subsets * (1 - np.mean([ratios[0] for ratios in drawn])), subsets)
                rare = exact * (1 - exact) * draws < 30
                variance = np.where(rare, np.maximum(variance, exact * (1 - exact) / draws), variance)
                errors = np.abs(mean - exact) / np.sqrt(np.maximum(variance, 1e-30))
                errors[np.abs(mean - exact) < 1e-12] = 0.0
                rows.append(
                    {
                        "k": k,
                        "inclusion": inclusion,
                        "ratio": "grid" if ratio is GRID else ratio,
                        "examples": n,
                        "subsets": subsets,
                        "within_3": float((errors <= 3).mean()),
                        "largest": round(float(errors.max()), 2),
                        "rms": round(float(np.sqrt((errors**2).mean())), 3),
                        "largest_difference": float(np.abs(mean - exact).max()),
                    }
                )
                print(f"k={k} {inclusion} {rows[-1]['ratio']}", flush=True)
    share = float(np.mean([row["within_3"] for row in rows]))
    worst = max(row["largest"] for row in rows)
    head = ("k", "inclusion", "ratio", "within_3", "largest", "rms", "largest_difference")
    table(head, [[f"{row[h]:.2e}" if h == "largest_difference" else row[h] for h in head] for row in rows])
    right = bool(share >= 0.99 and worst <= 6)
    print(f"\nwithin 3 standard errors: {share:.3%}, the largest {worst}; at least 99 % and none beyond 6: {right}")
    write(RESULTS / ("closed_form_agreement.csv"), rows)
    return right


def clusters(n: int, d: int, classes: int) -> tuple[Array, Array]:
    """Features of overlapping classes, 10 % of the labels wrong."""
    rng = np.random.default_rng(0)
    labels, centres = rng.integers(classes, size=n), rng.normal(size=(classes, d))
    x = (rng.normal(size=(n, d)) + 0.7 * centres[labels]).astype(np.float32)
    return x, symmetric(labels, classes, 0.1, seed=1)


def cost(n: int, searches: Sequence[Any]) -> bool:
    rows: list[dict[str, Any]] = []
    right = True
    for classes in (10, 100):
        # Many classes take long: a tenth of the examples.
        n = n if classes == 10 else n // 10
        x, labels = clusters(n, 128, classes)
        for search in searches if classes == 10 else searches[:1]:
            # Once with few rows, so that no compilation is timed.
            neighbour_graph(NeighbourNeed(Space("input"), depth=9), x[:500], {}, search, 0, False)
            start = time.perf_counter()
            graph = neighbour_graph(NeighbourNeed(Space("input"), depth=200), x, {}, search, 0, False)
            searched = time.perf_counter() - start
            if search is not searches[0]:
                name = f"search {search.name} {graph.settings['index']}"
                recall = round(graph.settings.get("recall", 1.0), 4)
                rows.append(
                    {"what": name, "classes": classes, "n": n, "depth": 200, "seconds": searched, "recall": recall}
                )
                continue
            rows.append(
                {
                    "what": f"search {search.name} exact",
                    "classes": classes,
                    "n": n,
                    "depth": 200,
                    "seconds": searched,
                    "recall": 1.0,
                }
            )
            for k, ratio in ((1, "integral"), (1, 0.3), (5, "integral"), (5, 0.3), (15, "integral"), (15, 0.3)):
                scorer = NeighbourCScore("input", k=k, ratio=ratio)
                near = graph.first(scorer._ordered()[0].depth)
                c_scores(
                    replace(near, indices=near.indices[:300] % 300, distances=near.distances[:300]),
                    labels[:300],
                    k,
                    ratio,
                    "bernoulli",
                )
                start = time.perf_counter()
                c_scores(near, labels, k, ratio, "bernoulli")
                took = time.perf_counter() - start
                what = f"closed form k={k} {ratio}"
                rows.append(
                    {"what": what, "classes": classes, "n": n, "depth": near.depth, "seconds": took, "recall": ""}
                )
                if k == 1 and classes == 10:
                    right &= took < 0.05 * searched and searched + took < 60
    table(
        ["", *list(rows[0])[1:]],
        [[row["what"], *list(row.values())[1:4], f"{row['seconds']:.3f}", row["recall"]] for row in rows],
    )
    print(f"\nclosed form of one neighbour under 5 % of the search, both under 60 s: {right}")
    write(RESULTS / "closed_form_cost.csv", rows)
    return bool(right)


def mnist(path: Path) -> None:
    with np.load(path) as data:
        images, labels, truth = (data[name] for name in ("images", "labels", "cscores"))
    labels = labels.astype(np.int64)
    rows: list[dict[str, Any]] = []
    recipe = replace(dataaudit.recipes.get("mnist"), epochs=2)
    model = dataaudit.networks.build("mlp", (28, 28), 10)
    for space in ("input", "hidden"):
        scorers = [NeighbourCScore(space, k=k, ratio=ratio) for k in (1, 5, 15) for ratio in ("integral", 0.1)]
        audit = (
            dataaudit.score(None, (images, labels), scorers, progress=False)
            if space == "input"
            else dataaudit.score(model, (images, labels), scorers, recipe=recipe, progress=False)
        )
        for scorer in scorers:
            rho = round(float(spearmanr(audit.columns[scorer.name], truth).statistic), 4)
            [how] = audit.settings["neighbours"][scorer.name]
            figures = {key: how[key] for key in ("search", "depth", "tail", "votes_beyond", "seconds")}
            hundredths = np.round(audit.columns[scorer.name], 2)
            tied = round(float(spearmanr(hundredths, truth).statistic), 4)
            row = {"score": scorer.name, "examples": len(labels), "spearman": rho, "spearman_hundredths": tied}
            rows.append({**row, **figures})
    print(f"{(truth == 1).mean():.1%} of the published scores are 1; spearman_hundredths: scores rounded to .01\n")
    table(list(rows[0]), [[f"{v:.4g}" if isinstance(v, float) else v for v in row.values()] for row in rows])
    write(RESULTS / "closed_form_mnist.csv", rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=("agreement", "cost"), default=("agreement", "cost"))
    parser.add_argument("--mnist", type=Path, help="also the comparison with published C-scores")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    globals()["RESULTS"] = options.results
    right = True
    if "agreement" in options.only:
        right &= agreement(50, 2000) if options.quick else agreement(200, 100_000)
    if "cost" in options.only:
        searches = (Faiss(), Torch(), PyNNDescent(), Faiss("ivf"))
        found = cost(600, searches[:2]) if options.quick else cost(60_000, searches)
        # So few rows say nothing about shares of time.
        right &= found or options.quick
    if options.mnist is not None:
        mnist(options.mnist)
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
