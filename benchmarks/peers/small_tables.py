"""Small tables: is the consensus below its sources, below cleanlab, moved by units of columns, or by the seed?

    python -m benchmarks.peers.small_tables --data FOLDER [--code FOLDER] [--only NAME ...] [--seeds 1 2 3] [--table]

Needs satellite.csv in --data; other tables are scikit-learn's. Errors are planted at random and among the rows that a
second model (a support vector machine) finds hardest. Every figure is a row of results/small_tables.csv, appended as
soon as it is there; what is there already is skipped, so that an interrupted run goes on. --code runs the library of
another checkout, for figures of before. cleanlab gets five folds of the same model, and the best of its scores counts,
in hindsight. Three folds were chosen on the noise of seed 0, and so were the constants of the consensus that
benchmarks/peers/constants.py compares with others, on tables of seeds 0 and 1; the tables here are of the other seeds
than 0 unless --seeds says otherwise.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.common import Array, append, kept, machine, symmetric, table

RESULTS = Path(__file__).parent / "results" / "small_tables.csv"
DATA = ("wine", "breast cancer", "satellite 700", "digits 600", "satellite 2000")
MODELS = ("none", "logistic", "boosting", "forest")
NOISES = ("random 10%", "random 20%", "hard 10%", "hard 20%")
METHODS = [
    ("self_confidence", False),
    ("self_confidence", True),
    ("normalized_margin", False),
    ("normalized_margin", True),
    ("confidence_weighted_entropy", False),
]
SPREAD = 10
OTHER = ("source ", "audit seed", "rank correlation")
"""What figures that are no score's own begin with."""
KEY = ("code", "data", "model", "noise", "seed")
FIELDS = [*KEY, "score", "value", "seconds", "commit", "machine", "versions"]


@cache
def rows_of(name: str, folder: Path) -> tuple[Array, Array]:
    """Columns float64 [n, d] in their own units, and labels."""
    kind, rows = name.rsplit(" ", 1) if name[-1].isdigit() else (name, "")
    if kind == "satellite":
        with (folder / "satellite.csv").open(newline="") as file:
            read = list(csv.DictReader(file))
        x = np.array([[float(v) for k, v in row.items() if k != "label"] for row in read])
        y = np.unique([row["label"] for row in read], return_inverse=True)[1]
    else:
        load = {
            "wine": datasets.load_wine,
            "breast cancer": datasets.load_breast_cancer,
            "digits": datasets.load_digits,
        }
        x, y = load[kind](return_X_y=True)
    if rows:
        some = np.random.default_rng(0).permutation(len(y))[: int(rows)]
        x, y = x[some], y[some]
    return np.asarray(x, np.float64), y.astype(np.int64)


def model_of(name: str) -> Any:
    """An unfitted model; None for none."""
    models: dict[str, Any] = {
        "none": lambda: None,
        "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "boosting": lambda: HistGradientBoostingClassifier(max_iter=60, early_stopping=False),
        "forest": lambda: RandomForestClassifier(100),
    }
    return models[name]()


@cache
def hardness(name: str, folder: Path) -> tuple[Array, Array]:
    """Of each row: how clearly a second model tells its class, and the class that it takes it for otherwise."""
    x, y = rows_of(name, folder)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    machine = make_pipeline(StandardScaler(), SVC(decision_function_shape="ovr"))
    found = cross_val_predict(machine, x, y, cv=folds, method="decision_function")
    found = np.stack([-found, found], 1) if found.ndim == 1 else found
    own = found[np.arange(len(y)), y].copy()
    found[np.arange(len(y)), y] = -np.inf
    return own - found.max(1), found.argmax(1)


def planted(name: str, folder: Path, noise: str, seed: int) -> Array:
    """Labels with exactly that share of errors."""
    y = rows_of(name, folder)[1]
    kind, share = noise.split()[0], float(noise.split()[1].rstrip("%")) / 100
    if kind == "random":
        return symmetric(y, int(y.max()) + 1, share, 1000 + seed)
    clear, rival = hardness(name, folder)
    hardest = np.argsort(clear)[: round(max(2 * share, 0.3) * len(y))]
    wrong = np.random.default_rng(1000 + seed).choice(hardest, round(share * len(y)), replace=False)
    given = y.copy()
    given[wrong] = rival[wrong]
    return given


