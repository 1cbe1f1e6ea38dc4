"""What came in comes out of `clean`, changed; categories, gaps, names of rows and notes of other packages' tables."""

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dataaudit
from dataaudit.data import as_examples
from dataaudit.data.column_notes import notes_on_columns, notes_on_names
from dataaudit.errors import DataError

N, WRONG = 30, 7
TRUTH = np.arange(N) % 3
GIVEN = np.where(np.arange(N) == WRONG, 2, TRUTH)
NAMES = np.array(["ant", "bee", "cat"])
ROWS = (np.random.default_rng(0).normal(size=(N, 3)) + 6 * np.eye(3)[TRUTH]).astype(np.float32)
COLUMNS = {name: ROWS[:, column] for column, name in enumerate("abc")}

TABLES = {
    "polars": lambda: pl.DataFrame({**COLUMNS, "label": pl.Series(NAMES[GIVEN]).cast(pl.Categorical)}),
    "lazy": lambda: pl.DataFrame({**COLUMNS, "label": NAMES[GIVEN]}).lazy(),
    "pyarrow": lambda: pa.table({**COLUMNS, "label": pa.array(NAMES[GIVEN]).dictionary_encode()}),
    "chunks": lambda: pa.concat_tables([pa.table({**COLUMNS, "label": NAMES[GIVEN]}).slice(0, 9),
                                        pa.table({**COLUMNS, "label": NAMES[GIVEN]}).slice(9)]),
}  # fmt: skip


def as_pandas(table):
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    return table.to_pandas()


@pytest.mark.parametrize("kind", TABLES)
def test_tables_come_out_as_what_they_came_in_as(kind):
    table = TABLES[kind]()
    before = as_pandas(table)
    audit = dataaudit.score(None, table, progress=False)
    assert audit.suspects(1)["row"].tolist() == [WRONG]
    plain = dataaudit.score(None, (ROWS, NAMES[GIVEN]), progress=False)
    np.testing.assert_allclose(audit.columns["consensus"], plain.columns["consensus"], rtol=1e-5)
    for policy in ("drop", "relabel", "weight"):
        decision = {
            "row": [WRONG],
            "decision": ["remove" if policy == "drop" else "relabel"],
            "label": ["" if policy == "drop" else "bee"],
        }
        changed = audit.clean(policy) if policy == "weight" else audit.apply(pd.DataFrame(decision)).dataset
        assert type(changed) is type(table)
        after = as_pandas(changed)
        assert len(after) == N - (policy == "drop")
        assert list(after) == [*before, *(["weight"] if policy == "weight" else [])]
        assert after["label"].dtype == before["label"].dtype
        if policy == "relabel":
            assert after["label"].astype(str).tolist() == NAMES[TRUTH].tolist()
    assert audit.to_dataset().num_rows == N


def test_an_index_that_arrow_kept_names_the_rows_and_is_no_input():
    frame = pd.DataFrame({**COLUMNS, "label": NAMES[GIVEN]}, index=[f"u{row}" for row in range(N)])
    for table in (datasets.Dataset.from_pandas(frame), pa.Table.from_pandas(frame)):
        examples = as_examples(table)
        assert examples.columns == ("a", "b", "c")
        assert examples.identity[WRONG] == "u7"


def test_columns_of_vectors():
    frame = pd.DataFrame({"v": list(ROWS), "more": ROWS[:, 0], "note": [f"n{row}" for row in range(N)], "label": TRUTH})
    assert as_examples(frame[["v", "label"]]).read(np.array([3, 1])).tolist() == ROWS[[3, 1]].tolist()
    assert as_examples(frame[["v", "more", "label"]]).read(np.array([3])).shape == (1, 4)
    with pytest.raises(DataError, match=r"columns 'note' beside vectors in 'v'.*inputs='v'"):
        as_examples(frame[["v", "note", "label"]])
    broken = frame[["v", "label"]].copy()
    broken.at[4, "v"] = None
    with pytest.raises(DataError, match="no vector in column 'v' of row 4"):
        as_examples(broken).read(np.arange(N))


def test_categories_of_arrow_are_labels():
    table = pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1], "label": pa.array(NAMES[GIVEN]).dictionary_encode()})
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    assert as_examples(frame).class_names == ("ant", "bee", "cat")


def test_declared_names_of_a_column_are_kept():
    features = datasets.Features(x=datasets.Value("float32"), label=datasets.ClassLabel(names=["z", "a", "m"]))
    dataset = datasets.Dataset.from_dict({"x": ROWS[:, 0], "label": [-1, *GIVEN.tolist()[1:]]}, features=features)
    examples = as_examples((ROWS, dataset["label"]))
    assert examples.class_names == ("z", "a", "m")
    assert examples.unlabelled.tolist() == [0]


@pytest.mark.parametrize(
    ("package", "call"), [("xarray", "to_numpy"), ("dask", "compute"), ("cupy", "get"), ("pyspark", "toPandas")]
)
def test_containers_that_are_elsewhere_say_what_to_call(package, call):
    elsewhere = type("Rows", (), {"__module__": f"{package}.core", "shape": (N, 3)})()
    for dataset in (elsewhere, (elsewhere, GIVEN), (ROWS, elsewhere)):
        with pytest.raises(DataError) as caught:
            as_examples(dataset)
        assert call in caught.value.action


def test_columns_are_noted_that_tell_nothing_or_everything():
    frame = pd.DataFrame({**COLUMNS, "same": 1.0, "copy": NAMES[GIVEN], "code": 10 - GIVEN, "near": TRUTH})
    notes = notes_on_columns(list(frame), frame.__getitem__, GIVEN)
    assert [note.split(":")[-1].split(";")[0].strip() for note in notes] == ["'same'", "'copy', 'code'"]
    audit = dataaudit.score(None, frame.assign(label=NAMES[GIVEN]), label="label", progress=False)
    assert set(notes) <= set(audit.settings["notes"])
    hugging = datasets.Dataset.from_pandas(frame[["a", "same", "code"]].assign(label=GIVEN))
    assert len(as_examples(hugging).notes) == 2


def test_whole_numbers_of_few_values_stay_numbers_unless_they_are_categories():
    frame = pd.DataFrame({"a": TRUTH, "label": GIVEN})
    assert as_examples(frame).read(np.arange(3))["a"].tolist() == [0, 1, 2]
    numbers = dataaudit.score(None, frame.assign(b=ROWS[:, 0]), label="label", progress=False)
    assert not any("one-hot" in note for note in numbers.settings["notes"])


def test_names_that_look_alike_are_noted_with_their_counts():
    names = ("churn", "churn ", "Churn", "stay", "\uff53\uff54\uff41\uff59")
    labels = np.array([0, 0, 1, 2, 3, 3, 4, -1])
    wide = "\uff53\uff54\uff41\uff59"
    said = f"'churn' (2) and 'churn ' (1) and 'Churn' (1); 'stay' (2) and {wide!r} (1)"
    assert notes_on_names(names, labels) == [f"class names that look alike: {said}"]
