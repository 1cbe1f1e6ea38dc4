"""The report page of an audit."""

from __future__ import annotations

import numpy as np

from dataaudit.audit.label_errors import LabelDecisions
from dataaudit.common.types import IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.identity import spelled
from dataaudit.report.page import Card, Histograms, Page, Section, Table

EXAMPLES = 60
PAIRS = 12
SHARE = 0.05


def page_of(audit: LabelDecisions, examples: Examples | None, k: int = EXAMPLES) -> Page:
    """Content of the page of `audit`: its `k` worst examples, shown where the data set is at hand."""
    worst = audit.ranking()[: max(1, round(SHARE * len(audit)))]
    disagrees = (audit.suggested >= 0) & (audit.suggested != audit.labels)
    sections: list[Section] = [Histograms("How every score is spread", "", audit.columns, disagrees)]
    sections += [table for table in (_pairs(audit, worst), _by_class(audit, worst)) if table.rows]
    return Page(
        examples=len(audit),
        classes=len(audit.class_names),
        headline=str(audit.noise_rate()).splitlines()[0] if audit.label_errors is not None else "",
        ranked_by=audit.default,
        agreement=str(audit.agreement),
        disagreeing=int(disagrees.sum()),
        cards=_cards(audit, examples, k),
        has_data=examples is not None,
        sections=tuple(sections),
        settings={name: value for name, value in audit.settings.items() if name != "notes"},
        notes=tuple(audit.settings.get("notes", ())),
        seconds=audit.timings,
    )


def _cards(audit: LabelDecisions, examples: Examples | None, k: int) -> tuple[Card, ...]:
    dynamics = audit.dynamics
    return tuple(
        Card(
            row=int(row["row"]),
            name=spelled(audit.identity, position),
            given=row["given"],
            suggested=row["suggested"],
            score=float(row["score"]),
            shown=None if examples is None else examples.show(position),
            confidence=None if dynamics is None else dynamics.confidence_by_epoch[:, position],
        )
        for position, row in zip(audit.ranking()[:k].tolist(), audit.suspects(k).to_dict("records"), strict=True)
    )


def _pairs(audit: LabelDecisions, worst: IntArray) -> Table:
    """Pairs of classes that are mistaken for each other, most frequent first."""
    given, suggested = audit.labels[worst], audit.suggested[worst]
    other = (suggested >= 0) & (suggested != given)
    keys, counts = np.unique(np.stack([given[other], suggested[other]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:PAIRS]
    names = audit.class_names
    return Table(
        "Labels that are mistaken for each other",
        f"Among the most suspicious {SHARE:.0%}.",
        ("given", "suggested", "examples"),
        tuple((names[keys[0, i]], names[keys[1, i]], int(counts[i])) for i in order),
    )


def _by_class(audit: LabelDecisions, worst: IntArray) -> Table:
    """Classes, the most suspicious first."""
    scores, classes = audit.columns[audit.default], len(audit.class_names)
    # Labels that a record lacks, -1, are of no class.
    size = np.bincount(audit.labels[audit.labels >= 0], minlength=classes)
    known = ~np.isnan(scores) & (audit.labels >= 0)
    total = np.bincount(audit.labels[known], weights=scores[known], minlength=classes)
    count = np.bincount(audit.labels[known], minlength=classes)
    mean = np.divide(total, count, out=np.full(classes, np.nan), where=count > 0)
    among = np.bincount(audit.labels[worst[audit.labels[worst] >= 0]], minlength=classes)
    order = np.lexsort((np.arange(classes), mean)).tolist()
    return Table(
        "Class by class",
        "",
        ("class", "examples", f"mean {audit.default}", f"among the most suspicious {SHARE:.0%}"),
        tuple((audit.class_names[c], int(size[c]), float(mean[c]), int(among[c])) for c in order),
    )
