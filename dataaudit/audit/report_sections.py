"""Sections of an audit's page: figures that are drawn, from what the audit holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.common.types import BoolArray, FloatArray, IntArray
from dataaudit.data.identity import spelled
from dataaudit.errors import DataAuditError
from dataaudit.findings import duplicates, gather, outliers, typical
from dataaudit.report.page import Section, Table
from dataaudit.report.sections import ByClass, Confusion, Crowd, Curves, Few, Points, Strips
from dataaudit.report.spread import Histograms

if TYPE_CHECKING:
    from dataaudit.audit.exports import Exports
    from dataaudit.audit.findings import Findings
    from dataaudit.data.examples import Examples

MATRIX = 12
"""Most classes whose confusion is a table of all pairs."""
PAIRS = 16
LISTED = 60
"""Most classes that are listed."""
STRIPS = 10
"""Most classes of which examples are shown; of more the hardest and the easiest."""
EACH = 4
"""Examples of a class and group."""
GROUPS = 5
MOST_EPOCHS = 60
FEW = 8
SMALL = 3000
"""Most examples among which neighbours are looked for if the audit has not found them."""


def sections_of(audit: Findings, examples: Examples | None) -> tuple[Section, ...]:
    """All that a page shows below its examples; what an audit has no evidence for is left out."""
    by_class = ClassScores(audit, audit.default)
    parts: list[Section] = [
        *confusion(audit),
        Histograms("How every score is spread", "", audit.columns, _other(audit)),
    ]
    parts += [listed(audit, by_class), *strips(audit, examples), *difficulty(audit, by_class)]
    parts += [*data_map(audit), *curves(audit), *findings(audit, examples)]
    return tuple(parts)


class ClassScores:
    """One score of the examples of each class: their order, mean and deviation."""

    def __init__(self, audit: Exports, score: str) -> None:
        values, classes = audit.columns[score], len(audit.class_names)
        self.score = score
        # Labels that a record lacks, -1, are of no class.
        known = np.flatnonzero(np.isfinite(values) & (audit.labels >= 0))
        labels, scores = audit.labels[known], values[known]
        ties = audit.ties.get(score, np.zeros(len(values)))[known]
        self.order: IntArray = known[np.lexsort((ties, scores, labels))].astype(np.int64)
        self.count = np.bincount(labels, minlength=classes)
        self.ends = np.concatenate([[0], np.cumsum(self.count)])
        self.size = np.bincount(audit.labels[audit.labels >= 0], minlength=classes)
        some = np.maximum(self.count, 1)
        mean = np.bincount(labels, scores, classes) / some
        away = np.bincount(labels, (scores - mean[labels]) ** 2, classes) / some
        self.mean = np.where(self.count > 0, mean, np.nan)
        self.deviation = np.where(self.count > 0, np.sqrt(away), np.nan)
        self._values = values

    def members(self, label: int) -> IntArray:
        """Positions of a class's examples, lowest score first."""
        return self.order[self.ends[label] : self.ends[label + 1]]

    def quantiles(self, label: int) -> FloatArray:
        """5, 25, 50, 75 and 95 % quantiles of a class, NaN where it has no scores."""
        values = self._values[self.members(label)]
        return np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]) if len(values) else np.full(5, np.nan)

    def hardest(self) -> list[int]:
        """Classes that have scores, the lowest mean first."""
        return [label for label in np.argsort(self.mean, kind="stable").tolist() if self.count[label]]


def _other(audit: Exports) -> BoolArray:
    suggested = audit._suggested()
    return np.asarray((suggested >= 0) & (suggested != audit.labels))


def _flags(audit: Exports) -> BoolArray | None:
    """Whether each example is flagged; None where how many are wrong is not known."""
    if audit.label_errors is None or not audit.label_errors.known:
        return None
    return np.isin(audit.rows, audit._own_flags()[0])


def spread(audit: Exports) -> Histograms:
    """Histograms of all scores."""
    return Histograms("How every score is spread", "", audit.columns, _other(audit))


