"""Nearest examples of either label, beside the first examples of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.kinds import is_table
from dataaudit.data.texts import inputs_are_texts
from dataaudit.embedding.embedded import are_vectors
from dataaudit.findings import gather
from dataaudit.findings.alike import affordable, nearest_of_classes
from dataaudit.representations import sparse
from dataaudit.representations.input import place_rows

if TYPE_CHECKING:
    from dataaudit.audit.findings import Findings
    from dataaudit.data.examples import Examples

MOST = 1000
"""Examples of a page, at most, whose nearest are looked for."""
EACH = 3
"""Nearest of either label."""
READ = 12_000
"""Most examples of which a model's layer, or vectors of words and of tables, are computed for a page."""


@dataclass(frozen=True)
class Alike:
    """Positions of the nearest of either label of the first examples of a page, int64 [m, 2, EACH], -1 for none;
    `by` says where they lie, or why there are none."""

    positions: IntArray
    by: str


def alike_of(audit: Findings, examples: Examples | None, chosen: IntArray, suggested: IntArray) -> Alike:
    """Nearest examples of the given and of the `suggested` label, int64 [n] with -1 for none, of those `chosen`."""
    nobody = np.zeros((0, 2, EACH), np.int64)
    if examples is None:
        return Alike(nobody, "")
    rows, by = _rows(audit, examples)
    if rows is None:
        return Alike(nobody, by)
    labels, few = audit.labels, chosen[:MOST]
    classes = np.stack([labels[few], suggested[few]], 1)
    sizes = np.bincount(labels[labels >= 0], minlength=len(audit.class_names))
    few = few[: affordable(sizes, classes, rows.shape[1])]
    if not len(few):
        return Alike(nobody, f"{len(labels):,} examples are too many to search in")
    return Alike(nearest_of_classes(rows, labels, few, classes[: len(few)], EACH), by)


def _rows(audit: Findings, examples: Examples) -> tuple[Any, str]:
    """Rows in which examples that look alike lie close, and what they are; None and why where there are none."""
    small, model = len(examples) <= READ, audit._model
    first = examples.read(np.zeros(1, np.int64))
    has_columns = np.ndim(first) <= 2 and not inputs_are_texts(examples)
    if audit.vectors is not None:
        return audit.vectors, "by their vectors"
    if audit.settings.get("embedding") is not None and not are_vectors(examples):
        return None, "their vectors are not saved with the audit"
    if small and model is not None and model.readable and model.at_hand and not has_columns:
        return gather.hidden_rows(model, audit.labels, audit._seed()), "by the last layer of the model"
    if not small and (is_table(first) or inputs_are_texts(examples) or sparse.is_wide(examples)):
        return None, f"that takes vectors of all examples, which a page makes of at most {READ:,}"
    return place_rows(examples)[0], "by what the model is given"
