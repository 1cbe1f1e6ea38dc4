"""Who finds label errors, how many, and at what cost: this library, cleanlab, the aum package and a k-NN vote.

    python -m benchmarks.peers.label_errors --data FOLDER [--fashion FOLDER] [--cache FOLDER] [--only NAME ...]

Needs satellite.csv, trec.csv, hausa_news.csv and yoruba_news.csv in --data. Every setting of `score` is the default.
Each case trains our model once (the aum package rides along) and by 5-fold cross-validation for cleanlab, whose best
score counts, Datalab's included. What was trained is kept in --cache, so that an interrupted run goes on; seconds are
those of the training, wall and processor. `--table` prints the tables of an earlier run.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dataaudit
from benchmarks.common import FASHION, Array, merit, table, write
from benchmarks.peers.cases import NOISES, REAL, Case, Source, cases, sources
from benchmarks.peers.collect import Clock, collect
from dataaudit._choice import FEW

Row = dict[str, Any]
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

RESULTS = Path(__file__).parent / "results"


def trains_itself(case: Case) -> bool:
    """Whether the audit of a case is made from scratch: it is quick, or trains more than was collected."""
    return case.given.size <= FEW and case.source.inputs is case.source.vectors


def audited(case: Case, found: dict[str, Any]) -> dataaudit.Audit:
    """What `score` gives, from the training run that was collected."""
    source, data = case.source, (case.source.inputs, case.given)
    if "recorder" not in found:
        # Vectors and texts need no model: ridge regression that leaves out one at a time is part of the consensus.
        return dataaudit.score(None, data, seed=case.seed, progress=False)
    recorder = dataaudit.Recorder(len(case.given), int(max(case.given.max(), source.true.max())) + 1)
    recorder.load_state_dict(found["recorder"])
    model = None
    options = {} if source.processor is None else {"processor": source.processor}
    if "module" in found:
        model = source.model() if not isinstance(source.model, torch.nn.Module) else source.model
        model.load_state_dict(found["module"])
    options = options if model is not None else {}
    if trains_itself(case):
        # Of small data sets `score` also trains on folds, which a recorder does not stand for.
        return dataaudit.score(source.model, data, seed=case.seed, progress=False)
    return dataaudit.score(model, data, seed=case.seed, progress=False, precomputed=recorder, **options)


def ranks(audit: dataaudit.Audit, name: str) -> Array:
    """Places in `ranking`, which breaks ties."""
    places = np.empty(len(audit))
    places[audit.ranking(name)] = np.arange(len(audit))
    return places


def seconds(found: dict[str, Any], *keys: str) -> dict[str, float]:
    return {kind: round(sum(found[f"{key} {kind}"] for key in keys), 2) for kind in ("wall", "processor")}


def cleanlab_scores(case: Case, found: dict[str, Any]) -> Iterator[tuple[str, Array, dict[str, float]]]:
    from cleanlab.rank import get_label_quality_scores

    for name in folds(found):
        spent = seconds(found, f"folds {name}")
        for method, adjust in METHODS:
            values = get_label_quality_scores(case.given, trusted(found, name), method=method, adjust_pred_probs=adjust)
            yield f"{name}, {method}{' adjusted' if adjust else ''}", values, spent
        yield f"{name}, Datalab", datalab(case.given, pred_probs=trusted(found, name)), spent
    if len(case.given) <= DATALAB_ROWS:
        with Clock() as clock:
            values = datalab(case.given, features=case.source.vectors)
        yield "Datalab of features", values, {"wall": round(clock.wall, 2), "processor": round(clock.processor, 2)}


def folds(found: dict[str, Any]) -> list[str]:
    return [
        key.removeprefix("folds ")
        for key in found
        if key.startswith("folds ") and not key.endswith((" wall", " processor"))
    ]


def trusted(found: dict[str, Any], name: str) -> Array:
    values = np.clip(found[f"folds {name}"].numpy(), 1e-12, None)
    return np.asarray(values / values.sum(1, keepdims=True))


def datalab(given: Array, **what: Array) -> Array:
    from cleanlab import Datalab

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab = Datalab({"labels": given}, label_name="labels", verbosity=0)
        lab.find_issues(issue_types={"label": {}}, **what)
        return np.asarray(lab.get_issues("label")["label_score"], np.float64)


def vote(source: Source, kept: dict[str, Array]) -> Array:
    """Nearest others by the features, [n, k]; the same for every noise."""
    import faiss

    if source.name not in kept:
        rows = np.ascontiguousarray(source.vectors - source.vectors.mean(0), np.float32)
        near = faiss.knn(rows, rows, VOTERS + 1)[1]
        itself = near == np.arange(len(rows))[:, None]
        itself[~itself.any(1), -1] = True
        kept.clear()
        kept[source.name] = near[~itself].reshape(len(rows), VOTERS)
    return kept[source.name]


def scored(case: Case, found: dict[str, Any], audit: dataaudit.Audit, clock: Clock, near: Array) -> Iterator[Row]:
    """One row a tool and score."""
    ours = {"wall": clock.wall, "processor": clock.processor}
    if "recorder" in found and not trains_itself(case):
        ours = {kind: value + found[f"train_{kind}"] for kind, value in ours.items()}
    ours = {kind: round(value, 2) for kind, value in ours.items()}
    lines: list[tuple[str, str, Array, dict[str, float]]] = [
        ("dataaudit", name + (" (default)" if name == audit.default else ""), ranks(audit, name), ours)
        for name in audit.columns
    ]
    lines += [("cleanlab", name, values, spent) for name, values, spent in cleanlab_scores(case, found)]
    if "aum" in found:
        spent = {kind: round(found[f"aum_{kind}"], 2) for kind in ("wall", "processor")}
        lines.append(("aum", "aum", found["aum"].numpy(), spent))
    lines.append(("k-NN", f"vote of {VOTERS}", (case.given[near] == case.given[:, None]).mean(1), {}))
    for tool, score, values, spent in lines:
        auroc, average = merit(values, case.wrong)
        yield {
            "data": case.source.name,
            "noise": case.noise,
            "seed": case.seed,
            "tool": tool,
            "score": score,
            "auroc": round(auroc, 5),
            "average_precision": round(average, 5),
            "wall": spent.get("wall", ""),
            "processor": spent.get("processor", ""),
        }


def decided(case: Case, found: dict[str, Any], audit: dataaudit.Audit) -> Row:
    """Counts, flags and suggestions."""
    from cleanlab.count import num_label_issues
    from cleanlab.filter import find_label_issues

    wrong, noise = case.wrong, audit.noise_rate()
    name = folds(found)[-1]
    theirs = find_label_issues(case.given, trusted(found, name))
    flagged = audit.mislabeled()
    chosen = flagged["index"].to_numpy()
    hits = chosen[wrong[chosen]]
    names = np.array(audit.class_names)
    right = names[case.source.true[hits]] == flagged["suggested"].to_numpy()[wrong[chosen]]
    row: Row = {
        "data": case.source.name,
        "noise": case.noise,
        "seed": case.seed,
        "rate": round(float(wrong.mean()), 5),
        "estimated": round(noise.rate, 5),
        "lower": round(noise.lower, 5),
        "upper": round(noise.upper, 5),
        **{name: round(value, 5) for name, value in noise.estimates.items()},
        "cleanlab": round(num_label_issues(case.given, trusted(found, name)) / len(wrong), 5),
        "flagged": len(chosen),
        "precision": round(float(wrong[chosen].mean()), 4) if len(chosen) else "",
        "recall": round(float(len(hits) / wrong.sum()), 4),
        "suggestion_right": round(float(right.mean()), 4) if len(hits) else "",
        "cleanlab_flagged": int(theirs.sum()),
        "cleanlab_precision": round(float(wrong[theirs].mean()), 4) if theirs.any() else "",
        "cleanlab_recall": round(float(wrong[theirs].sum() / wrong.sum()), 4),
    }
    order = np.argsort(-audit.error_probability(), kind="stable")
    true_precision = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    # A target counts as within reach where sets of some size have it.
    row["reachable_90"] = bool((true_precision[20:] >= 0.9).any())
    try:
        at = audit.mislabeled(precision=0.9)["index"].to_numpy()
        row |= {"flagged_90": len(at), "precision_90": round(float(wrong[at].mean()), 4)}
    except dataaudit.errors.SettingError:
        row |= {"flagged_90": 0, "precision_90": "not reached"}
    return row


def run(case: Case, cache: Path, kept: dict[str, Array]) -> tuple[list[Row], Row]:
    found = collect(case, cache)
    with Clock() as clock:
        audit = audited(case, found)
    near = vote(case.source, kept)
    return list(scored(case, found, audit, clock, near)), decided(case, found, audit)


def medians(rows: list[Row], field: str) -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """By (data, noise), then by (tool, score)."""
    gathered: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = {}
    for row in rows:
        if row[field] != "":
            places = gathered.setdefault((row["data"], row["noise"]), {})
            places.setdefault((row["tool"], row["score"]), []).append(float(row[field]))
    return {
        case: {score: float(np.median(values)) for score, values in scores.items()} for case, scores in gathered.items()
    }


def summarise_scores(rows: list[Row]) -> None:
    fields = {field: medians(rows, field) for field in ("auroc", "average_precision", "wall", "processor")}
    lines, gains = [], []
    for case, scores in fields["auroc"].items():
        average = fields["average_precision"][case]
        mine = next(score for score in scores if "(default)" in score[1])
        theirs = [score for score in scores if score[0] == "cleanlab"]
        best = max(theirs, key=lambda score: scores[score]), max(theirs, key=lambda score: average[score])
        gain = scores[mine] - scores[best[0]], average[mine] - average[best[1]]
        gains.append(gain)
        others = [score for score in scores if score[0] in ("aum", "k-NN")]
        same = ("cleanlab", next(s[1] for s in theirs if s[1].endswith("self_confidence")))
        ratio = {kind: fields[kind][case][mine] / max(fields[kind][case][same], 1e-9) for kind in ("wall", "processor")}
        lines.append(
            [
                " ".join(case),
                f"{scores[mine]:.4f} / {average[mine]:.3f}",
                f"{scores[best[0]]:.4f} / {average[best[1]]:.3f}",
                f"{gain[0]:+.4f} / {gain[1]:+.3f}",
                *(f"{scores[s]:.4f} / {average[s]:.3f}" for s in sorted(others, reverse=True)),
                *([""] if len(others) < 2 else []),
                f"{fields['wall'][case][mine]:.1f} s",
                f"{ratio['wall']:.2f}, {ratio['processor']:.2f}",
            ]
        )
    head = ["AUROC / AP", "default", "cleanlab, best", "gain", "k-NN vote", "aum", "time", "of cleanlab's, wall, cpu"]
    table(head, lines)
    values = np.array(gains)
    print(
        f"above cleanlab's best in {(values > 0).mean(0)[0]:.0%} (AUROC) and {(values > 0).mean(0)[1]:.0%} (AP) of "
        f"{len(values)} rows, both in {(values > 0).all(1).mean():.0%}; lowest {values.min(0)[0]:+.4f} and "
        f"{values.min(0)[1]:+.3f}; more than .005 below in {(values < -0.005).any(1).sum()}"
    )


def summarise_decisions(rows: list[Row]) -> None:
    lines, good, covered, precise, suggested = [], [], [], [], []
    for case in dict.fromkeys((row["data"], row["noise"]) for row in rows):
        own = [row for row in rows if (row["data"], row["noise"]) == case]
        rate, guess, lower, upper, theirs = (
            float(np.median([float(row[name]) for row in own]))
            for name in ("rate", "estimated", "lower", "upper", "cleanlab")
        )
        counted = case[1].startswith(("symmetric", "pairs"))
        within = abs(guess - rate) <= max(0.2 * rate, 0.01)
        if counted:
            good.append((within, abs(theirs - rate) <= max(0.2 * rate, 0.01)))
            covered.append(lower <= rate <= upper)
        reached = [float(row["precision_90"]) for row in own if row["precision_90"] != "not reached"]
        at = float(np.median(reached)) if reached else float("nan")
        if reached and all(str(row["reachable_90"]) == "True" for row in own) and case[1] != "real":
            precise.append(abs(at - 0.9) <= 0.05)
        right = float(np.median([float(row["suggestion_right"] or "nan") for row in own]))
        if case[1] != "real":
            suggested.append(right >= 0.85)
        flags = [float(np.median([float(row[name] or "nan") for row in own])) for name in ("precision", "recall")]
        lab = [
            float(np.median([float(row[f"cleanlab_{name}"] or "nan") for row in own]))
            for name in ("precision", "recall")
        ]
        lines.append(
            [
                " ".join(case),
                f"{rate:.3f}",
                f"{guess:.3f} [{lower:.3f}, {upper:.3f}]",
                f"{theirs:.3f}",
                "{:.2f} / {:.2f}".format(*flags),
                "{:.2f} / {:.2f}".format(*lab),
                f"{at:.3f}" if reached else "not reached",
                f"{right:.2f}",
            ]
        )
    head = ["", "errors", "estimated", "cleanlab", "precision / recall", "cleanlab's", "at precision .9", "suggestion"]
    table(head, lines)
    counts = np.array(good).reshape(-1, 2)
    print(
        f"rate within 20 % or .01: {mean(counts[:, 0]):.0%} of {len(counts)} rows with symmetric or pair noise, "
        f"cleanlab {mean(counts[:, 1]):.0%}; interval holds the truth in {mean(covered):.0%}; precision within .05 "
        f"of .9 in {mean(precise):.0%} of {len(precise)} planted rows where it is in reach; suggestion right for "
        f"85 % or more in {mean(suggested):.0%} of {len(suggested)}"
    )


def mean(values: Any) -> float:
    """NaN of none: a run may be of kinds of noise that do not count."""
    return float(np.mean(values)) if len(values) else float("nan")


def kept_rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data", metavar="FOLDER")
    parser.add_argument("--fashion", default=FASHION, metavar="FOLDER")
    parser.add_argument("--cache", default="label_error_cache", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--examples", type=int, default=60000, help="of Fashion-MNIST")
    parser.add_argument("--only", nargs="+", help="names of data sets with models")
    parser.add_argument("--noise", nargs="+", choices=(*NOISES, REAL), help="kinds of noise; all if left out")
    parser.add_argument("--cached", action="store_true", help="only cases that were trained before")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--table", action="store_true", help="print the tables of an earlier run's CSV")
    options = parser.parse_args()
    files = options.out / "label_errors.csv", options.out / "label_error_decisions.csv"
    if options.table:
        summarise_scores(kept_rows(files[0]))
        summarise_decisions(kept_rows(files[1]))
        return
    cache = Path(options.cache)
    cache.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    decisions: list[Row] = []
    made: dict[str, Callable[[], Source]] = sources(options)
    for name in options.only or made:
        source = made[name]()
        kept: dict[str, Array] = {}
        for case in cases(source, options.seeds, options.noise):
            if options.cached and not (cache / f"{case.key}.pt").exists():
                continue
            scores, decision = run(case, cache, kept)
            rows += scores
            decisions.append(decision)
            print(f"{name}, {case.noise}, seed {case.seed}", flush=True)
    write(files[0], rows)
    write(files[1], decisions)
    summarise_scores(rows)
    summarise_decisions(decisions)


if __name__ == "__main__":
    main()