def confusion(audit: Exports) -> list[Confusion]:
    """Estimated number of wrong labels by given label and what it should be."""
    if audit.label_errors is None or not len(audit.label_errors.pairs):
        return []
    rate = audit.noise_rate()
    table, names = rate.pairs, audit.class_names
    top = table.head(PAIRS)
    pairs = tuple(top[["given", "suggested", "count", "share"]].itertuples(index=False, name=None))
    title = "Given against suggested labels"
    if not rate.known:
        # Why is said at the top of the page.
        note = "These pairs are confused most. How many of their labels are wrong is not known."
        return [Confusion(title, note, (), np.zeros((0, 0)), pairs)]
    total = float(table["count"].sum())
    note = (
        f"Estimated numbers of wrong labels: {total:.1f} of {len(audit):,} in all, {rate.rate:.1%} of the labels (95 % "
        f"interval {rate.lower:.1%} to {rate.upper:.1%})."
    )
    if len(names) > MATRIX:
        return [Confusion(title, f"{note} The {len(pairs)} largest pairs:", (), np.zeros((0, 0)), pairs)]
    counts = np.zeros((len(names), len(names)))
    true, given = audit.label_errors.pairs.T
    counts[given, true] = audit.label_errors.counts
    note += " A row is a given label, a column what it should be."
    return [Confusion(title, note, names, counts, pairs[:6])]


def listed(audit: Exports, scores: ClassScores) -> ByClass:
    """Classes, the hardest first."""
    flags, order = _flags(audit), scores.hardest()
    count = None
    if flags is not None:
        count = np.bincount(audit.labels[flags & (audit.labels >= 0)], minlength=len(audit.class_names))
    shown = order[:LISTED]
    note = f"The lowest mean {scores.score} first."
    if len(order) > LISTED:
        note += f" {LISTED} of {len(order):,} classes."
    note += " The bar reaches over the middle half of a class, the line from its 5 % to its 95 % quantile."
    rows = tuple(
        (
            audit.class_names[label],
            int(scores.size[label]),
            float(scores.mean[label]),
            float(scores.deviation[label]),
            "" if count is None else int(count[label]),
        )
        for label in shown
    )
    quantiles = np.array([scores.quantiles(label) for label in shown]).reshape(-1, 5)
    return ByClass("Class by class", note, scores.score, rows, quantiles)


