import numpy as np
import pandas as pd
import pytest

from dataaudit.data import as_examples
from dataaudit.data.preparation import prepared as prepared_rows
from dataaudit.errors import DataError
from dataaudit.testing import ExamplesContract


def prepared(frame, label, inputs=None):
    return prepared_rows(as_examples(frame, label=label, inputs=inputs))


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "size": [1.0, 2.0, np.nan, 4.0],
            "colour": ["red", "blue", "red", None],
            "soft": [True, False, True, True],
            "kind": ["a", "b", "a", "b"],
        }
    )


class TestContract(ExamplesContract):
    @pytest.fixture(autouse=True)
    def _given(self, frame):
        self.frame = frame

    def examples(self):
        return prepared(self.frame, "kind")


def test_numbers_are_standardised_gaps_marked_and_categories_spread(frame):
    table = prepared(frame, "kind")
    rows = table.read(np.arange(4))
    assert rows.dtype == np.float32
    assert rows.shape == (4, table.width) == (4, 7)
    filled = np.array([1.0, 2.0, 2.0, 4.0])
    np.testing.assert_allclose(rows[:, 0], (filled - filled.mean()) / filled.std(), rtol=1e-6)
    assert (rows[:, 1] > 0).tolist() == [False, False, True, False]
    assert rows[:, 2:].sum(1).tolist() == [2.0] * 4
    assert "gaps filled by medians and marked: 1" in table.notes[0]
    assert table.show(1) == {"size": 2.0, "colour": "blue", "soft": False}


@pytest.mark.parametrize(
    "column",
    [
        pd.array(["p", "q", None, "p"], dtype="string"),
        pd.Categorical(["p", "q", None, "p"]),
        pd.array([True, False, None, True], dtype="boolean"),
        pd.Series([True, False, np.nan, True], dtype=object),
    ],
)
def test_gaps_in_categories_are_a_value_of_their_own(column):
    rows = prepared(pd.DataFrame({"x": column, "kind": list("abab")}), "kind").read(np.arange(4))
    assert rows.shape == (4, 3)
    assert rows.sum(1).tolist() == [1.0] * 4
    assert (rows[0] == rows[3]).all()
    assert len(np.unique(rows, axis=0)) == 3


def test_columns_may_be_called_by_numbers():
    rows = prepared(pd.DataFrame({0: list("pqpq"), 1: range(4), "kind": list("abab")}), "kind").read(np.arange(4))
    assert rows.shape == (4, 3)


def test_whole_numbers_are_shown_whole():
    table = prepared(pd.DataFrame({"id": [1234567, 2], "size": [0.5, 1.5], "kind": ["a", "b"]}), "kind")
    shown = table.show(0)
    assert str(shown["id"]) == "1234567"
    assert shown["size"] == 0.5


def test_only_the_named_inputs_are_used(frame):
    assert prepared(frame, "kind", ["size"]).show(0) == {"size": 1.0}
    assert prepared(frame, "kind", ["colour"]).width == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": [1.0, np.inf, 2.0, 3.0]}, "infinite number in column 'size', row 1"),
        ({"size": [np.nan] * 4}, "without a single value"),
        ({"colour": [1, "a", 2, "b"]}, "column 'colour' with values that cannot be told apart"),
        ({"colour": [{1}, {2}, {1}, {2}]}, "neither numbers nor categories: 'colour'"),
    ],
)
def test_what_cannot_be_prepared_is_refused(frame, change, message):
    with pytest.raises(DataError, match=message):
        prepared(frame.assign(**change), "kind")


def test_free_text_is_refused():
    frame = pd.DataFrame(
        {"text": [f"title {i}" for i in range(60)], "size": [0.5, 1.5, 2.5] * 20, "label": [0, 1] * 30}
    )
    with pytest.raises(DataError, match="60 different texts"):
        prepared(frame, "label")


def test_a_table_of_labels_alone_is_refused(frame):
    with pytest.raises(DataError, match="label column 'kind' only"):
        prepared(frame[["kind"]], "kind")


def test_unknown_columns_are_listed(frame):
    with pytest.raises(DataError, match="'size'"):
        prepared(frame, "knd")
    with pytest.raises(DataError, match="'colour'"):
        prepared(frame, "kind", ["color"])
