"""The report page of an audit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.audit.report_rows import cards_of, chosen_rows, suspicion
from dataaudit.common.types import IntArray
from dataaudit.errors import SettingError
from dataaudit.report.page import Page, Section, Table
from dataaudit.report.review import Review
from dataaudit.report.spread import Histograms

if TYPE_CHECKING:
    from dataaudit.audit.exports import Exports
    from dataaudit.data.examples import Examples

PAIRS = 12
SHARE = 0.05
LIMITS = (
    "A suggestion is a guess: look at the example before you accept it.",
    "An error that the model makes itself, because many labels are wrong in the same way, is hard to see for it.",
    "Rare but correct examples look like errors: keep them.",
)


def page_of(audit: Exports, examples: Examples | None, wanted: Any = "auto", title: str | None = None) -> Page:
    """Content of the page of `audit`, with the examples that `wanted` asks for, shown where the data set is at hand."""
    if title is not None and (not isinstance(title, str) or not title.strip()):
        raise SettingError(f"title={title!r}", "a heading for the page", "pass a text, or leave it out")
    chosen = chosen_rows(audit, wanted)
    return Page(
        title=title or f"Audit of {len(audit)} examples in {len(audit.class_names)} classes",
        found=tuple(_found(audit)),
        limits=LIMITS,
        review=Review(
            header=_header(audit),
            memory=f"dataaudit {_identified(audit)}",
            cards=cards_of(audit, examples, chosen),
            wanted=len(chosen.positions),
            has_data=examples is not None,
            ranked_by=audit.default,
            levels=() if audit.identity is None else tuple(audit.identity.names),
        ),
        sections=_sections(audit),
        settings={name: value for name, value in audit.settings.items() if name != "notes"},
        seconds=audit.timings,
        code="",
    )


def _header(audit: Exports) -> dict[str, Any]:
    """First line of a decision file."""
    return {
        "format": "dataaudit decisions",
        "version": 1,
        "fingerprint": audit.settings.get("fingerprint"),
        "class_names": list(audit.class_names),
    }


def _identified(audit: Exports) -> str:
    """Fingerprint of the data, or of the labels where nothing else is known."""
    known = audit.settings.get("fingerprint")
    return str(known) if known else hashlib.sha256(audit.labels.tobytes()).hexdigest()


def _found(audit: Exports) -> list[str]:
    """What was found, a sentence each."""
    count, classes = f"{len(audit):,} examples", f"{len(audit.class_names):,} classes"
    sentences = []
    if audit.label_errors is not None:
        rate = audit.noise_rate()
        sentences.append(_sentence(str(rate).splitlines()[0]))
        if rate.known:
            flagged = len(audit._own_flags()[0])
            sentences.append(f"{flagged:,} of the {count} in {classes} are flagged: likelier wrong than right.")
    else:
        sentences.append("How many labels are wrong is not known: nothing that was computed says what class one is of.")
    if str(audit.agreement):
        sentences.append(f"The model agrees with {audit.agreement} of the labels.")
    sentences.append(f"Ranked by {audit.default}; higher means more regular. Model: {audit.settings.get('model')}.")
    return [*sentences, *map(_sentence, audit.settings.get("notes", ()))]


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}" + ("" if note.endswith((".", "!", "?")) else ".")


def _sections(audit: Exports) -> tuple[Section, ...]:
    worst = suspicion(audit)[: max(1, round(SHARE * len(audit)))]
    suggested = audit._suggested()
    disagrees = (suggested >= 0) & (suggested != audit.labels)
    spread = Histograms("How every score is spread", "", audit.columns, disagrees)
    return (spread, *(table for table in (_by_class(audit, worst),) if table.rows))


def _by_class(audit: Exports, worst: IntArray) -> Table:
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
