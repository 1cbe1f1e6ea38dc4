import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataaudit.data import as_examples, inspect
from dataaudit.data.inspection import READ_BYTES, rows_per_block
from dataaudit.data.labels import encode_labels
from dataaudit.errors import DataError

VALUES = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4, unique=True),
    st.lists(st.text(max_size=5), min_size=4, max_size=4, unique=True),
    st.just([False, True]),
)


@st.composite
def columns(draw):
    """Labels with at least two classes: a list of whole numbers, of texts or of booleans."""
    values = draw(VALUES)
    rest = draw(st.lists(st.sampled_from(values), max_size=30))
    return draw(st.permutations([values[0], values[1], *rest]))


@given(columns(), st.sampled_from(["list", "array", "series", "category"]))
def test_names_at_positions_give_the_labels_back(column, container):
    # NumPy's own text type drops trailing NUL characters; objects keep them.
    array = np.array(column, dtype=object if isinstance(column[0], str) else None)
    made = {
        "list": column,
        "array": array,
        "series": pd.Series(column, index=range(5, 5 + len(column))),
        "category": pd.Categorical(column),
    }
    labels, names = encode_labels(made[container])
    assert [names[label] for label in labels] == [str(value) for value in column]
    assert labels.dtype == np.int64
    assert len(set(names)) == len(names) == len(set(column))
    order = [column[int(np.flatnonzero(labels == position)[0])] for position in range(len(names))]
    assert order == sorted(order)


@given(st.lists(st.integers(0, 4), min_size=5, max_size=30).filter(lambda found: len(set(found)) > 1))
def test_declared_names_keep_their_place(positions):
    labels, names = encode_labels(positions, ("a", "b", "c", "d", "e"))
    assert labels.tolist() == positions
    assert names == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("column", "labels", "names"),
    [
        ([7, 3, 1000, 3], [1, 0, 2, 0], ("3", "7", "1000")),
        ([-1, 1, 1, -1], [0, 1, 1, 0], ("-1", "1")),
        ([1.0, 3.0, 1.0], [0, 1, 0], ("1", "3")),
        ([True, False, True], [1, 0, 1], ("False", "True")),
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        (pd.Categorical(["b", "a"], categories=["b", "a", "unused"]), [1, 0], ("a", "b")),
        (pd.array([5, 2, 5], dtype="Int64"), [1, 0, 1], ("2", "5")),
        (np.array([0, 2**64 - 1], dtype=np.uint64), [0, 1], ("0", "18446744073709551615")),
    ],
)
def test_classes_are_named_as_they_are_spelled(column, labels, names):
    assert encode_labels(column)[0].tolist() == labels
    assert encode_labels(column)[1] == names


@pytest.mark.parametrize(
    ("column", "names", "arrived"),
    [
        ([], None, "an empty data set"),
        ([1, 1, 1], None, "one class ('1') in all 3 examples"),
        ([0, 0, 0], ("cat", "dog"), "one class ('cat') in all 3 examples"),
        ([0, 1], ("a", "b", "c"), "2 examples of 3 classes"),
        ([None, np.nan, None], None, "no label in any of 3 rows"),
        (pd.array([None, None], dtype="Int64"), None, "no label in any of 2 rows"),
        ([0, 0.5, 1], None, "label 0.5 in row 1"),
        ([0.0, np.inf, 1], None, "label inf in row 1"),
        ([0, 1, 2, -1, -2], ("a", "b"), "label 2 in rows 2, 4"),
        ([1, "a", 2], None, "labels of several types (int, str)"),
        ([1 + 2j, 2j], None, "labels of type complex"),
        ([[0, 1], [1, 0]], None, "labels of type list"),
        (np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"), None, "labels of type Timestamp"),
    ],
)
def test_bad_labels_are_told_apart(column, names, arrived):
    with pytest.raises(DataError) as caught:
        encode_labels(column, names)
    assert caught.value.arrived.startswith(arrived)
    assert caught.value.expected
    assert caught.value.action


def test_a_fingerprint_follows_values_order_labels_and_names():
    inputs, labels = np.arange(12.0).reshape(6, 2), np.arange(6) % 2
    changed = inputs.copy()
    changed[5, 1] += 1e-9
    prints = {
        inspect(as_examples(pair)).fingerprint
        for pair in [
            (inputs, labels),
            (changed, labels),
            (inputs[::-1].copy(), labels),
            (inputs, 1 - labels),
            (inputs, np.array(["no", "yes"])[labels]),
            (inputs.astype(np.float32), labels),
            (inputs.reshape(6, 1, 2), labels),
        ]
    }
    assert len(prints) == 7
    assert inspect(as_examples((inputs.tolist(), labels.tolist()))).fingerprint in prints


def test_an_inspection_in_many_blocks_names_rows_of_the_whole():
    examples = as_examples((np.zeros((70000, 2), np.float32), np.arange(70000) % 2))
    assert rows_per_block(examples) < len(examples)
    inputs = np.zeros((70000, 2))
    inputs[[0, 65535, 65536, 69999]] = np.nan
    with pytest.raises(DataError, match="rows 0, 65535, 65536, 69999"):
        inspect(as_examples((inputs, np.arange(70000) % 2)))


def test_many_bad_rows_are_counted():
    inputs = np.full((20, 1), np.nan)
    with pytest.raises(DataError, match="rows 0, 1, 2, 3, 4, 5, 6, 7 and 12 more"):
        inspect(as_examples((inputs, np.arange(20) % 2)))


def test_missing_values_pass_where_the_model_takes_them_and_infinity_does_not():
    inputs = np.zeros((4, 2))
    inputs[1, 0] = np.nan
    assert inspect(as_examples((inputs, [0, 1, 0, 1])), allow_missing=True).shape == (2,)
    inputs[2, 0] = np.inf
    with pytest.raises(DataError, match="row 2;"):
        inspect(as_examples((inputs, [0, 1, 0, 1])), allow_missing=True)


def test_blocks_are_bounded_for_large_rows():
    examples = as_examples((np.zeros((8, READ_BYTES // 2), np.uint8), np.arange(8) % 2))
    assert rows_per_block(examples) == 2
