import numpy as np
import pandas as pd
import pytest

import dataaudit
from dataaudit.data import as_examples, inspect
from dataaudit.data.derived import inspect_usable
from dataaudit.data.tables import as_numbers
from dataaudit.errors import DataError, RowError, SettingError
from dataaudit.learners.features import all_features
from dataaudit.representations.input import input_rows, level_rows


@pytest.mark.parametrize("name", ["label", "labels", "target", "class", "y", "Label", "TARGET"])
def test_a_label_is_recognised_by_name(name):
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], name: [5, 9, 5, 9], "colour": list("rgrg")})
    examples = as_examples(frame)
    assert examples.class_names == ("5", "9")
    assert list(examples.read(np.arange(2)).columns) == ["a", "colour"]


@pytest.mark.parametrize(
    "column", [list("rgrg"), pd.Categorical(list("rgrg")), [True, False, True, False], np.array(list("rgrg"), object)]
)
def test_otherwise_by_being_the_only_column_of_classes(column):
    examples = as_examples(pd.DataFrame({"a": [1.0, 2, 3, 4], "kind": column}))
    assert len(examples.class_names) == 2
    assert list(examples.read(np.arange(2)).columns) == ["a"]


@pytest.mark.parametrize(
    ("columns", "arrived"),
    [
        ({"a": [1, 2, 3, 4], "b": [0, 1, 0, 1]}, "no label column among 'a', 'b'"),
        ({"label": [0, 1, 0, 1], "y": [0, 1, 0, 1], "a": [1, 2, 3, 4]}, "2 possible label columns ('label', 'y')"),
        ({"p": list("xyxy"), "q": list("xyxy"), "a": [1, 2, 3, 4]}, "2 possible label columns ('p', 'q')"),
        ({"name": list("wxyz"), "a": [1, 2, 3, 4]}, "1 possible label columns ('name')"),
    ],
)
def test_a_label_that_is_not_clear_lists_the_columns(columns, arrived):
    with pytest.raises(DataError) as caught:
        as_examples(pd.DataFrame(columns))
    assert caught.value.arrived.startswith(arrived)
    assert all(repr(name) in str(caught.value) for name in columns)
    assert caught.value.action.startswith("name it")
    assert "label=" in caught.value.action
    if arrived.startswith("2"):
        # What is advised works.
        advised = caught.value.action.split("label=")[1].strip("'")
        assert as_examples(pd.DataFrame(columns), label=advised).label_column == advised


def test_inputs_and_label_by_name(frame):
    examples = as_examples(frame, label="label", inputs=["c", "a"])
    block = examples.read(np.array([2, 0]))
    assert list(block.columns) == ["c", "a"]
    pd.testing.assert_frame_equal(block, frame.loc[[2, 0], ["c", "a"]])
    assert list(as_examples(frame, inputs="b").read(np.arange(1)).columns) == ["b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "species"}, r"label='species'; expected one of the columns 'a', 'b', 'c', 'label'"),
        ({"inputs": ["a", "d"]}, r"inputs='d'; expected one of the columns 'a', 'b', 'c', 'label'"),
        ({"inputs": ["a", "a"]}, "'a' twice"),
        ({"label": "label", "inputs": ["a", "label"]}, "label column 'label' among the inputs"),
    ],
)
def test_columns_that_cannot_be_taken(frame, options, message):
    with pytest.raises(DataError, match=message):
        as_examples(frame, **options)


def test_no_inputs(frame):
    with pytest.raises(SettingError, match=r"inputs=\[\]"):
        as_examples(frame, inputs=[])
    with pytest.raises(DataError, match="label column 'label' only"):
        as_examples(frame[["label"]])
    with pytest.raises(DataError, match="without input columns"):
        as_examples((frame[[]], frame["label"]))


def test_a_column_name_used_twice(frame):
    with pytest.raises(DataError, match="several columns called 'a'"):
        as_examples(frame.rename(columns={"b": "a"}))


def test_names_of_columns_need_not_be_text():
    examples = as_examples(pd.DataFrame({0: [1.0, 2, 3, 4], 1: [0, 1, 0, 1]}), label=1)
    assert examples.show(2) == {"0": 3.0}


def test_later_changes_to_the_callers_frame_do_not_move_columns(frame):
    own = frame.copy()
    examples = as_examples(own)
    own.insert(0, "new", 0)
    del own["b"]
    pd.testing.assert_frame_equal(examples.read(np.arange(7)), frame[["a", "b", "c"]])


def test_values_are_shared_not_copied(frame):
    own = frame.copy()
    examples = as_examples(own)
    assert np.shares_memory(examples.frame["a"].to_numpy(), own["a"].to_numpy())


def test_labels_of_another_order_are_refused(frame):
    inputs, labels = frame[["a", "b"]], frame["label"].iloc[::-1]
    with pytest.raises(DataError, match=r"another order.*labels\.loc\[inputs\.index\]"):
        as_examples((inputs, labels))
    assert as_examples((inputs, labels.to_numpy())).class_names == ("x", "y", "z")
    renumbered = frame["label"].set_axis(range(100, 107))
    assert as_examples((inputs, renumbered)).class_names == ("x", "y", "z")


