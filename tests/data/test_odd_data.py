"""Containers and labels that people have by accident: taken for what they are, or refused with advice that works."""

import array
import ast
import datetime
import enum
import re
from collections import deque
from decimal import Decimal
from fractions import Fraction

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image
from scipy import sparse
from torch.utils.data import DataLoader, Subset, TensorDataset, random_split

import dataaudit
from dataaudit.data import as_examples, inspect
from dataaudit.data.export import as_dataset
from dataaudit.errors import DataError

N = 12
CODES = np.arange(N) % 2
ROWS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
NAMES = np.array(["ant", "bee"])[CODES]
TABLE = pd.DataFrame(ROWS, columns=list("abc")).assign(label=NAMES)
PAIRS = TensorDataset(torch.tensor(ROWS), torch.tensor(CODES))
FIELDS = [("a", "f4"), ("b", "f4"), ("c", "f4"), ("label", "U3")]
RECORDS = np.array([(*row, name) for row, name in zip(ROWS.tolist(), NAMES, strict=True)], FIELDS)
ONE_HOT = datasets.List(datasets.ClassLabel(names=["ant", "bee"]))


def of_xarray(name, **methods):
    return type(name, (), {"__module__": "xarray.core"} | methods)()


def lists(feature, values):
    features = datasets.Features({"vector": datasets.List(datasets.Value("float32")), "label": feature})
    return datasets.Dataset.from_dict({"vector": ROWS.tolist(), "label": values}, features=features)


TAKEN = {
    "lists of one": ((ROWS, CODES[:, None].tolist()), "01"),
    "tuples of one": ((ROWS, [(name,) for name in NAMES.tolist()]), NAMES[:2]),
    "[n, 1, 1]": ((ROWS, CODES[:, None, None]), "01"),
    "polars table of one column": ((ROWS, pl.DataFrame({"kind": NAMES})), NAMES[:2]),
    "pyarrow table of one column": ((ROWS, pa.table({"kind": NAMES})), NAMES[:2]),
    "Hugging Face lists of one": (lists(datasets.List(datasets.Value("int64")), CODES[:, None].tolist()), "01"),
    "Hugging Face lists of one class": (lists(ONE_HOT, CODES[:, None].tolist()), NAMES[:2]),
    "pandas, lists of Arrow": (
        TABLE.assign(label=pd.Series(CODES[:, None].tolist(), dtype=pd.ArrowDtype(pa.list_(pa.int64())))),
        "01",
    ),
}


MEMBERS = {
    "members": enum.Enum("Kind", {"ANT": 1, "BEE": 2}),
    "members that are numbers": enum.IntEnum("Kind", {"ANT": 1, "BEE": 2}),
    "members that are texts": enum.StrEnum("Kind", {"ANT": "an ant", "BEE": "a bee"}),
}
for kind, members in MEMBERS.items():
    labels = [list(members)[code] for code in CODES]
    TAKEN[kind] = (ROWS, labels), ("ANT", "BEE")
    TAKEN[f"{kind} in a table"] = TABLE.assign(label=pd.Series(labels, dtype=object)), ("ANT", "BEE")
HEADED = pd.concat({"size": TABLE[["a", "b"]], "y": TABLE[["c", "label"]]}, axis=1)
TAKEN["a label under headings"] = HEADED, NAMES[:2]


@pytest.mark.parametrize("kind", TAKEN)
def test_one_label_a_row_is_a_label(kind):
    dataset, names = TAKEN[kind]
    examples = as_examples(dataset)
    assert examples.labels.tolist() == CODES.tolist()
    assert examples.class_names == tuple(names)


