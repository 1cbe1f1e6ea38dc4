"""Refusals of labels: whatever they advise works when it is followed."""

from fractions import Fraction

import datasets
import numpy as np
import pandas as pd
import pytest

from dataaudit.data import as_examples, inspect

N = 12
CODES = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
TABLE = pd.DataFrame(ROWS, columns=list("abc")).assign(label=np.nan, kind=CODES)
CLASSES = datasets.ClassLabel(names=["ant", "bee"])


def read(labels=CODES, inputs=ROWS, on_bad_rows="raise", **options):
    """Adapt a pair, as `dataaudit.score` does before it trains."""
    examples = as_examples((inputs, labels), lenient=on_bad_rows == "drop", **options)
    inspect(examples)
    return examples


def read_table(table, **options):
    return as_examples(table, **options)


def declared(labels=CODES, names=CLASSES.names, on_bad_rows="raise"):
    """Adapt labels beside class names that a data set declares."""
    from dataaudit.tasks.classification import CLASSIFICATION

    return CLASSIFICATION.encode(labels, names, on_bad_rows == "drop")


def first(value, others=CODES):
    return [value, *np.asarray(others).tolist()[1:]]


GAPS = "nothing but gaps is there"

CASES = {
    "no rows": (read, {"inputs": ROWS[:0], "labels": CODES[:0]}, {"with rows": {"inputs": ROWS, "labels": CODES}}),
    "no label at all": (
        read_table,
        {"table": TABLE, "label": "label"},
        {"with label=": {"label": "kind"}, "unlabelled=": "nothing but gaps is there"},
    ),
    "every label is none": (
        read,
        {"labels": CODES % 1, "unlabelled": 0},
        {"with label=": {"labels": CODES + 1}, "unlabelled=": {"labels": CODES, "unlabelled": None}},
    ),
    "one class": (read, {"labels": CODES % 1}, {"another column of labels": {"labels": CODES}}),
    "more classes than rows": (
        declared,
        {"names": [f"kind {number}" for number in range(N + 1)]},
        {"more examples": {"labels": [*CODES, *CODES]}, "declare": {"names": CLASSES.names}},
    ),
    "a regression target": (read, {"labels": CODES + 0.5}, {"bins": {"labels": (CODES + 0.5) > 1}}),
    "an infinite label": (
        read,
        {"labels": first(np.inf)},
    ),
    "labels beyond 64 bits": (
        read,
        {"labels": np.array([1e20, 3e20])[CODES]},
        {"str(label)": {"labels": CODES.astype(str)}},
    ),
    "one-hot labels": (read, {"labels": np.eye(2)[CODES].tolist()}, {"argmax": {"labels": CODES}}),
    "labels of another kind": (
        read,
        {"labels": [Fraction(int(code), 3) for code in CODES]},
        {"str(label)": {"labels": [str(Fraction(int(code), 3)) for code in CODES]}},
    ),
    "labels of several kinds": (
        read,
        {"labels": [("ant", 3)[code] for code in CODES]},
        {"str(label)": {"labels": [("ant", "3")[code] for code in CODES]}},
    ),
    "names beside declared classes": (
        declared,
        {"labels": np.array(["ant", "bee"])[CODES]},
        {"without declared names": {"names": None}},
    ),
    "a label outside the declared classes": (
        declared,
        {"labels": first(7)},
        {"correct": {"labels": CODES}},
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("tasks") == set()