def test_lengths_that_differ(frame):
    with pytest.raises(DataError, match="7 inputs and 6 labels"):
        as_examples((frame[["a"]], frame["label"].iloc[:6]))


def test_empty(frame):
    with pytest.raises(DataError, match="empty data set"):
        as_examples(frame.iloc[:0], label="label")


def test_rows_that_are_not_finite_are_named(frame):
    broken = frame.copy()
    broken.loc[2, "b"] = np.nan
    broken.loc[5, "c"] = np.inf
    with pytest.raises(DataError, match="rows 2, 5;"):
        inspect(as_examples(broken))


def test_rows_without_a_label_are_left_out(frame):
    broken = frame.copy()
    broken.loc[4, "label"] = None
    examples = as_examples(broken)
    assert (examples.dropped.tolist(), examples.unlabelled.tolist()) == ([4], [4])


def test_a_transform_takes_a_row_as_a_dict(frame):
    examples = as_examples(frame, transform=lambda row: np.array([row["a"] + row["b"]]))
    np.testing.assert_allclose(examples.read(np.array([6, 1]))[:, 0], (frame["a"] + frame["b"])[[6, 1]])
    assert set(examples.show(0)) == {"a", "b", "c"}
    with pytest.raises(DataError, match=r"transform= in row 3 \(KeyError"):
        as_examples(frame, transform=lambda row: row["d"]).read(np.array([3]))


def test_show_gives_plain_values(frame):
    shown = as_examples(frame).show(1)
    assert shown == frame.loc[1, ["a", "b", "c"]].to_dict()
    assert {type(value) for value in shown.values()} == {float}


def test_numbers_of_every_type():
    frame = pd.DataFrame(
        {
            "int": [1, 2],
            "float": [0.5, np.nan],
            "bool": [True, False],
            "nullable": pd.array([3, None], dtype="Int64"),
            "flag": pd.array([None, True], dtype="boolean"),
        }
    )
    numbers = as_numbers(frame)
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [[1, 0.5, 1, 3, np.nan], [2, np.nan, 0, np.nan, 1]])


def test_columns_that_are_no_numbers_are_named():
    frame = pd.DataFrame(
        {
            "a": [1.0, 2],
            "text": ["x", "y"],
            "kind": pd.Categorical([1, 2]),
            "day": pd.to_datetime(["2020-01-01"] * 2),
            "wave": [1j, 2j],
        }
    )
    with pytest.raises(DataError) as caught:
        as_numbers(frame)
    assert caught.value.arrived == "columns that are not numbers: 'text', 'kind', 'day', 'wave'"
    assert "exclude=" in caught.value.action
    assert "pipeline" in caught.value.action


def test_numbers_beyond_float32_are_refused():
    with pytest.raises(DataError, match="values beyond float32 in columns 'b'"):
        as_numbers(pd.DataFrame({"a": [1.0, 2], "b": [1.0, 1e300]}))


def test_objects_are_no_classes():
    frame = pd.DataFrame({"points": [[1, 1], [2, 2], [1, 1], [2, 2]], "kind": list("rgrg"), "a": [1.0, 2, 3, 4]})
    assert as_examples(frame, inputs=["a"]).class_names == ("g", "r")
    with pytest.raises(DataError, match="labels of type list"):
        as_examples(frame, label="points", inputs=["a"])


def test_large_numbers_of_a_table_are_told_apart():
    """Seconds since 1970, between which float32 does not tell."""
    seconds = 1_700_000_000 + np.arange(60)
    table = pd.DataFrame({"at": seconds, "size": np.arange(60) % 7, "label": np.arange(60) % 2})
    examples = as_examples(table, label="label")
    for rows, _ in (input_rows(examples), level_rows(examples)):
        assert len(np.unique(np.asarray(rows)[:, 0])) > 50
    with pytest.raises(DataError, match="column 'at' that float32 does not tell apart"):
        all_features(examples)


@pytest.mark.parametrize(
    "column",
    [
        np.full(60, 0.1),
        np.linspace(1, 9, 60) * 3.3 / np.linspace(1, 9, 60),
        np.linspace(1, 9, 60) * 3.3e17 / np.linspace(1, 9, 60),
        1_700_000_000_000_000_000 + np.arange(60) * 50,
    ],
)
def test_what_rounding_leaves_of_one_value_is_no_column(column):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"same": column, "size": rng.normal(size=60), "label": np.arange(60) % 2})
    examples = as_examples(table, label="label")
    for rows, _ in (input_rows(examples), level_rows(examples)):
        assert np.abs(np.asarray(rows)[:, 0]).max() < 1e-9
    assert all_features(examples).shape == (60, 2)
    new = table.drop(columns="label").iloc[:2].assign(same=column[:2] + 0.1)
    found = dataaudit.score(None, table, label="label", progress=False).score_new(new, progress=False)
    assert found["nearest_distance"].max() < 1


def test_a_vector_that_is_missing_is_a_bad_row_for_any_model():
    vectors = [None if row == 7 else np.full(4, row, np.float32) for row in range(40)]
    examples = as_examples(pd.DataFrame({"v": vectors, "label": np.arange(40) % 2}), label="label")
    with pytest.raises(RowError, match="no vector"):
        examples.read(np.array([7]))
    for allow_missing in (True, False):
        assert len(inspect_usable(examples, allow_missing)[0]) == 39
