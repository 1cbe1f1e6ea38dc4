"""Settings and notes of an audit that no source of evidence gives: JSON values."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import numpy as np

from dataaudit.data.column_notes import notes_on_names
from dataaudit.data.derived import EMBEDDING, STREAM
from dataaudit.data.examples import Examples
from dataaudit.embedding.embedded import EmbeddedExamples
from dataaudit.errors import rows
from dataaudit.evidence.base import Evidence
from dataaudit.labels.label_errors import LabelErrors
from dataaudit.neighbours.search import name_of
from dataaudit.pipeline.plan import Plan

RECORDED = {
    "model": "recorded in the caller's loop",
    "recipe": None,
    "device": "the caller's",
    "precision": "the caller's",
    "engine": "recorder",
}
NO_MODEL = {"model": "none", "recipe": None, "device": "none", "precision": "none", "engine": "none"}


def settings_of(plan: Plan, evidence: Evidence, label_errors: LabelErrors | None) -> dict[str, Any]:
    """Model, recipe, seed, versions, what every source says of itself, and notes."""
    subject, scorers = plan.subject, plan.scorers
    described: dict[str, Any] = dict(RECORDED if subject.recorder is not None else NO_MODEL)
    if subject.learner is not None:
        described |= subject.learner.description
    if subject.trained_before:
        # The recipe of a model that was trained before is not known here, and nothing is rounded.
        described |= {"recipe": None, "precision": "the model's own"}
        described.pop("precision_reason", None)
    if subject.known_share is not None:
        described["already_fits"] = round(subject.known_share, 4)
    dropped = () if subject.examples is None or subject.examples.dropped is None else subject.examples.dropped
    own = () if subject.examples is None else subject.examples.notes
    reading = () if subject.examples is None else subject.examples.reading_notes
    notes = [*own, *reading, *plan.run.notes, *described.pop("notes", [])]
    without = () if subject.examples is None else subject.examples.unlabelled
    total = len(dropped) + len(plan.run.labels)
    if len(without):
        notes.append(
            f"{len(without)} of {total} rows have no label and are left out: {rows(without)}; audit.unlabelled() "
            "suggests labels for them"
        )
    unusable = np.setdiff1d(dropped, without)
    if len(unusable):
        notes.append(f"{len(unusable)} of {total} rows could not be used and were dropped: {rows(unusable)}")
    notes += notes_on_names(plan.run.class_names, plan.run.labels)
    notes += _dynamics_notes(evidence)
    settings: dict[str, Any] = {
        **described,
        "seed": None if subject.examples is None else plan.run.seed,
        "search": name_of(plan.search),
        "scorers": [scorer.name for scorer in scorers],
        "source": "recorder" if subject.examples is None else subject.examples.source,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("dataaudit", "numpy", "torch", "scikit-learn", "numba")},
        },
        "data": {} if subject.examples is None else _columns(subject.examples),
        "fingerprint": None if subject.inspection is None else subject.inspection.fingerprint,
    }
    if isinstance(subject.examples, EmbeddedExamples):
        settings["embedding"] = subject.examples.embedding
    if plan.run.set_aside:
        settings["set_aside"] = plan.run.set_aside
    if len(dropped):
        settings["dropped_rows"] = list(map(int, dropped))
    if len(without):
        settings["unlabelled_rows"] = list(map(int, without))
    for source in plan.sources:
        record = source.record(scorers)
        settings = _united(settings, record.settings)
        notes += record.notes
    if plan.store is not None:
        settings["cache"] = plan.store.describe()
        notes += plan.store.notes
        folder = plan.store.folder
        told = settings["cache"]["files"] or plan.store.notes
        if not told and not any((folder / name).exists() for name in (STREAM, EMBEDDING)):
            notes.append(f"nothing had to be kept in {folder}: no score asked for rows that lie in no array")
    settings |= _of_evidence(evidence)
    if not any(source.trains for source in plan.sources):
        settings.pop("recipe_chosen", None)
    return settings | {"notes": [*notes, *_warnings(evidence, label_errors)]}


def _united(one: Any, other: Any) -> Any:
    """Settings of several sources: of tables by score and lists in them, to which several add, nothing is lost."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _united(one[name], value) if name in one else value for name, value in other.items()}
    return one + other if isinstance(one, list) and isinstance(other, list) else other


def _columns(examples: Examples) -> dict[str, Any]:
    """Columns that were used, by what for, and the split: with these options the data set is read again."""
    origin = examples.origin
    options: dict[str, Any] = {"label": examples.label_column, "inputs": list(examples.columns)}
    if origin is not None:
        options |= {name: getattr(origin, name) for name in ("key", "split", "resize", "unlabelled")}
    # Names of other types than JSON has are inferred again.
    known = {name: value for name, value in options.items() if value is not None}
    plain = {name: _listed(value) for name, value in known.items()}
    kept = {name: parts for name, parts in plain.items() if parts and all(type(part) in (str, int) for part in parts)}
    return {name: parts if _several(known[name]) else parts[0] for name, parts in kept.items()}


def _listed(value: Any) -> list[Any]:
    return list(value) if _several(value) else [value]


def _several(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, np.ndarray))


def _dynamics_notes(evidence: Evidence) -> list[str]:
    if evidence.dynamics is None:
        return []
    unseen = int((evidence.dynamics.seen == 0).sum())
    notes = [f"{unseen} examples were never seen in training: their dynamics are NaN"] if unseen else []
    if evidence.dynamics.probability_classes is not None:
        notes.append("many classes: class means are kept for the likeliest classes of an example only")
    return notes


def _of_evidence(evidence: Evidence) -> dict[str, Any]:
    """Settings by what all sources together gave."""
    settings: dict[str, Any] = {}
    methods = evidence.methods
    if evidence.neighbour_labels is not None:
        settings["neighbour_labels"] = evidence.neighbour_labels.settings
    if evidence.combined is not None and evidence.combined.weights:
        settings["consensus"] = {
            name: {
                "weight": round(weight, 4),
                **({"method": methods[name]} if name in methods else {}),
            }
            for name, weight in evidence.combined.weights.items()
        }
    if evidence.passes is not None:
        settings["passes"] = round(evidence.passes, 2)
    if evidence.agreement is not None:
        settings["agreement"] = evidence.agreement.to_dict()
    return settings


def _warnings(evidence: Evidence, label_errors: LabelErrors | None) -> list[str]:
    """Notes on what limits evidence and counts."""
    notes = []
    if "repeats" in evidence.methods:
        notes.append(
            "every training run showed the same: this model draws nothing at random, and repeats= only costs time"
        )
    if evidence.agreement is not None:
        # Where that is why errors are not counted, it is said there.
        why = "" if label_errors is None else label_errors.unknown
        notes += [] if why == evidence.agreement.memorised_reason() else evidence.agreement.notes()
    if label_errors is None:
        return notes
    if not label_errors.known:
        notes.append(f"how many labels are wrong is not known, and none is flagged: {label_errors.unknown}")
    elif not label_errors.independent:
        notes.append(
            "the number of label errors is estimated from a model that was trained on the labels, which hides errors "
            "where it has memorised them and finds too many where it has learned little"
        )
    return notes
