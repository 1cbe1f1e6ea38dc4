"""The tables of label errors, printed from the cells: figures, checks, decisions, another version beside this one.

Seeds are merged by their median, score by score, before any best is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.common import table
from benchmarks.peers.cases import NOISES, planted

Row = dict[str, Any]
Place = tuple[str, str, int, str]
"""Data, noise, rows, model: a row of a table."""
Score = tuple[str, str, str]
"""Tool, training, score."""
FIELDS = ("auroc", "average_precision", "missed", "passes", "wall", "processor")
DATA = ("cifar10_human", "cifar10_human features", "hausa_news", "yoruba_news", "digits", "satellite", "trec")
LABELLINGS = ("careless", "one_annotator", "very_careless", "real", *NOISES)
CLOSE = 0.005
"""How far below counts as lost."""


def place(row: Row) -> Place:
    return row["data"], row["noise"], int(row["rows"]), row["model"]


def order(where: Place) -> tuple[Any, ...]:
    """Real errors first."""
    data, noise, rows, model = where
    known = [(DATA.index(data) if data in DATA else len(DATA)), (LABELLINGS.index(noise))]
    return planted(noise), known[0], data, *((-rows, model, known[1]) if planted(noise) else (-rows, known[1], model))


def named(where: Place) -> str:
    data, noise, rows, model = where
    return f"{data} {rows} {model}, {noise}"


def medians(rows: Iterable[Row]) -> dict[Place, dict[Score, dict[str, float]]]:
    """Figures by place and score; NaN where there is none."""
    gathered: dict[Place, dict[Score, list[list[float]]]] = {}
    for row in rows:
        values = [float(row[field] or "nan") for field in FIELDS]
        scores = gathered.setdefault(place(row), {})
        scores.setdefault((row["tool"], row["trained"], row["score"]), []).append(values)
    return {
        where: {
            score: dict(zip(FIELDS, map(float, np.median(np.array(values), axis=0)), strict=True))
            for score, values in gathered[where].items()
        }
        for where in sorted(gathered, key=order)
    }


def is_default(score: Score) -> bool:
    return score[0] == "dataaudit" and score[2].endswith("(default)")


def best(scores: dict[Score, dict[str, float]], wanted: Callable[[Score], bool]) -> dict[str, tuple[float, Score]]:
    """Best value of each figure and the score that has it; empty if no score is `wanted`."""
    chosen = [score for score in scores if wanted(score)]
    if not chosen:
        return {}
    found: dict[str, tuple[float, Score]] = {}
    for field, sign in (("auroc", 1), ("average_precision", 1), ("missed", -1)):
        top = max(chosen, key=lambda score, field=field, sign=sign: sign * scores[score][field])  # type: ignore[misc]
        found[field] = scores[top][field], top
    return found


def figures(found: dict[str, tuple[float, Score]]) -> str:
    if not found:
        return ""
    return "{:.3f} / {:.4f} / {:.3f}".format(*(found[name][0] for name in ("average_precision", "auroc", "missed")))


def shown(value: float, digits: int = 0) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def gains(of: dict[str, tuple[float, Score]], over: dict[str, tuple[float, Score]]) -> list[float]:
    """Differences of AUROC and average precision; NaN without something to compare with."""
    if not of or not over:
        return [float("nan")] * 2
    return [of[name][0] - over[name][0] for name in ("auroc", "average_precision")]


def tell_scores(rows: list[Row]) -> None:
    """Figures of the default, of the best in hindsight and of cleanlab's best, and what they cost."""
    lines, above, behind, places = [], [], [], []
    for where, scores in medians(rows).items():
        default = best(scores, is_default)
        single = best(scores, lambda score: score[0] == "dataaudit" and not is_default(score))
        theirs = best(scores, lambda score: score[0] == "cleanlab")
        neighbours = best(scores, lambda score: score[0] == "k-NN")
        gain = gains(default, theirs)
        places.append(where)
        above.append(gain)
        behind.append(gains(default, single))
        mine = scores[default["auroc"][1]] if default else dict.fromkeys(FIELDS, float("nan"))
        winner = theirs["average_precision"][1] if theirs else ("", "", "")
        cost = scores[winner] if theirs else dict.fromkeys(FIELDS, float("nan"))
        lines.append(
            [
                named(where),
                figures(default),
                figures(single),
                single["average_precision"][1][2] if single else "",
                figures(theirs),
                winner[1],
                "" if np.isnan(gain[0]) else f"{gain[1]:+.3f} / {gain[0]:+.4f}",
                figures(neighbours),
                f"{shown(mine['passes'], 1)} / {shown(cost['passes'], 1)}",
                f"{shown(mine['processor'])} / {shown(cost['processor'])}",
            ]
        )
    head = ["AP / AUROC / missed", "default", "best in hindsight", "which", "cleanlab, best", "trained"]
    table([*head, "gain, AP / AUROC", "k-NN vote", "passes", "processor s"], lines)
    tell_checks(places, np.array(above).reshape(-1, 2), np.array(behind).reshape(-1, 2))


