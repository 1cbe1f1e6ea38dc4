"""How often do bounds on the number of label errors hold, how narrow are they, and how many looks does a review take?

    python -m benchmarks.review.looks --data FOLDER [--part width|certify|find|draw] [--repeats 500]

Needs cifar10_human.npz and its features in --data: 10000 images, features of a network that was trained on others, and
labels by people, careless ones and single annotators, beside planted errors. An audit is computed once by
``score(None, ...)``; a review is then simulated by somebody who knows the truth, with other draws in every repetition.

width
    Bounds after 200 looks, in the first forty repetitions, and how often they excluded the truth at any look before,
    beside Wilson's interval of a random sample of as many, once at its end and looked at all the time.
certify
    Looks, in steps of 25, until at most 1 % of the labels are wrong with 95 % confidence, where .3 % are: planted
    ones, and those that are left of the careless labels' errors when the most suspicious are corrected.
find
    Looks until 90 % of the errors are found, in our order, in cleanlab's (from five folds of a logistic regression on
    the same features) and by chance.
draw
    The figure, from the results of the others.

Each part writes its own file in results/.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dataaudit
from benchmarks.common import Array, kept, symmetric, table, write
from benchmarks.peers.people import features
from dataaudit.review.belief import Belief
from dataaudit.review.design import Design, filled
from dataaudit.review.sequence import ErrorSequence

RESULTS = Path(__file__).parent / "results"
LOOKS, STEPS = 200, (25, 50, 100, 150, 200)
MEASURED = 40
"""Repetitions whose bounds are computed; that the truth is not excluded is seen in all."""
GOAL, LEFT, MOST = 0.01, 0.003, 1500
CASES = {
    "width": ("planted", "careless", "one_annotator"),
    "certify": ("planted .3 %", "careless, .3 % left"),
    "find": ("planted", "careless", "one_annotator"),
}


def case(folder: Path, name: str) -> tuple[Array, Array, Array]:
    """Inputs, given labels and which of them are wrong."""
    source = features(folder, "one_annotator" if name == "one_annotator" else "careless", "none")
    true, given = source.true, np.asarray(source.given)
    if name == "planted":
        given = symmetric(true, 10, 0.1, 0)
    elif name == "planted .3 %":
        given = symmetric(true, 10, LEFT, 0)
    elif name == "careless, .3 % left":
        order = np.argsort(-filled(probability_of(source.inputs, given)), kind="stable")
        wrong = order[given[order] != true[order]]
        given = given.copy()
        corrected = wrong[: len(wrong) - round(LEFT * len(given))]
        given[corrected] = true[corrected]
    return source.inputs, given, np.asarray(given != true)


def probability_of(inputs: Array, given: Array) -> Array:
    return np.asarray(dataaudit.score(None, (inputs, given), "consensus", progress=False).error_probability())


def reviewed(wrong: Array, probability: Array, purpose: str, looks: int, seed: int) -> Iterator[ErrorSequence]:
    """The same sequence after every look of one review."""
    design = Design(probability, seed)
    sequence = ErrorSequence(design, Belief(probability, design.bins))
    for place in range(1, looks + 1):
        row, chance = design.next(purpose, place)
        sequence.look(row, bool(wrong[row]), chance < 1)
        yield sequence


def wilson(found: Array, looks: Array) -> tuple[Array, Array]:
    """95 % interval of a share by so many `found` in so many `looks`."""
    z2 = 1.959964**2
    centre, share = (found + z2 / 2) / (looks + z2), found / looks
    half = np.sqrt(z2 * (share * (1 - share) / looks + z2 / 4 / looks**2)) / (1 + z2 / looks)
    return centre - half, centre + half


def width(name: str, wrong: Array, probability: Array, repeats: int) -> Iterator[dict[str, Any]]:
    n, true = len(wrong), int(wrong.sum())
    ways = {"estimate, audit's": probability, "both, audit's": probability}
    if name == "planted":
        ways["estimate, all alike"] = np.full(n, probability.mean())
    for way, known in ways.items():
        widths, evidence, errors, found = np.full((repeats, len(STEPS)), np.nan), [], [], []
        for seed in range(repeats):
            for sequence in reviewed(wrong, known, way.split(",")[0], LOOKS, seed):
                if sequence.looked in STEPS and seed < MEASURED:
                    lower, upper = sequence.bounds()
                    widths[seed, STEPS.index(sequence.looked)] = (upper - lower) / n
            against = sequence.evidence(np.array([true]))
            evidence.append(against.max())
            errors.append(sequence.estimate() - true)
            found.append(sequence.wrong)
        # What was excluded once stays excluded: who stops at the end sees what was seen on the way.
        ever = np.array(evidence) >= np.log(20)
        yield line(name, n, true, way, ~ever, ever, widths, errors, found)
    drawn = np.stack([np.random.default_rng(seed).permutation(wrong)[:LOOKS] for seed in range(repeats)])
    counts, looks = np.cumsum(drawn, 1), np.arange(1, LOOKS + 1)
    low, high = wilson(counts, looks)
    out = (low > true / n) | (high < true / n)
    # Nobody stops before the tenth look.
    chosen = np.array(STEPS) - 1
    errors = list(counts[:, -1] / LOOKS * n - true)
    yield line(
        name,
        n,
        true,
        "random sample, Wilson",
        ~out[:, -1],
        np.asarray(out[:, 9:].any(1)),
        (high - low)[:, chosen],
        errors,
        counts[:, -1],
    )


def line(
    name: str, n: int, true: int, way: str, inside: Array, ever: Array, widths: Array, errors: Any, found: Any
) -> dict[str, Any]:
    return {
        "case": name,
        "examples": n,
        "wrong": true,
        "way": way,
        "repeats": len(inside),
        "covered at 200": round(float(inside.mean()), 4),
        "covered at all looks": round(float(1 - ever.mean()), 4),
        **{f"width at {step}": round(float(np.nanmean(widths[:, at])), 5) for at, step in enumerate(STEPS)},
        "bias": round(float(np.mean(errors)) / n, 6),
        "error": round(float(np.sqrt(np.mean(np.square(errors)))) / n, 6),
        "found": round(float(np.mean(found)), 1),
    }


def certify(name: str, wrong: Array, probability: Array, repeats: int) -> Iterator[dict[str, Any]]:
    n, true, goal = len(wrong), int(wrong.sum()), round(GOAL * len(wrong))
    alike = np.full(n, probability.mean())
    for purpose, what, known in (
        ("estimate", "audit's", probability),
        ("both", "audit's", probability),
        ("estimate", "all alike", alike),
    ):
        took, false = np.full(repeats, np.inf), 0
        for seed in range(len(took)):
            for sequence in reviewed(wrong, known, purpose, MOST, seed):
                # More than the goal is left if all are wrong that were found, and one more than it.
                if sequence.looked % 25 == 0:
                    evidence = sequence.evidence(np.array([sequence.wrong + goal + 1]))
                    if evidence.max() >= np.log(20):
                        took[seed] = sequence.looked
                        false += true - sequence.wrong > goal
                        break
        yield {
            "case": name,
            "examples": n,
            "wrong": true,
            "way": f"{purpose}, {what}",
            "repeats": len(took),
            "certified within 1500": round(float(np.isfinite(took).mean()), 4),
            "median looks": float(np.quantile(took, 0.5, method="higher")),
            "90th percentile": float(np.quantile(took, 0.9, method="higher")),
            "wrongly": false,
        }


def find(name: str, inputs: Array, given: Array, wrong: Array, probability: Array) -> Iterator[dict[str, Any]]:
    from cleanlab.rank import get_label_quality_scores
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    n, true = len(wrong), int(wrong.sum())
    heldout = cross_val_predict(LogisticRegression(max_iter=1000), inputs, given, cv=5, method="predict_proba")
    orders = {"ours": -probability}
    orders |= {
        f"cleanlab, {method.replace('_', ' ')}": get_label_quality_scores(given, heldout, method=method)
        for method in ("self_confidence", "normalized_margin")
    }
    for way, scores in orders.items():
        found = np.cumsum(wrong[np.argsort(scores, kind="stable")])
        yield found_by(name, n, true, way, found)
    yield found_by(name, n, true, "chance", np.arange(1, n + 1) * true / n)


def found_by(name: str, n: int, true: int, way: str, found: Array) -> dict[str, Any]:
    needed = {f"looks for {share:.0%}": int(np.argmax(found >= share * true - 1e-9)) + 1 for share in (0.5, 0.9)}
    shown = {f"found in {looks}": round(float(found[looks - 1]), 1) for looks in (200, 500, 1000, 2000)}
    return {"case": name, "examples": n, "wrong": true, "way": way, **needed, **shown}


def draw() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(15, 4.4), layout="constrained")
    rows = [row for row in kept(RESULTS / "width.csv") if row["case"] == "planted"]
    for row in rows:
        panels[0].plot(STEPS, [100 * float(row[f"width at {step}"]) for step in STEPS], marker="o", label=row["way"])
    panels[0].set(xlabel="looks", ylabel="mean width of the interval, % of the labels", title="planted, 10 % wrong")
    panels[0].legend(fontsize=8)
    rows = kept(RESULTS / "width.csv")
    panels[1].barh(range(len(rows)), [100 * (1 - float(row["covered at all looks"])) for row in rows])
    panels[1].set_yticks(range(len(rows)), [f"{row['case']}: {row['way']}" for row in rows], fontsize=7)
    panels[1].axvline(5, color="black", linewidth=0.8)
    panels[1].set(xlabel="% of reviews in which the truth was ever excluded", title="who stops when it suits")
    rows = kept(RESULTS / "find.csv")
    ways = list(dict.fromkeys(row["way"] for row in rows))
    for number, way in enumerate(ways):
        own = [row for row in rows if row["way"] == way]
        panels[2].bar(np.arange(len(own)) + number * 0.2, [int(row["looks for 90%"]) for row in own], 0.2, label=way)
    panels[2].set_xticks(np.arange(len(CASES["find"])) + 0.3, CASES["find"])
    panels[2].set(ylabel="looks until 90 % of the errors are found", title="find")
    panels[2].legend(fontsize=8)
    figure.savefig(RESULTS / "looks.png", dpi=80)


def run(part: str, options: argparse.Namespace) -> None:
    """All cases of one part."""
    rows: list[dict[str, Any]] = []
    for name in CASES[part]:
        inputs, given, wrong = case(options.data, name)
        known = filled(probability_of(inputs, given))
        print(f"{name}: {wrong.sum()} of {len(wrong)} labels are wrong, {known.sum():.0f} expected", flush=True)
        if part == "find":
            rows += find(name, inputs, given, wrong, known)
        else:
            rows += (width if part == "width" else certify)(name, wrong, known, options.repeats)
    table(list(rows[0]), [list(row.values()) for row in rows])
    write(RESULTS / f"{part}.csv", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER")
    parser.add_argument("--part", choices=[*CASES, "draw"], action="append")
    parser.add_argument("--repeats", type=int, default=500)
    options = parser.parse_args()
    for part in options.part or [*CASES, "draw"]:
        if part == "draw":
            draw()
        else:
            run(part, options)


if __name__ == "__main__":
    main()
