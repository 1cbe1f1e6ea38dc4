"""Refusals of what an audit does with data sets: new rows, exports, corrected ones."""

from functools import cache

import numpy as np
import pandas as pd
import scipy.sparse
import torch

from dataaudit.data.examples import Examples
from tests.advice.data_rows import LABELS, ROWS, TABLE, TENSORS, TEXTS, N, Rows, listed, score

COLOURS = TABLE.assign(c=["red", "green"] * (N // 2))
KINDS = {
    "arrays": (ROWS, LABELS),
    "table": COLOURS,
    "texts": (TEXTS, LABELS),
    "pixels": ((255 * np.eye(3)[LABELS][:, None]).astype(np.uint8), LABELS),
}


@cache
def audited(kind):
    return score(KINDS[kind], scorers="parzen/input")


def new(dataset, labels=None, kind="arrays", **options):
    """Rows beside audited ones."""
    audited(kind).score_new(dataset, labels, k=3, progress=False, **options)


def selected(audit, dataset):
    """What a reader selects by hand."""
    rows = [dataset[row] for row in audit.rows.tolist()]
    assert len(rows) == len(audit.labels) == len(audit.suggested)


def exported(dataset, select=None, twice=False, **options):
    audit = score(dataset, scorers="parzen/input", **options)
    if select is not None:
        return selected(audit, select)
    whole = audit.to_dataset()
    return score(whole, scorers="parzen/input", label="label", inputs=["a", "b"]).to_dataset() if twice else whole


def applied(dataset, select=None, label="2"):
    """A data set as decisions say."""
    audit = score(dataset)
    if select is not None:
        return selected(audit, select)
    rows = np.flatnonzero(LABELS == 0)[:2]
    return audit.apply(pd.DataFrame({"row": rows, "decision": "relabel", "label": label}))


class Named(Rows):
    """A torch data set that names a class more than it has."""

    targets, classes = LABELS, ["0", "1", "2"]


class Adapted(Examples):
    """Rows that a caller has adapted."""

    source = "adapted rows"

    def show(self, index):
        return ROWS[index]

    def read_rows(self, indices):
        return ROWS[indices]


NAMED = Named(list(zip(torch.from_numpy(ROWS), LABELS.tolist(), strict=True)))
SPARSE = (scipy.sparse.csr_matrix(ROWS), LABELS)
FRAME = COLOURS[["a", "b", "c"]]

CASES = {
    "labels twice": (new, {"dataset": (ROWS, LABELS), "labels": LABELS}),
    "no rows": (new, {"dataset": ROWS[:0]}, {"with rows": {"dataset": ROWS}}),
    "labels beside a label column": (
        new,
        {"dataset": COLOURS, "labels": LABELS, "label": "label", "kind": "table"},
    ),
    "a missing label": (
        new,
        {"dataset": ROWS[:2], "labels": [1, None]},
        {"drop those rows": {"dataset": ROWS[:1], "labels": [1]}, "leave out the labels": {"labels": None}},
    ),
    "a class that was not audited": (
        new,
        {"dataset": ROWS[:2], "labels": ["1", "11"]},
        {"did you mean '1'": {"labels": ["1", "1"]}},
    ),
    "an array beside a table": (new, {"dataset": ROWS, "kind": "table"}, {"same kind": {"dataset": FRAME}}),
    "other columns": (new, {"dataset": FRAME.assign(d=1), "inputs": ["a", "b", "d"], "kind": "table"}),
    "no such column": (new, {"dataset": FRAME.drop(columns="a"), "kind": "table"}, {"inputs=": {"dataset": FRAME}}),
    "rows of another width": (new, {"dataset": ROWS[:, :2]}, {"resize or reshape": {"dataset": ROWS}}),
    "pixels as other numbers": (
        new,
        {"dataset": KINDS["pixels"][0] / 255, "kind": "pixels"},
        {"convert them": {"dataset": KINDS["pixels"][0]}},
    ),
    "texts in a column of numbers": (
        new,
        {"dataset": FRAME.assign(a="x"), "kind": "table"},
        {"correct those rows": {"dataset": FRAME}},
    ),
    "inputs without a length": (
        new,
        lambda: {"dataset": iter(ROWS), "labels": LABELS},
        {"an array": {"dataset": ROWS}},
    ),
    "export of sparse rows": (exported, {"dataset": SPARSE}, {"select": {"select": SPARSE[0]}}),
    "export of a torch data set": (exported, {"dataset": TENSORS}, {"select": {"select": TENSORS}}),
    "export of values of no type": (
        exported,
        {"dataset": TABLE.assign(z=listed([object()] * N)), "exclude": "z"},
        {"select": {"select": ROWS}},
    ),
    "export of an export": (
        exported,
        {"dataset": TABLE, "twice": True},
        {"rename": {"twice": False}, "remove": {"twice": False}},
    ),
    "a label that no row carries": (
        applied,
        {"dataset": NAMED},
        {"another label": {"label": "1"}, "yourself": {"select": NAMED}},
    ),
    "correction of adapted rows": (
        applied,
        {"dataset": Adapted(LABELS, ("0", "1")), "label": "1"},
        {"select": {"select": NAMED}},
    ),
}
