"""How far counts of label errors may be off: fitted on the bed, judged without the data set, the choice printed.

    python -m benchmarks.peers.bed.counts --cache FOLDER

Needs what `python -m benchmarks.peers.bed` leaves in --cache. The share of wrong labels is estimated from several
estimates; how far it may be off is told by what can be seen without knowing the truth (`Signs` of
dataaudit/labels/calibration.py): the logarithm of the truth lies around that of the estimate by Student's t
distribution, whose scale is the exponential of a linear function of the signs, and whose middle is moved by the mean
loss of the given labels; both are fitted by maximum likelihood to all cases about which something is said. Every figure
of the table is of cases whose data set (all of its subsets, labellings and representations) took no part in the fit.
Coefficients are printed, and beside them those that ship. Cases are written to results/bed_counts.csv.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from benchmarks.common import Array, machine, table
from benchmarks.peers.bed import shown
from benchmarks.peers.bed.strata import STRATA, cases
from dataaudit.common.probabilities import ClassProbabilities
from dataaudit.evidence.agreement import Agreement
from dataaudit.labels.calibration import CALIBRATION, NARROWEST, WIDEST, Calibration, Signs, log_share
from dataaudit.labels.combine import contradicted
from dataaudit.labels.label_errors import CONTRADICTED, has_skill, signs_of, too_wide

RESULTS = Path(__file__).parent.parent / "results" / "bed_counts.csv"
FREEDOM = 6.0
"""Degrees of freedom of the t distribution."""
SHRINK, SHRINK_TILT = 0.5, 4.0
"""Of the squared coefficients of the scale, and of the squared tilt."""
REACHES = (2.0, 2.1, 2.2, 2.3, 2.5)
FAIR, GOOD, CHANCE = 0.6, 0.85, 1.5
"""Accuracies on true labels that targets are about."""
ENOUGH = 0.02


@dataclass(frozen=True)
class Seen:
    """A case as the fit sees it."""

    name: str
    family: str
    stratum: str
    rate: float
    accuracy: float
    classes: int
    signs: Signs
    before: tuple[float, float, float]
    cleanlab: float
    hopeless: bool

    def counted(self, most: float) -> bool:
        """Whether anything is said about how many labels are wrong."""
        return self.signs.disagreement <= most and not self.hopeless


def read(path: Path) -> Seen:
    """A case from its file."""
    about = shown.about_of(path)
    today, right = about["today"], about["accuracy_on_true"]
    independent = bool(today["independent"])
    with np.load(path) as found:
        said, labels, known = found["outside" if independent else "beliefs"], found["given"], found["known"]
        names = about["outside_sources"] or about["sources"]
        parts = {name: ClassProbabilities(found[f"source_{name}"], None, said.shape[1]) for name in names}
    source, against = ClassProbabilities(said, None, said.shape[1]), contradicted(parts, labels, said.shape[1])
    estimates = [value for name, value in today["estimates"].items() if name != CONTRADICTED]
    signs = signs_of(source, labels, known, estimates, float(against[known].mean()), independent)
    held = right.get("part", right.get("outside" if independent else "beliefs"))
    peer = about["cleanlab"].get("issues", np.nan) if about["cleanlab"] else np.nan
    before = (today["rate"], today["lower"], today["upper"])
    named = (about["case"], about["family"], about["stratum"])
    seen = about.get("agreement", {})
    agreement = Agreement(*(seen.get(name) for name in ("trained", "augmented", "held_out")))
    hopeless = not has_skill(source, labels, known) or (bool(agreement.memorised_reason()) and not independent)
    return Seen(*named, about["error_rate"], float(held), about["classes"], signs, before, peer, hopeless)


def fitted(seen: Sequence[Seen], reach: float, most: float) -> Calibration:
    """Coefficients by maximum likelihood."""
    values = np.stack([case.signs.values() for case in seen])
    losses = np.array([case.signs.log_loss for case in seen])
    # What chance alone takes in, as a scale.
    few = np.array([case.signs.few for case in seen]) / reach
    away = np.array([log_share(case.rate) - case.signs.middle for case in seen])

    def loss(chosen: Array) -> float:
        *scale, tilt = chosen
        width = np.hypot(np.exp(np.clip(values @ scale, NARROWEST, WIDEST)), few)
        likelihood = -(FREEDOM + 1) / 2 * np.log1p(((away - tilt * losses) / width) ** 2 / FREEDOM) - np.log(width)
        return float(-likelihood.sum() + SHRINK * np.square(scale[1:]).sum() + SHRINK_TILT * tilt**2)

    found = minimize(loss, np.zeros(values.shape[1] + 1), method="L-BFGS-B", options={"maxiter": 2000}).x
    *scale, tilt = np.round(found, 3).tolist()
    return replace(CALIBRATION, scale=tuple(scale), tilt=tilt, reach=reach, most=most)


def without_own(seen: Sequence[Seen], reach: float, most: float) -> list[tuple[float, float, float]]:
    """Rate, lower and upper bound of each case, by the others' data sets; all NaN where nothing is said."""
    said = [case for case in seen if case.counted(most)]
    by = {
        family: fitted([case for case in said if case.family != family], reach, most)
        for family in {case.family for case in seen}
    }
    found = []
    for case in seen:
        rate, lower, upper = by[case.family].estimate(case.signs) if case.counted(most) else (np.nan, 0.0, 1.0)
        found.append((np.nan, 0.0, 1.0) if too_wide(lower, upper) else (rate, lower, upper))
    return found


