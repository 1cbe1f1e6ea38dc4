"""How the count of label errors and their probabilities were chosen, each from its rivals, over several data sets.

    python -m benchmarks.peers.decisions --data FOLDER [--fashion FOLDER] [--cache FOLDER] [--seeds 0]

Cases are those of benchmarks/peers/label_errors.py, and so are cleanlab's folds, which it leaves in --cache; our runs
are made again. Of networks on images cleanlab gets the predictions by what "auto" chose. Two tables: estimates of the
number of errors, and how sharp error probabilities are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture

import dataaudit
from benchmarks.common import FASHION, Array, symmetric, table, write
from benchmarks.peers.cases import Case, cases, planted, sources
from benchmarks.peers.collect import Folds, Way, kept_at, out_of_fold, ways
from benchmarks.peers.tools import audited, trusted
from dataaudit.labels import judgement

Row = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
TEMPERATURES = (0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)
TARGET = 0.9


def mixture(values: Array) -> float:
    """Share of the lower of two normal components of a score."""
    fitted = GaussianMixture(2, random_state=0).fit(values[:, None])
    return float(fitted.weights_[fitted.means_[:, 0].argmin()])


def second_run(case: Case, audit: dataaudit.Audit) -> Row:
    """Estimates that cost a run of their own: more errors planted, and threshold samples (Pleiss et al. 2020)."""
    source, given = case.source, case.given
    classes = len(audit.class_names)
    more = symmetric(given, classes, 0.1, 100 + case.seed)
    again = dataaudit.score(source.model, (source.inputs, more), "label_quality", seed=case.seed, progress=False)
    values, planted = again.columns["label_quality"], more != given
    level = np.median(values[planted])
    found = {"planted in a second run": float((values[~planted] <= level).mean() / 0.5)}
    if isinstance(source.inputs, np.ndarray) and not hasattr(source.model, "get_params"):
        rng = np.random.default_rng(200 + case.seed)
        sampled = rng.choice(len(given), len(given) // (classes + 1), replace=False)
        fake = given.copy()
        fake[sampled] = classes
        wider = dataaudit.networks.build("mlp", source.inputs.shape[1:], classes + 1)
        run = dataaudit.score(wider, (source.inputs, fake), "mean_margin", seed=case.seed, progress=False)
        margin = run.columns["mean_margin"]
        threshold = np.percentile(margin[sampled], 99)
        rest = np.ones(len(given), bool)
        rest[sampled] = False
        found["threshold samples"] = float((margin[rest] <= threshold).mean())
    return found


def count_row(case: Case, folds: Folds, audit: dataaudit.Audit, runs: bool) -> Row:
    """Every estimate of the share of errors."""
    from cleanlab.count import estimate_joint, num_label_issues

    trust = trusted(folds)
    quality = audit.columns.get("label_quality", audit.columns[audit.default])
    noise = audit.noise_rate()
    row: Row = {
        "data": case.source.name,
        "noise": case.noise,
        "seed": case.seed,
        "rate": float(case.wrong.mean()),
        "chosen: median": noise.rate,
        **noise.estimates,
        "geometric mean": float(np.exp(np.mean(np.log(np.maximum(list(noise.estimates.values()), 1e-6))))),
        "two components of the score": mixture(quality),
        "two components of the margin": mixture(audit.margin),
        "cleanlab, num_label_issues": num_label_issues(case.given, trust) / len(case.given),
        "cleanlab, joint": float(1 - np.trace(estimate_joint(case.given, trust))),
        "lower": noise.lower,
        "upper": noise.upper,
    }
    if runs and audit.dynamics is not None and len(case.given) <= 10000 and isinstance(case.source.inputs, np.ndarray):
        row |= second_run(case, audit)
    return row


def precision_rows(case: Case, audit: dataaudit.Audit) -> Iterator[Row]:
    """Precision of the set that is expected to have `TARGET`, for every temperature."""
    evidence = audit._evidence
    assert evidence is not None
    assert evidence.beliefs is not None
    kept = dict(judgement.TEMPERATURE)
    for temperature in TEMPERATURES:
        judgement.TEMPERATURE.update(dict.fromkeys(kept, temperature))
        try:
            found = judgement.judge(evidence.beliefs, evidence.labels, len(evidence.class_names))
        finally:
            judgement.TEMPERATURE.update(kept)
        order = np.argsort(-found.probability, kind="stable")
        falling = found.probability[order]
        reached = np.flatnonzero(np.cumsum(falling) / np.arange(1, len(order) + 1) >= TARGET)
        right = case.wrong[order]
        yield {
            "data": case.source.name,
            "noise": case.noise,
            "seed": case.seed,
            "dynamics": evidence.beliefs.remembered,
            "temperature": temperature,
            "precision": float(right[: reached[-1] + 1].mean()) if len(reached) else "",
        }


def tell_counts(rows: list[Row]) -> None:
    counted = [row for row in rows if row["noise"].startswith(("symmetric", "pairs"))]
    fixed = ("data", "noise", "seed", "rate", "lower", "upper")
    lines = []
    for name in dict.fromkeys(key for row in counted for key in row if key not in fixed):
        pairs = np.array([(row[name], row["rate"]) for row in counted if row.get(name, "") != ""])
        within = np.abs(pairs[:, 0] - pairs[:, 1]) <= np.maximum(0.2 * pairs[:, 1], 0.01)
        logs = np.log(np.maximum(pairs[:, 0], 1e-4) / pairs[:, 1])
        lines.append(
            [name, len(pairs), f"{within.mean():.0%}", f"{logs.mean():+.2f}", f"{np.sqrt((logs**2).mean()):.2f}"]
        )
    print("\nestimates of the number of errors, symmetric and pair noise")
    table(["", "cases", "within 20 % or .01", "mean log ratio", "root mean square"], lines)
    inside = np.mean([row["lower"] <= row["rate"] <= row["upper"] for row in counted])
    print(f"the interval of the chosen one holds the truth in {inside:.0%}")


def tell_precision(rows: list[Row]) -> None:
    lines = []
    known = [row for row in rows if planted(row["noise"])]
    for dynamics in (True, False):
        for temperature in TEMPERATURES:
            own = [row for row in known if row["dynamics"] == dynamics and row["temperature"] == temperature]
            if not own:
                continue
            reached = np.array([row["precision"] for row in own if row["precision"] != ""], np.float64)
            mark = " (shipped)" if judgement.TEMPERATURE[dynamics] == temperature else ""
            off = np.abs(reached - TARGET)
            lines.append(
                [
                    f"{'with' if dynamics else 'without'} dynamics, temperature {temperature}{mark}",
                    f"{len(reached)} of {len(own)}",
                    f"{(off <= 0.05).sum() / len(own):.0%}",
                    f"{np.median(reached):.3f}" if len(reached) else "",
                ]
            )
    print(f"\nprecision of the set that is expected to have {TARGET}")
    table(["", "reached", "within .05", "median precision"], lines)


def all_there(case: Case, trained: list[Way], cache: Path) -> bool:
    return all(kept_at(case, way, cache).exists() for way in trained)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data", metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--cache", default="label_error_cache", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", help="names of data sets with models")
    parser.add_argument("--cached", action="store_true", help="only cases whose folds are all there")
    parser.add_argument("--runs", action="store_true", help="also estimates that need runs of their own")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    cache = Path(options.cache)
    cache.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[Row]] = {"counts": [], "precision": []}
    made = sources(options)
    for name in options.only or made:
        source = made[name]()
        for case in cases(source, options.seeds):
            # Networks wait for the recipe that `score` chooses; the rest can be told before.
            if options.cached and not all_there(case, list(ways(case, None)), cache):
                continue
            audit = audited(case)
            trained = [way for way in ways(case, audit.settings.get("recipe")) if way.name != "12 epochs"]
            if options.cached and not all_there(case, trained, cache):
                continue
            found = [out_of_fold(case, way, cache) for way in trained]
            parts["counts"].append(count_row(case, found[-1], audit, options.runs))
            parts["precision"] += precision_rows(case, audit)
            print(f"{name}, {case.noise}, seed {case.seed}", flush=True)
    tell_counts(parts["counts"])
    tell_precision(parts["precision"])
    heads = list(dict.fromkeys(key for row in parts["counts"] for key in row))
    parts["counts"] = [{key: row.get(key, "") for key in heads} for row in parts["counts"]]
    for name, rows in parts.items():
        write(options.out / f"decisions_{name}.csv", rows)


if __name__ == "__main__":
    main()