REFUSED = {
    "one-hot array": ("labels", np.eye(2)[CODES]),
    "one-hot table": ("labels", pd.DataFrame(np.eye(2)[CODES])),
    "one-hot polars": ("labels", pl.DataFrame(np.eye(2)[CODES])),
    "one-hot lists": ("labels", np.eye(2)[CODES].tolist()),
    "one-hot tensor": ("labels", torch.eye(2)[CODES]),
    "dates": ("labels", np.array(["2020-01-01", "2021-01-01"], "M8[D]")[CODES]),
    "list of dates": ("labels", [datetime.date(2020 + year, 1, 1) for year in CODES.tolist()]),
    "two types": ("labels", [("ant", 3)[code] for code in CODES]),
    "decimals": ("labels", [Decimal(int(code)) for code in CODES]),
    "fractions": ("labels", [Fraction(int(code), 3) for code in CODES]),
    "floats beyond 64 bits": ("labels", np.array([1e20, 3e20])[CODES]),
    "deque": ("labels", deque(CODES.tolist())),
    "generator": ("labels", (code for code in CODES)),
    "array of Python": ("labels", array.array("l", CODES.tolist())),
    "bytes": ("labels", bytes(CODES.astype(np.uint8))),
    "memory": ("labels", memoryview(CODES)),
    "dictionary": ("labels", dict(enumerate(CODES.tolist()))),
    "values of a dictionary": ("labels", dict(enumerate(CODES.tolist())).values()),
    "sparse": ("labels", sparse.csr_matrix(CODES[:, None])),
    "records with labels": ("labels", RECORDS[["label"]]),
    "xarray, labels": ("labels", of_xarray("DataArray", to_numpy=lambda self: CODES)),
    "records": ("inputs", RECORDS[["a", "b"]]),
    "several types": ("inputs", np.array([[1, "a", 2.0], [3, "b", 4.0]], object)[CODES]),
    "numbers spelled": ("inputs", ROWS.astype(str)),
    "rows without labels, one by one": ("inputs", (row for row in ROWS)),
    "torch data set without labels": ("inputs", Subset(torch.tensor(ROWS), range(N))),
    "nested tensor": ("inputs", torch.nested.nested_tensor(list(torch.tensor(ROWS)), layout=torch.jagged)),
    "xarray, inputs": ("inputs", of_xarray("DataArray", to_numpy=lambda self: ROWS)),
    "table of records": ("data", RECORDS),
    "rows one by one": ("data", zip(ROWS, CODES, strict=True)),
    "dictionary of both": ("data", {"inputs": ROWS, "labels": CODES}),
    "loader": ("data", DataLoader(PAIRS)),
    "parts": ("data", random_split(PAIRS, [8, 4])),
    "three parts": ("data", random_split(PAIRS, [4, 4, 4])),
    "xarray, a table": ("data", of_xarray("Dataset", to_dataframe=lambda self: TABLE)),
}
"""What of a data set is refused, with an expression that makes of it what is taken."""


def expression(advice):
    """The longest expression at an advice's end that does something; empty where there is none."""
    advice = advice.removesuffix(", and pass what it gives")
    for gap in re.finditer(r"^| ", advice):
        try:
            tree = ast.parse(advice[gap.end() :], mode="eval")
        except SyntaxError:
            continue
        does = any(isinstance(node, (ast.Call, ast.Subscript, ast.Attribute)) for node in ast.walk(tree))
        return advice[gap.end() :] if does else ""
    return ""


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_advised_is_taken(kind):
    part, given = REFUSED[kind]
    whole = {"labels": lambda it: (ROWS, it), "inputs": lambda it: (it, CODES), "data": lambda it: it}[part]
    with pytest.raises(DataError) as refused:
        as_examples(whole(given))
    found = [code for code in map(expression, refused.value.alternatives) if code]
    assert found, refused.value.action
    names = {"numpy": np, "pandas": pd, "torch": torch}
    names |= dict.fromkeys(("data", "inputs", "labels", "parts", "loader"), given)
    for code in found:
        examples = as_examples(whole(eval(code, names)))
        assert len(examples) == N
        assert len(examples.class_names) == 2
        assert len(examples.read(np.arange(N))) == N


@pytest.mark.parametrize("names", [("te\ud800", "label"), ("a", "la\ud800")])
def test_columns_that_no_table_can_name_are_refused(names):
    rows = [dict(zip(names, (name, name), strict=True)) for name in NAMES]
    with pytest.raises(DataError, match="lone surrogates in the name of column") as refused:
        as_examples(rows)
    advised = refused.value.action.removeprefix("rename it: ")
    renamed = [{eval(advised, {"name": name}): value for name, value in row.items()} for row in rows]
    assert len(as_examples(renamed, label=[*renamed[0]][1])) == N


def test_labels_without_values_are_refused():
    with pytest.raises(DataError, match="on the device 'meta'"):
        as_examples((ROWS, torch.empty(N, device="meta")))


def test_values_that_hold_values_are_refused():
    examples = as_examples([{"x": {"a": number}, "label": name} for number, name in enumerate(NAMES)])
    with pytest.raises(DataError, match="no single ones"):
        inspect(examples)


def test_columns_of_other_kinds_are_left_out_and_told():
    dates = pl.from_pandas(TABLE.assign(day=pd.date_range("2020-01-01", periods=N)))
    told = "columns left out, which hold no numbers, texts, lists or images: 'day'"
    assert told in as_examples(dates).notes
    assert told not in as_examples(dates, exclude="day").notes


def test_dates_become_numbers_as_advised():
    dates = TABLE.assign(day=pd.date_range("2020-01-01", periods=N))
    with pytest.raises(DataError, match="neither numbers nor categories") as refused:
        dataaudit.preprocessor(dates)
    code = re.search(r"table\S+", refused.value.action)[0]
    for followed in ({"dataset": dates.assign(day=eval(code, {"table": dates, "column": "day"}))}, {"exclude": "day"}):
        made = dataaudit.preprocessor(**{"dataset": dates} | followed)
        assert made.fit_transform(dates.assign(day=0)).shape == (N, 3 + ("dataset" in followed))