def lines_of(seen: Sequence[Seen], told: Sequence[tuple[float, float, float]]) -> list[dict[str, Any]]:
    """Figures of each case."""
    found = []
    for case, (rate, lower, upper) in zip(seen, told, strict=True):
        least = 0.5 / case.signs.n
        holds = lower - least <= case.rate <= upper + least and (not np.isnan(rate) or case.accuracy <= FAIR)
        found.append(
            {
                "case": case.name,
                "family": case.family,
                "stratum": case.stratum,
                "true": round(case.rate, 5),
                "accuracy": round(case.accuracy, 4),
                "rate": round(rate, 5),
                "lower": round(lower, 5),
                "upper": round(upper, 5),
                "holds": holds,
                "before": round(case.before[0], 5),
                "held before": case.before[1] - least <= case.rate <= case.before[2] + least,
                "cleanlab": round(case.cleanlab, 5),
            }
        )
    return found


def tell(lines: Sequence[dict[str, Any]]) -> None:
    """By stratum: how often the interval holds the truth, how wide it is, how far the estimate is off."""
    head = ["stratum", "cases", "holds", "before", "not known", "|log ratio|", "before", "cleanlab"]
    rows = []
    for name in (*STRATA, "all"):
        own = [line for line in lines if name in (line["stratum"], "all")]
        wrong = [line for line in own if line["true"] >= ENOUGH and not np.isnan(line["rate"])]
        share = [f"{np.mean([line[key] for line in own]):.0%}" for key in ("holds", "held before")]
        unknown = f"{np.mean([np.isnan(line['rate']) for line in own]):.0%}"
        rows.append([name, len(own), *share, unknown, *(off(wrong, key) for key in ("rate", "before", "cleanlab"))])
    table(head, rows)
    for least in (GOOD, FAIR):
        wide = [
            line["upper"] / max(line["lower"], 1e-4)
            for line in lines
            if line["true"] >= ENOUGH and line["accuracy"] > least and not np.isnan(line["rate"])
        ]
        print(f"upper / lower, accuracy above {least}: median {np.median(wide):.2f} of {len(wide)}")
    clean = [line["upper"] for line in lines if line["stratum"] == "clean"]
    print(f"clean data: upper at most .02 in {np.mean(np.array(clean) <= 0.02):.0%}, median {np.median(clean):.4f}")


def off(lines: Sequence[dict[str, Any]], key: str) -> str:
    """Median of |log(estimate / truth)|; blank where there is none."""
    logs = [abs(np.log(max(line[key], 1e-4) / line["true"])) for line in lines if not np.isnan(line[key])]
    return f"{np.median(logs):.2f}" if logs else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("bed_cache"), metavar="FOLDER")
    options = parser.parse_args()
    paths = [options.cache / case.file for case in cases()]
    seen = [read(path) for path in paths if path.exists()]
    print(f"{len(seen)} of {len(paths)} cases, {len({case.family for case in seen})} data sets")
    most = CALIBRATION.most
    for reach in REACHES:
        told = lines_of(seen, without_own(seen, reach, most))
        print(f"\nreach {reach}" + (", which ships" if reach == CALIBRATION.reach else ""))
        tell(told)
        if reach == CALIBRATION.reach:
            here = machine()
            with RESULTS.open("w", newline="") as file:
                writer = csv.DictWriter(file, [*told[0], *here], lineterminator="\n")
                writer.writeheader()
                writer.writerows({**line, **here} for line in told)
    every = fitted([case for case in seen if case.counted(most)], CALIBRATION.reach, most)
    print(f"\nfitted to all: {every.scale}, tilt {every.tilt}")
    print(f"shipped:       {CALIBRATION.scale}, tilt {CALIBRATION.tilt}")


if __name__ == "__main__":
    main()