def sources(audit: Any) -> dict[str, Array]:
    """What each source alone says of the given labels, by its name."""
    evidence, every = audit.evidence, slice(0, len(audit))
    own = np.arange(len(audit)), audit.labels
    found = {}
    for name, part in (
        ("dynamics", evidence.dynamics),
        ("heldout", None if evidence.heldout is None else evidence.heldout.probabilities),
        ("neighbours", None if evidence.neighbour_labels is None else evidence.neighbour_labels.probabilities),
    ):
        if part is not None:
            found[name] = part.dense(every)[own]
    return found


def cleanlab_best(name: str, folder: Path, model: str, given: Array, wrong: Array, seed: int) -> float:
    """Best of cleanlab's scores, of five folds of the same model."""
    from cleanlab.rank import get_label_quality_scores

    x = rows_of(name, folder)[0]
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    chosen = model_of(model)
    if "random_state" in chosen.get_params():
        chosen.set_params(random_state=seed)
    said = cross_val_predict(chosen, x, given, cv=folds, method="predict_proba")
    said = np.clip(said, 1e-12, None)
    said /= said.sum(1, keepdims=True)
    best: float = max(
        average_precision_score(
            wrong, -get_label_quality_scores(given, said, method=method, adjust_pred_probs=adjusted)
        )
        for method, adjusted in METHODS
    )
    return best


def cell(name: str, folder: Path, model: str, noise: str, seed: int, peer: bool) -> Iterator[tuple[str, float, float]]:
    """Every figure of a cell: its name, value and seconds."""
    import dataaudit

    x, y = rows_of(name, folder)
    given = planted(name, folder, noise, seed)
    wrong = given != y
    start = time.perf_counter()
    audit = dataaudit.score(model_of(model), (x, given), seed=seed, progress=False)
    spent = time.perf_counter() - start
    for column, values in audit.columns.items():
        yield column, average_precision_score(wrong, -values), spent
    for source, values in sources(audit).items():
        yield f"source {source}", average_precision_score(wrong, -values), 0.0
    if peer and model != "none":
        start = time.perf_counter()
        best = cleanlab_best(name, folder, model, given, wrong, seed)
        yield "cleanlab", best, time.perf_counter() - start


def invariance(name: str, folder: Path, model: str, noise: str, seed: int) -> Iterator[tuple[str, float, float]]:
    """Rank correlation of the consensus before and after columns were multiplied by factors from 1e-3 to 1e3."""
    import dataaudit

    x = rows_of(name, folder)[0]
    given = planted(name, folder, noise, seed)
    factors = 10.0 ** np.random.default_rng(seed).uniform(-3, 3, x.shape[1])
    values = [
        dataaudit.score(model_of(model), (rows, given), "consensus", seed=seed, progress=False).columns["consensus"]
        for rows in (x, x * factors)
    ]
    before, after = (rankdata(one) for one in values)
    yield "rank correlation", float(np.corrcoef(before, after)[0, 1]), 0.0


def spread(name: str, folder: Path, model: str, noise: str, seed: int) -> Iterator[tuple[str, float, float]]:
    """Average precision of the consensus by the seed of the audit alone, the errors being the same."""
    import dataaudit

    x, y = rows_of(name, folder)
    given = planted(name, folder, noise, seed)
    for number in range(SPREAD):
        audit = dataaudit.score(model_of(model), (x, given), "consensus", seed=number, progress=False)
        values = audit.columns["consensus"]
        yield f"audit seed {number}", average_precision_score(given != y, -values), 0.0


def lines_of(key: tuple[str, ...], figures: list[tuple[str, float, float]], here: dict[str, str]) -> Iterator[Any]:
    """Lines of one cell."""
    for score, value, seconds in figures:
        line = {"score": score, "value": round(value, 5), "seconds": round(seconds, 2)}
        yield {**dict(zip(KEY, key, strict=True)), **line, **here}