def strips(audit: Exports, examples: Examples | None) -> list[Strips]:
    """Typical, middle and rare examples of each class (after figure 4 of Jiang and others 2021)."""
    if examples is None:
        return []
    scores = ClassScores(audit, typical.trusted(audit.columns, audit.default))
    order = scores.hardest()
    # Of a few examples none is more typical than others.
    order = [label for label in order if scores.count[label] >= 3 * EACH] or order
    note = f"By {scores.score}: its highest, middle and lowest values in each class. Rare ones may be mislabelled."
    if len(order) > STRIPS:
        half = STRIPS // 2
        order = [*order[:half], *order[-half:]]
        note += f" The {half} hardest and the {half} easiest classes."
    else:
        order = sorted(order)

    named = audit.rows

    def of(position: int) -> tuple[int, Any]:
        return int(named[position]), examples.show(position)

    classes = []
    for label in order:
        members = scores.members(label)
        start = max(0, (len(members) - EACH) // 2)
        groups = members[::-1][:EACH], members[start : start + EACH], members[:EACH]
        classes.append((audit.class_names[label], tuple(tuple(of(one) for one in few.tolist()) for few in groups)))
    return [Strips("Typical, middle and rare", note, ("typical", "middle", "rare"), tuple(classes))]


def difficulty(audit: Exports, scores: ClassScores) -> list[Points]:
    """Mean against deviation of each class (after figure 6 of Jiang and others 2021)."""
    order = scores.hardest()
    if len(order) < 3:
        return []
    names = tuple(audit.class_names[label] for label in order)
    said = (
        f"Each of {len(order):,} classes by the mean and the deviation of its {scores.score}: hardest {names[0]!r} "
        f"(mean {scores.mean[order[0]]:.3g}), easiest {names[-1]!r} ({scores.mean[order[-1]]:.3g}). A class that "
        "is hard and spread wide has both typical and odd examples."
    )
    across, up = f"mean {scores.score}", "deviation"
    return [Points("How hard each class is", "", across, up, scores.mean[order], scores.deviation[order], names, said)]


def data_map(audit: Exports) -> list[Crowd]:
    """Confidence against variability of each example (after Swayamdipta and others 2020)."""
    if audit.dynamics is None:
        return []
    confidence, variability = audit.dynamics.mean_confidence, audit.dynamics.variability
    known = np.isfinite(confidence)
    if not known.any():
        return []
    flags = _flags(audit)
    marked = _other(audit) if flags is None else flags
    easy, hard = (float((test & known).sum() / known.sum()) for test in (confidence >= 0.75, confidence < 0.25))
    said = (
        f"Each example by the mean and the deviation over epochs of the probability of its label: {easy:.0%} are easy "
        f"(mean 0.75 and more), {hard:.0%} are hard (below 0.25), and those far to the right are ambiguous."
    )
    legend = ("another label is suggested" if flags is None else "flagged", "all others")
    return [Crowd("Data map", "", "variability", "confidence", variability, confidence, marked, said, legend)]


def curves(audit: Exports) -> list[Curves]:
    """Share of examples that are right by epoch and group of a score (after figure 9a of Jiang and others 2021)."""
    dynamics = audit.dynamics
    if dynamics is None or dynamics.epochs < 2:
        return []
    name = typical.trusted(audit.columns, audit.default)
    values = audit.columns[name]
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < GROUPS:
        return []
    groups = np.array_split(known[np.argsort(values[known], kind="stable")], GROUPS)
    epochs = np.unique(np.linspace(1, dynamics.epochs, min(dynamics.epochs, MOST_EPOCHS)).round().astype(np.int64))
    shares = np.full((GROUPS, len(epochs)), np.nan)
    for at, epoch in enumerate(epochs.tolist()):
        right = dynamics.correct_in(epoch)
        seen = np.unpackbits(dynamics.seen_bits[epoch - 1], count=len(values)).astype(bool)
        for number, group in enumerate(groups):
            if seen[group].any():
                shares[number, at] = right[group].sum() / seen[group].sum()
    names = ("lowest fifth", "second", "third", "fourth", "highest fifth")
    first, last = shares[0, -1], shares[-1, -1]
    said = (
        f"Share of the examples that the model gets right, by fifths of {name}: after the last epoch {first:.0%} of "
        f"the lowest and {last:.0%} of the highest."
    )
    return [Curves("How fast they are learned", "", "epoch", "share right", epochs.astype(float), shares, names, said)]


def findings(audit: Findings, examples: Examples | None) -> list[Section]:
    """Duplicates, outliers and ambiguous examples, where that takes no search of many neighbours."""
    known = replace(audit, _examples=examples)
    parts: list[Section] = []
    if audit.dynamics is not None:
        parts += _few(known, examples, "Ambiguous: between two classes", "", known.ambiguous(FEW, "dynamics"))
    graph = gather.graphs(audit.evidence, audit._kept).get("input")
    depth = min(max(outliers.NEAREST, duplicates.DEPTH), len(audit) - 1)
    found = graph is not None and graph.depth >= depth
    if len(audit) < 3 or (not found and (examples is None or len(audit) > SMALL)):
        why = (
            "Not looked for here: that compares all pairs of examples. audit.outliers() and audit.duplicates() do, "
            "with the data set."
        )
        return [*parts, Table("Outliers and duplicates", why, (), ())]
    try:
        far, same = known.outliers(FEW), known.duplicates()
    except DataAuditError as error:
        return [*parts, Table("Outliers and duplicates", f"Not looked for here: {error.arrived}.", (), ())]
    parts += _few(known, examples, "Outliers: far from everything", "", far)
    if len(same):
        groups, differing = same["group"].nunique(), int(same.groupby("group")["differing"].first().sum())
        note = f"{len(same):,} examples in {groups:,} groups, {differing:,} of which have more than one label."
        same = same.head(FEW)
        same = same.assign(reason=[f"group {number}" for number in same["group"]])
        parts += _few(known, examples, "Duplicates", note, same)
    else:
        parts.append(Table("Duplicates", "None were found.", (), ()))
    return parts


def _few(audit: Exports, examples: Examples | None, title: str, note: str, table: Any) -> list[Section]:
    named = audit.rows
    positions = np.searchsorted(named, table["row"].to_numpy()).tolist()
    shown = tuple(
        (
            int(named[position]),
            None if examples is None else examples.show(position),
            spelled(audit.identity, position),
            f"{audit.class_names[audit.labels[position]] if audit.labels[position] >= 0 else 'no label'}: {reason}",
        )
        for position, reason in zip(positions, table["reason"], strict=True)
    )
    return [Few(title, note, shown)] if shown else []
