"""What log odds are worth: fitted on the bed, judged without the data set, the choice printed.

    python -m benchmarks.peers.bed.probabilities --cache FOLDER

Needs what `python -m benchmarks.peers.bed` leaves in --cache. Log odds of errors are multiplied by a factor, shifted
until the probabilities add up to the estimated number of errors, and given out in the order of the consensus. The
factor is the exponential of a linear function of the signs (`Signs` of dataaudit/labels/calibration.py), fitted by the
likelihood of what is wrong and what is right, a case counting by its errors. Counts and factors of the table are of
cases whose data set took no part in either fit. Beside them stand one factor for all, and the factors by the presence
of training dynamics that were shipped earlier.

The table shows the expected calibration error (20 bins of equally many rows); how often the precision of what
`mislabeled()` flags is within .10 of the expected one, where 20 rows and more are flagged; how often flags are half to
twice the errors, where the average precision is .6 and more; and for `mislabeled(precision=.9)` how often at least .85
of 20 rows and more are wrong, and how often it gives 20 rows where the case's own best prefix of 20 rows and more is .9
pure, by how cautiously errors are counted (see `CAUTION` of dataaudit/labels/label_errors.py). Cases are written to
results/bed_probabilities.csv.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import average_precision_score

from benchmarks.common import Array, machine, table
from benchmarks.peers.bed import counts, shown
from benchmarks.peers.bed.strata import STRATA, cases
from dataaudit.common.probabilities import ClassProbabilities
from dataaudit.labels.calibration import CALIBRATION, STEEPEST, Calibration
from dataaudit.labels.label_errors import CAUTION, FLOOR, RAREST, adding_up, cautious, log_odds, suspicion
from dataaudit.labels.noise import noise_rates
from dataaudit.labels.posterior import CONSTANTS, label_posterior

RESULTS = Path(__file__).parent.parent / "results" / "bed_probabilities.csv"
BINS, FEW, TRUSTED, ENOUGH, NEAR = 20, 20, 0.85, 0.6, 0.1
PRECISION = 0.9
CAUTIONS = (0.0, 0.25, 0.5, 0.6, 0.75, 1.0)
SHRINK = 0.002
"""Of the squared coefficients."""
GROUPS = 150
"""Of rows of like odds, for the fit."""
LEAST = 10.0
"""Fewest errors that a case counts by."""
EARLIER = {True: 2.0, False: 1.0}
"""GradientFactors by whether training dynamics are among the sources."""


@dataclass(frozen=True)
class Row:
    """A case: what the fit of counts sees of it, and its rows from the most suspicious on.

    Attributes
    ----------
    seen
        See `counts.Seen`.
    odds
        Log odds that labels are wrong, falling, float64 [n].
    wrong
        Which are, in the order of the consensus, bool [n].
    epochs
        Whether training dynamics are among the sources.
    """

    seen: counts.Seen
    odds: Array
    wrong: Array
    epochs: bool


def read(path: Path) -> Row:
    """A case from its file."""
    about, arrays = shown.read(path)
    labels, known, classes = arrays["given"], arrays["known"].astype(bool), int(about["classes"])
    together = ClassProbabilities(arrays["beliefs"], None, classes)
    noise = noise_rates(together, labels, classes, known)
    found = label_posterior(together, labels, classes, noise, CONSTANTS.structure, CONSTANTS.floor)
    order = suspicion(found, known)
    wrong = (labels != arrays["true"])[known][order]
    return Row(counts.read(path), -np.sort(-log_odds(found)[known]), wrong, "dynamics" in about["sources"])


@dataclass(frozen=True)
class Group:
    """Rows of a case in groups of like odds, for the fit: mean odds, rows and errors of each, [g]."""

    odds: Array
    rows: Array
    errors: Array
    rate: float
    signs: Array
    weight: float


def grouped(row: Row, rate: float) -> Group:
    """The most suspicious rows one by one, the others in groups that grow with the rank."""
    n = len(row.odds)
    edges = np.unique(
        np.round(np.concatenate([np.arange(min(n, 50)), np.geomspace(min(n, 50), n, GROUPS)])).astype(int)
    )
    sizes = np.diff(edges)
    sums = [np.add.reduceat(values.astype(float), edges[:-1]) for values in (row.odds, row.wrong)]
    weight = 1.0 / max(float(row.wrong.sum()), rate * n, LEAST)
    return Group(sums[0] / sizes, sizes, sums[1], max(rate, RAREST), row.seen.signs.values(), weight)


def fitted(groups: Sequence[Group]) -> tuple[float, ...]:
    """Coefficients of the factor, by maximum likelihood."""
    most = max(len(group.odds) for group in groups)

    def padded(name: str) -> Array:
        found = [getattr(group, name) for group in groups]
        return np.stack([np.pad(values.astype(float), (0, most - len(values))) for values in found])

    odds, rows, errors = (padded(name) for name in ("odds", "rows", "errors"))
    signs = np.stack([group.signs for group in groups])
    wanted = np.array([group.rate for group in groups]) * rows.sum(1)
    weights = np.array([group.weight for group in groups])

    def loss(chosen: Array) -> tuple[float, Array]:
        logarithm = signs @ chosen
        factor = np.exp(np.clip(logarithm, -STEEPEST, STEEPEST))
        scaled = factor[:, None] * odds
        shift = shifts(scaled, rows, wanted)
        said = np.clip(expit(scaled + shift[:, None]), 1e-6, 1 - 1e-6)
        likelihood = (errors * np.log(said) + (rows - errors) * np.log1p(-said)).sum(1)
        # The shift moves with the factor, so that the sum stays.
        slack = rows * said * (1 - said)
        moved = scaled - (slack * scaled).sum(1, keepdims=True) / slack.sum(1, keepdims=True)
        slope = ((errors - rows * said) * moved).sum(1) * (np.abs(logarithm) < STEEPEST)
        value = -(weights * likelihood).mean() + SHRINK * (chosen**2).sum()
        return float(value), -(weights * slope) @ signs / len(groups) + 2 * SHRINK * chosen

    found = minimize(loss, np.zeros(signs.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return tuple(np.round(found, 3).tolist())


def shifts(odds: Array, rows: Array, wanted: Array) -> Array:
    """What to add to the log odds of each line so that its probabilities add up to what is wanted, [c]."""
    low, high = np.full(len(odds), -200.0), np.full(len(odds), 400.0)
    for _ in range(60):
        middle = (low + high) / 2
        less = (rows * expit(odds + middle[:, None])).sum(1) < wanted
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return high


def told(row: Row, rate: float, factor: float) -> Array:
    """Falling probabilities that labels are wrong, [n]."""
    return np.asarray(adding_up(row.odds * factor, max(rate, RAREST)))


def figures(row: Row, probability: Array, bounds: tuple[float, float, float]) -> dict[str, Any]:
    """What the table is made of."""
    rate, lower, _ = bounds
    wrong, n = row.wrong, len(row.wrong)
    ranks = np.arange(1, n + 1)
    pure, expected = np.cumsum(wrong) / ranks, np.cumsum(probability) / ranks
    likelier = probability if lower > 0 else cautious(probability, rate, lower, CAUTION)
    flags = min(round(rate * n), int((likelier >= FLOOR).sum()))
    average = average_precision_score(wrong, -ranks) if wrong.any() else np.nan
    bins = np.array_split(np.arange(n), BINS)
    gaps = [len(rows) * abs(probability[rows].mean() - wrong[rows].mean()) for rows in bins if len(rows)]
    found = {"ece": sum(gaps) / n, "flags": flags, "average precision": average, "errors": int(wrong.sum())}
    found |= {"expected": expected[flags - 1], "precision": pure[flags - 1]} if flags else {}
    found["could"] = bool(n >= FEW and pure[FEW - 1 :].max() >= PRECISION)
    for caution in CAUTIONS:
        reached = np.flatnonzero(np.cumsum(cautious(probability, rate, lower, caution)) / ranks >= PRECISION - 1e-12)
        given = int(reached[-1]) + 1 if len(reached) else 0
        found |= {f"rows {caution}": given, f"pure {caution}": pure[given - 1] if given else np.nan}
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in found.items()}


def share(values: Sequence[bool]) -> str:
    return f"{np.mean(values):.0%} of {len(values)}" if values else ""


def tell(name: str, lines: Sequence[dict[str, Any]]) -> None:
    """Figures over the known cases, with those of `mislabeled()` by stratum."""
    print(f"\n{name}")
    head = ["stratum", "cases", "ECE", "precision as expected", "too high", "too low", "below .5", "flags .5 to 2"]
    rows = []
    for stratum in (*STRATA, "all"):
        own = [line for line in lines if stratum in (line["stratum"], "all")]
        many = [line["expected"] - line["precision"] for line in own if line["flags"] >= FEW]
        clear = [line["flags"] / line["errors"] for line in own if line["average precision"] >= ENOUGH]
        within = share([abs(gap) <= NEAR for gap in many])
        sides = [share([gap > NEAR for gap in many]), share([gap < -NEAR for gap in many])]
        ece = f"{np.median([line['ece'] for line in own]):.4f}" if own else ""
        sides.append(share([line["precision"] < 0.5 for line in own if line["flags"] >= FEW]))
        rows.append([stratum, len(own), ece, within, *sides, share([0.5 <= ratio <= 2 for ratio in clear])])
    table(head, rows)


def tell_precision(lines: Sequence[dict[str, Any]]) -> None:
    """Figures of `mislabeled(precision=.9)` by how cautious it is."""
    rows = []
    for caution in CAUTIONS:
        pure = [line[f"pure {caution}"] >= TRUSTED for line in lines if line[f"rows {caution}"] >= FEW]
        there = [line[f"rows {caution}"] >= FEW for line in lines if line["could"]]
        rows.append([f"{caution}" + (", which ships" if caution == CAUTION else ""), share(pure), share(there)])
    print()
    table(["caution", f"at least {TRUSTED} wrong", f"{FEW} rows where there are"], rows)


def lines_of(
    rows: Sequence[Row], bounds: Sequence[tuple[float, float, float]], factor: Callable[[Row], float]
) -> list[dict[str, Any]]:
    """Figures of each known case."""
    found = []
    for row, said in zip(rows, bounds, strict=True):
        seen = row.seen
        about = {"case": seen.name, "family": seen.family, "stratum": seen.stratum, "rate": round(said[0], 5)}
        probability = told(row, said[0], factor(row))
        found.append({"precision": np.nan, "expected": np.nan, **about, **figures(row, probability, said)})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("bed_cache"), metavar="FOLDER")
    options = parser.parse_args()
    paths = [options.cache / case.file for case in cases()]
    every = [read(path) for path in paths if path.exists()]
    said = counts.without_own([row.seen for row in every], CALIBRATION.reach, CALIBRATION.most)
    known = [(row, bounds) for row, bounds in zip(every, said, strict=True) if not np.isnan(bounds[0])]
    rows, bounds = [row for row, _ in known], [found for _, found in known]
    print(f"{len(every)} of {len(paths)} cases, {len(rows)} of them with a count")
    groups = [grouped(row, found[0]) for row, found in known]

    def apart(signs: int) -> dict[str, Calibration]:
        """Coefficients of the first so many signs, by the data set that took no part."""
        made = {}
        for family in {row.seen.family for row in rows}:
            others = [group for group, row in zip(groups, rows, strict=True) if row.seen.family != family]
            kept = fitted([replace(group, signs=group.signs[:signs]) for group in others])
            made[family] = replace(CALIBRATION, sharpness=(*kept, *[0.0] * (len(CALIBRATION.sharpness) - signs)))
        return made

    one, full = apart(1), apart(len(CALIBRATION.sharpness))
    tell("factors by training dynamics", lines_of(rows, bounds, lambda row: EARLIER[row.epochs]))
    tell("one factor", lines_of(rows, bounds, lambda row: one[row.seen.family].factor(row.seen.signs)))
    lines = lines_of(rows, bounds, lambda row: full[row.seen.family].factor(row.seen.signs))
    tell("factors by the signs, which ship", lines)
    tell_precision(lines)
    print(f"\nfitted to all: {fitted(groups)}\nshipped:       {CALIBRATION.sharpness}")
    here = machine()
    with RESULTS.open("w", newline="") as file:
        names = dict.fromkeys(name for line in lines for name in line)
        writer = csv.DictWriter(file, [*names, *here], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**line, **here} for line in lines)


if __name__ == "__main__":
    main()