OBJECTS = np.empty(N, object)
OBJECTS[:] = list(torch.tensor(ROWS))
SHOWN = {
    "a missing text": (ROWS, pd.array([None, *NAMES[1:]], dtype="string")),
    "bytes in another order": (ROWS.astype(">f4"), CODES.astype(">i8")),
    "long floats": (ROWS.astype(np.longdouble), CODES),
    "objects that are tensors": (OBJECTS, CODES),
    "sparse columns": TABLE[["a", "b"]].astype(pd.SparseDtype("float32", 0)).assign(label=NAMES),
    "intervals": (ROWS, pd.cut(pd.Series(CODES), 2)),
    "a column of intervals": TABLE.assign(label=pd.cut(pd.Series(CODES), 2)),
    "lists of one": (ROWS, CODES[:, None].tolist()),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_what_is_read_can_be_a_table_again(kind):
    whole, label = as_dataset(as_examples(SHOWN[kind]))
    assert len(whole[label]) == N


def test_values_without_a_type_of_arrow_are_told():
    pictures = [Image.new("HSV", (4, 4), (200 * int(code), 9, 9)) for code in CODES]
    for dataset in ((pictures, CODES), (ROWS, [10**30 * int(code) for code in CODES])):
        with pytest.raises(DataError, match="Arrow has no type"):
            as_dataset(as_examples(dataset))


@pytest.mark.parametrize("values", [CODES.tolist(), NAMES.tolist()])
def test_a_masked_label_is_none(values):
    examples = as_examples((ROWS, [np.ma.masked, *values[1:]]))
    assert examples.dropped.tolist() == [0]
    assert examples.labels.tolist() == CODES[1:].tolist()


def test_a_masked_text_is_missing():
    texts = [np.ma.masked, *(f"word {row}" for row in range(1, N))]
    with pytest.raises(DataError, match="missing texts in row 0"):
        inspect(as_examples((texts, CODES)))


MASKED = np.ma.masked_array(ROWS, np.arange(3 * N).reshape(N, 3) == 4)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    "dataset",
    [
        ([*map(list, MASKED)], CODES),
        ([*MASKED], CODES),
        (np.array([list(row) for row in MASKED], object), CODES),
        list(zip(map(list, MASKED), CODES.tolist(), strict=True)),
        list(zip(MASKED, CODES.tolist(), strict=True)),
        ([[list(row)] for row in MASKED], CODES),
    ],
    ids=["lists", "arrays", "objects", "pairs of lists", "pairs of arrays", "lists of lists"],
)
def test_masked_items_are_missing_values(dataset):
    read = as_examples(dataset).read(np.arange(N)).reshape(N, 3)
    np.testing.assert_array_equal(read, MASKED.filled(np.nan))


DECIMALS = [Decimal(f"{number:.3f}") for number in ROWS[:, 0]]
COLUMNS = {"size": DECIMALS, "other": ROWS[:, 1].tolist(), "label": NAMES.tolist()}


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).astype({"size": pd.ArrowDtype(pa.decimal128(9, 3))}),
        pl.DataFrame(COLUMNS),
        pa.table(COLUMNS),
        datasets.Dataset(pa.table(COLUMNS)),
    ],
    ids=["pandas", "pandas of Arrow", "polars", "pyarrow", "Hugging Face"],
)
def test_decimals_are_numbers(table):
    examples = as_examples(table)
    read = np.asarray(examples.read(np.arange(N)), np.float64)
    np.testing.assert_allclose(read[:, 0], np.array(DECIMALS, float), rtol=1e-6)
    assert inspect(examples).vectors


def test_lists_of_decimals_are_vectors():
    table = pa.table({"vector": [[number, 2 * number] for number in DECIMALS], "label": NAMES.tolist()})
    read = as_examples(datasets.Dataset(table)).read(np.arange(N))
    np.testing.assert_allclose(read[:, 1], 2 * np.array(DECIMALS, float), rtol=1e-6)


def test_images_without_a_channel_are_refused():
    with pytest.raises(DataError, match="hold no value"):
        inspect(as_examples((np.zeros((N, 0, 4, 4), np.float32), CODES)))


@pytest.mark.parametrize("mode", ["La", "LA", "PA", "RGBa"])
def test_images_of_every_kind_of_transparency_are_read(mode):
    between = {"La": "LA", "RGBa": "RGBA"}.get(mode, "LA")
    images = [Image.new("RGB", (4, 4), (200, 200, 200)).convert(between).convert(mode) for _ in CODES]
    for lenient in (False, True):
        examples = as_examples((images, CODES), lenient=lenient)
        assert np.unique(examples.read(np.arange(N))).tolist() == [200]
