"""The report page of an audit."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.audit.label_errors import REVIEW
from dataaudit.audit.report_alike import alike_of
from dataaudit.audit.report_rows import Chosen, cards_of, chosen_rows, other_scores, others_of
from dataaudit.audit.report_sections import sections_of
from dataaudit.errors import SettingError
from dataaudit.learners.recipes import Recipe
from dataaudit.report.page import Page
from dataaudit.report.review import Review
from dataaudit.review.decisions import header_of
from dataaudit.review.running import STRANGE, start_of

if TYPE_CHECKING:
    from dataaudit.audit.exports import Exports
    from dataaudit.audit.findings import Findings
    from dataaudit.data.examples import Examples

LIMITS = (
    "A suggestion is a guess: look at the example before you accept it.",
    "An error that the model makes itself, because many labels are wrong in the same way, is hard to see for it.",
    "Rare but correct examples look like errors: keep them.",
)


def page_of(audit: Findings, examples: Examples | None, wanted: Any = "auto", title: str | None = None) -> Page:
    """Content of the page of `audit`, with the examples that `wanted` asks for, shown where the data set is at hand."""
    if title is not None and (not isinstance(title, str) or not title.strip()):
        raise SettingError(f"title={title!r}", "a heading for the page", ["pass title='Audit'", "leave title= out"])
    chosen = chosen_rows(audit, wanted)
    alike = alike_of(audit, examples, chosen.positions, others_of(audit))
    return Page(
        title=title or f"Audit of {len(audit)} examples in {len(audit.class_names)} classes",
        found=tuple(_found(audit)),
        limits=LIMITS,
        review=Review(
            header=header_of(audit.settings.get("fingerprint"), audit.class_names),
            memory=f"dataaudit {_identified(audit)}",
            cards=cards_of(audit, examples, chosen, alike.positions),
            wanted=len(chosen.positions),
            has_data=examples is not None,
            ranked_by=audit.default,
            levels=() if audit.identity is None else tuple(map(str, audit.identity.names)),
            bound=_bound(audit, chosen),
            scores=other_scores(audit),
            alike=alike.by,
        ),
        sections=sections_of(audit, examples),
        settings={name: value for name, value in audit.settings.items() if name != "notes"},
        seconds=audit.timings,
        code=_code(audit),
    )


def _bound(audit: Exports, chosen: Chosen) -> dict[str, Any]:
    """Values from which the page computes how many labels are wrong; empty where its rows are no queue of `audit`."""
    queued = np.isfinite(chosen.places)
    if audit.label_errors is None or REVIEW in audit.settings or not queued.any():
        return {}
    population = np.flatnonzero(audit.labels >= 0)
    positions = chosen.positions[queued]
    if not np.isin(positions, population).all():
        return {"why": STRANGE}
    within = np.searchsorted(population, positions).astype(np.int64)
    return start_of(audit.label_errors.probability[population], within, chosen.places[queued], chosen.chances[queued])


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
            sentences.append("None is flagged, and the order of the examples may say little.")
    else:
        sentences.append("How many labels are wrong is not known: nothing that was computed says what class one is of.")
    if str(audit.agreement):
        sentences.append(f"Of the given labels, the model agrees with {audit.agreement}.")
    sentences.append(f"Ranked by {audit.default}; higher means more regular. Model: {audit.settings.get('model')}.")
    # Why that is not known is said already.
    said = audit.label_errors.unknown if audit.label_errors is not None else ""
    notes = [note for note in audit.settings.get("notes", ()) if not (said and note.endswith(said))]
    return [*sentences, *map(_sentence, notes)]


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}" + ("" if note.endswith((".", "!", "?")) else ".")


def _code(audit: Exports) -> str:
    """Lines that lead to the audit, by its settings."""
    settings = audit.settings
    options = [f"{name}={value!r}" for name, value in settings.get("data", {}).items()]
    options += [f"seed={settings['seed']}"] if settings.get("seed") is not None else []
    if isinstance(settings.get("scorers"), list):
        options.append(f"scorers={settings['scorers']!r}")
    # Estimators that are no torch modules have settings of their own.
    if (settings.get("recipe") or {}).keys() == {field.name for field in fields(Recipe)}:
        # Of an augmentation the name is known, and not where it is.
        recipe = [f"{name}={_spelled(name, value)}" for name, value in settings["recipe"].items()]
        options.append(f"recipe=dataaudit.Recipe({', '.join(recipe)})")
    lines = "".join(f"    {option},\n" for option in options)
    model = "recorder" if settings.get("source") == "recorder" else "model"
    return (
        f"import dataaudit\n\n# {model}: {settings.get('model')}; dataset: {settings.get('source')}, fingerprint "
        f"{settings.get('fingerprint')}\naudit = dataaudit.score(\n    {model},\n    dataset,\n{lines})\n"
        'audit.report("audit.html")\n'
    )


def _spelled(name: str, value: Any) -> str:
    if name == "augment" and value is not None:
        return str(value)
    return repr(tuple(value) if isinstance(value, list) else value)