def run(options: argparse.Namespace) -> None:
    """All cells that are not there yet."""
    here = machine()
    if options.code:
        folder = str(options.code.resolve())
        sys.path[:0] = [folder, f"{folder}/kernels"]
        asked = ["git", "-C", folder, "rev-parse", "--short", "HEAD"]
        here["commit"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    code = "before" if options.code else "now"
    kinds: dict[str, Any] = {"cell": cell, "invariance": invariance, "spread": spread}
    there = {(*(line[name] for name in KEY), _kind(line["score"])) for line in kept(RESULTS)}
    for seed in options.seeds:
        for name in options.only:
            for model in options.models:
                for noise in options.noises:
                    key = (code, name, model, noise, str(seed))
                    if (*key, options.kind) in there:
                        continue
                    more = {"peer": code == "now"} if options.kind == "cell" else {}
                    figures = list(kinds[options.kind](name, options.data, model, noise, seed, **more))
                    append(RESULTS, FIELDS, lines_of(key, figures, here))
                    print(*key, options.kind, f"{figures[0][1]:.3f}", flush=True)


def _kind(score: str) -> str:
    if score == "rank correlation":
        return "invariance"
    return "spread" if score.startswith("audit seed") else "cell"


def tables(seeds: list[int]) -> None:
    """Summaries of what is there."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for line in kept(RESULTS):
        if int(line["seed"]) in seeds or _kind(line["score"]) != "cell":
            found.setdefault(tuple(line[name] for name in KEY), {})[line["score"]] = float(line["value"])
    groups: dict[tuple[str, ...], list[dict[str, float]]] = {}
    for key, scores in found.items():
        if key[0] == "now" and "consensus" in scores:
            earlier = found.get(("before", *key[1:]), {}).get("consensus", np.nan)
            groups.setdefault(key[1:4], []).append({**scores, "before": earlier})
    lines = [_line(key, cells) for key, cells in sorted(groups.items())]
    print("\nMedians over seeds: average precision, and differences of it in each cell")
    head = ["cell", "seeds (before)", "before", "consensus", "- best source", "- best score", "- cleanlab"]
    table(head, ([line[0], line[1], *(f"{v:.3f}" for v in line[2:])] for line in lines))
    for place, text, least in ((4, "at most .01 below its best source", -0.01), (6, "above cleanlab's best", 0.0)):
        known = [line[place] for line in lines if not np.isnan(line[place])]
        print(f"{text}: {sum(value >= least for value in known)} of {len(known)} cells")
    every = [line[5] for line in lines]
    if every:
        print(f"consensus - best single score in hindsight, median over cells: {np.median(every):+.4f}")
    print("\nRank correlation under factors of columns")
    table(["cell", "before", "now"], _paired(found, "rank correlation", np.median))
    print("\nStandard deviation of average precision over seeds of the audit")
    table(["cell", "before", "now"], _paired(found, "audit seed", np.std))


def _line(key: tuple[str, ...], cells: list[dict[str, float]]) -> list[Any]:
    own = [max(v for k, v in one.items() if k.startswith("source ")) for one in cells]
    single = [
        max(v for k, v in one.items() if k not in ("consensus", "before", "cleanlab") and not k.startswith(OTHER))
        for one in cells
    ]
    values = np.array([one["consensus"] for one in cells])
    peer = np.array([one.get("cleanlab", np.nan) for one in cells])
    earlier = [one["before"] for one in cells if not np.isnan(one["before"])]
    before = float(np.median(earlier)) if earlier else np.nan
    differences = (float(np.median(values - np.array(other))) for other in (own, single, peer))
    return [" ".join(key), f"{len(cells)} ({len(earlier)})", before, float(np.median(values)), *differences]


def _paired(found: dict[tuple[str, ...], dict[str, float]], score: str, summary: Any) -> list[list[str]]:
    cells: dict[str, dict[str, str]] = {}
    for key, scores in found.items():
        values = [value for name, value in scores.items() if name.startswith(score)]
        if values:
            cells.setdefault(" ".join(key[1:]), {})[key[0]] = f"{summary(values):.4f}"
    return [[name, both.get("before", "-"), both.get("now", "-")] for name, both in sorted(cells.items())]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--code", type=Path)
    parser.add_argument("--only", nargs="+", default=list(DATA))
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--noises", nargs="+", default=list(NOISES))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(1, 11)))
    parser.add_argument("--kind", choices=("cell", "invariance", "spread"), default="cell")
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not options.table:
            run(options)
        tables(options.seeds)


if __name__ == "__main__":
    main()