def tell_checks(places: list[Place], above: Any, behind: Any) -> None:
    """How often, and how far, the default is above cleanlab's best and below its own parts."""
    real = np.array([not planted(where[1]) for where in places], bool)
    for what, chosen in (("all rows", np.ones(len(real), bool)), ("real errors", real)):
        for name, values in (("cleanlab's best", above), ("the best single score in hindsight", behind)):
            known = chosen & ~np.isnan(values).any(1)
            if not known.any():
                continue
            found = values[known]
            lost = [named(places[i]) for i in np.flatnonzero(known) if (values[i] < -CLOSE).any()]
            print(
                f"{what}, default over {name}: above by both in {(found > 0).all(1).mean():.0%} of {len(found)} "
                f"(AUROC {(found > 0).mean(0)[0]:.0%}, AP {(found > 0).mean(0)[1]:.0%}); lowest "
                f"{found.min(0)[0]:+.4f} and {found.min(0)[1]:+.4f}, median {np.median(found, 0)[0]:+.4f} and "
                f"{np.median(found, 0)[1]:+.4f}; more than {CLOSE} below in {len(lost)}"
                + (f": {'; '.join(lost)}" if lost and name.startswith("cleanlab") else "")
            )


def middle(rows: list[Row], name: str) -> float:
    """Median of a column over seeds; NaN without values."""
    values = [float(row[name]) for row in rows if row[name] not in ("", "not reached")]
    return float(np.median(values)) if values else float("nan")


def mean(values: Any) -> float:
    """NaN of none: a run may be of kinds of noise that do not count."""
    return float(np.mean(values)) if len(values) else float("nan")


def trained_best(scores: list[Row]) -> dict[Place, str]:
    """How cleanlab's best was trained, by average precision; Datalab of features decides nothing."""
    found = {}
    for where, own in medians(scores).items():
        theirs = best(own, lambda score: score[0] == "cleanlab" and score[1] != "features")
        if theirs:
            found[where] = theirs["average_precision"][1][1]
    return found


def near(guess: float, rate: float) -> bool:
    return abs(guess - rate) <= max(0.2 * rate, 0.01)


def tell_decisions(rows: list[Row], scores: list[Row]) -> None:
    """Counts, flags and suggestions; cleanlab's of the training that had its best average precision."""
    lines, good, covered, precise, suggested = [], [], [], [], []
    of_best = trained_best(scores)
    for where in sorted({place(row) for row in rows}, key=order):
        own = [row for row in rows if place(row) == where and row["tool"] == "dataaudit"]
        theirs = [
            row
            for row in rows
            if place(row) == where and row["tool"] == "cleanlab" and row["trained"] == of_best.get(where)
        ]
        if not own:
            continue
        rate, guess, lower, upper = (middle(own, name) for name in ("rate", "estimated", "lower", "upper"))
        other = middle(theirs, "estimated")
        if where[1].startswith(("symmetric", "pairs")):
            good.append((near(guess, rate), near(other, rate) if theirs else np.nan))
            covered.append(lower <= rate <= upper)
        at, right = middle(own, "precision_90"), middle(own, "suggestion_right")
        if planted(where[1]):
            if not np.isnan(at) and all(str(row["reachable_90"]) == "True" for row in own):
                precise.append(abs(at - 0.9) <= 0.05)
            suggested.append(right >= 0.85)
        lines.append(
            [
                named(where),
                f"{rate:.3f}",
                "not known" if np.isnan(guess) else f"{guess:.3f} [{lower:.3f}, {upper:.3f}]",
                shown(other, 3),
                *(f"{middle(part, 'precision'):.2f} / {middle(part, 'recall'):.2f}" for part in (own, theirs)),
                "not reached" if np.isnan(at) else f"{at:.3f}",
                f"{right:.2f}",
            ]
        )
    head = ["", "errors", "estimated", "cleanlab", "precision / recall", "cleanlab's", "at precision .9", "suggestion"]
    print()
    table(head, lines)
    counts = np.array(good, float).reshape(-1, 2)
    known = counts[~np.isnan(counts[:, 1]), 1]
    print(
        f"rate within 20 % or .01: {mean(counts[:, 0]):.0%} of {len(counts)} rows with symmetric or pair noise, "
        f"cleanlab {mean(known):.0%} of {len(known)}; interval holds the truth in {mean(covered):.0%}; precision within"
        f" .05 of .9 in {mean(precise):.0%} of {len(precise)} planted rows where it is in reach; suggestion right for "
        f"85 % or more in {mean(suggested):.0%} of {len(suggested)}"
    )


def tell_against(rows: list[Row], others: list[Row]) -> None:
    """The default of these cells minus that of others, seed by seed: median and worst of each place, and of all."""

    def defaults(of: list[Row]) -> dict[tuple[Place, str], tuple[float, float]]:
        return {
            (place(row), row["seed"]): (float(row["auroc"]), float(row["average_precision"]))
            for row in of
            if is_default((row["tool"], row["trained"], row["score"]))
        }

    mine, theirs = defaults(rows), defaults(others)
    gathered: dict[Place, list[Any]] = {}
    for where, seed in mine.keys() & theirs.keys():
        gathered.setdefault(where, []).append(np.subtract(mine[where, seed], theirs[where, seed]))
    print()
    if not gathered:
        print("no cell is in both files")
        return
    lines = []
    for where in sorted(gathered, key=order):
        found = np.array(gathered[where])
        middle_of, worst = np.median(found, 0), found.min(0)
        cells = (f"{a:+.4f}" for a in (middle_of[0], worst[0], middle_of[1], worst[1]))
        lines.append([named(where), len(found), *cells])
    table(["default, now - before", "seeds", "AUROC, median", "worst", "AP, median", "worst"], lines)
    for what, chosen in (("planted", True), ("real", False)):
        found = np.array([np.median(values, 0) for where, values in gathered.items() if planted(where[1]) == chosen])
        if len(found):
            print(
                f"{what} errors, {len(found)} rows: worst {found.min(0)[0]:+.4f} AUROC, {found.min(0)[1]:+.4f} AP; "
                f"median {np.median(found, 0)[0]:+.4f}, {np.median(found, 0)[1]:+.4f}"
            )
