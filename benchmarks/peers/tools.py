"""What each tool makes of a case: scores, each with its figures, and decisions."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import Array, merit, missed
from benchmarks.peers.cases import Case, Source
from benchmarks.peers.cells import Row, cell
from benchmarks.peers.collect import Clock, Folds, Way

METHODS = [
    ("self_confidence", False),
    ("self_confidence", True),
    ("normalized_margin", False),
    ("normalized_margin", True),
    ("confidence_weighted_entropy", False),
]
VOTERS = 10
DATALAB_ROWS = 20000
"""Most rows of which Datalab gets features: its neighbours are sought one by one."""


def figures(values: Array, wrong: Array) -> Row:
    """AUROC, average precision and the share of the errors missed, by the lowest `values`."""
    auroc, average = merit(values, wrong)
    found = {"auroc": auroc, "average_precision": average, "missed": missed(values, wrong)}
    return {name: round(value, 5) for name, value in found.items()}


def spent(clock: Clock | Folds) -> Row:
    return {"wall": round(clock.wall, 2), "processor": round(clock.processor, 2)}


def audited(case: Case) -> dataaudit.Audit:
    """What a plain call gives."""
    source = case.source
    options = {} if source.processor is None else {"processor": source.processor}
    return dataaudit.score(source.model, (source.inputs, case.given), seed=case.seed, progress=False, **options)


def ranks(audit: dataaudit.Audit, name: str) -> Array:
    """Findings in `ranking`, which breaks ties."""
    places = np.empty(len(audit))
    places[audit.ranking(name)] = np.arange(len(audit))
    return places


def our_rows(case: Case, audit: dataaudit.Audit, clock: Clock) -> Iterator[Row]:
    """A row for every score of an audit; the recipe stands beside the default."""
    passes = audit.settings.get("passes")
    costs = {**spent(clock), "passes": "" if passes is None else round(float(passes), 2)}
    for name in audit.columns:
        is_default = name == audit.default
        yield {
            **cell(case, "dataaudit"),
            "score": name + (" (default)" if is_default else ""),
            **figures(ranks(audit, name), case.wrong),
            **costs,
            "recipe": json.dumps(audit.settings.get("recipe"), default=str) if is_default else "",
        }


def trusted(folds: Folds) -> Array:
    """Probabilities as cleanlab takes them: none is 0."""
    values = np.clip(folds.probabilities, 1e-12, None)
    return np.asarray(values / values.sum(1, keepdims=True))


def cleanlab_scores(case: Case, folds: Folds) -> Iterator[tuple[str, Array]]:
    """cleanlab's scores of out-of-fold predictions, Datalab's included."""
    from cleanlab.rank import get_label_quality_scores

    trust = trusted(folds)
    for method, adjust in METHODS:
        values = get_label_quality_scores(case.given, trust, method=method, adjust_pred_probs=adjust)
        yield method + (" adjusted" if adjust else ""), values
    yield "Datalab", datalab(case.given, pred_probs=trust)


def cleanlab_rows(case: Case, way: Way, folds: Folds) -> Iterator[Row]:
    costs = {**spent(folds), "passes": "" if way.passes is None else round(way.passes, 2)}
    for name, values in cleanlab_scores(case, folds):
        found = figures(values, case.wrong)
        yield {**cell(case, "cleanlab", way.name), "score": name, **found, **costs}


def datalab(given: Array, **what: Array) -> Array:
    from cleanlab import Datalab

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab = Datalab({"labels": given}, label_name="labels", verbosity=0)
        lab.find_issues(issue_types={"label": {}}, **what)
        return np.asarray(lab.get_issues("label")["label_score"], np.float64)


def feature_row(case: Case) -> Row:
    """Datalab of the inputs as vectors."""
    with Clock() as clock:
        values = datalab(case.given, features=case.source.vectors)
    what = cell(case, "cleanlab", "features")
    return {**what, "score": "Datalab of features", **figures(values, case.wrong), **spent(clock)}


def nearest_others(source: Source) -> Array:
    """Nearest others by the inputs as vectors, [n, k]; the same for every noise."""
    import faiss

    rows = np.ascontiguousarray(source.vectors - source.vectors.mean(0), np.float32)
    near = faiss.knn(rows, rows, VOTERS + 1)[1]
    itself = near == np.arange(len(rows))[:, None]
    itself[~itself.any(1), -1] = True
    return np.asarray(near[~itself].reshape(len(rows), VOTERS))


def vote(case: Case, near: Array) -> Array:
    """Share of the nearest others that have the given label."""
    return np.asarray((case.given[near] == case.given[:, None]).mean(1))


def our_decisions(case: Case, audit: dataaudit.Audit) -> Row:
    """Count, flags and suggestions of an audit; no flags where it does not know how many labels are wrong."""
    wrong, noise = case.wrong, audit.noise_rate()
    if not noise.known:
        bounds = {"rate": round(float(wrong.mean()), 5), "estimated": noise.rate, "lower": 0.0, "upper": 1.0}
        return {**cell(case, "dataaudit"), **bounds, "flagged": 0, "flagged_90": 0, "precision_90": "not reached"}
    flagged = audit.mislabeled()
    chosen = flagged["row"].to_numpy()
    hits = chosen[wrong[chosen]]
    names = np.array(audit.class_names)
    right = names[case.source.true[hits]] == flagged["suggested"].to_numpy()[wrong[chosen]]
    row: Row = {
        **cell(case, "dataaudit"),
        "rate": round(float(wrong.mean()), 5),
        "estimated": round(noise.rate, 5),
        "lower": round(noise.lower, 5),
        "upper": round(noise.upper, 5),
        "estimates": json.dumps({name: round(value, 5) for name, value in noise.estimates.items()}),
        "flagged": len(chosen),
        "precision": round(float(wrong[chosen].mean()), 4) if len(chosen) else "",
        "recall": round(float(len(hits) / wrong.sum()), 4),
        "suggestion_right": round(float(right.mean()), 4) if len(hits) else "",
    }
    order = np.argsort(-audit.error_probability(), kind="stable")
    true_precision = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    # A target counts as within reach where sets of some size have it.
    row["reachable_90"] = bool((true_precision[20:] >= 0.9).any())
    try:
        at = audit.mislabeled(precision=0.9)["row"].to_numpy()
        row |= {"flagged_90": len(at), "precision_90": round(float(wrong[at].mean()), 4)}
    except dataaudit.errors.SettingError:
        row |= {"flagged_90": 0, "precision_90": "not reached"}
    return row


def cleanlab_decisions(case: Case, way: Way, folds: Folds) -> Row:
    """cleanlab's count and flags."""
    from cleanlab.count import num_label_issues
    from cleanlab.filter import find_label_issues

    wrong, trust = case.wrong, trusted(folds)
    flagged: Any = find_label_issues(case.given, trust)
    return {
        **cell(case, "cleanlab", way.name),
        "rate": round(float(wrong.mean()), 5),
        "estimated": round(num_label_issues(case.given, trust) / len(wrong), 5),
        "flagged": int(flagged.sum()),
        "precision": round(float(wrong[flagged].mean()), 4) if flagged.any() else "",
        "recall": round(float(wrong[flagged].sum() / wrong.sum()), 4),
    }
