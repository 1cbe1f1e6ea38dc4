"""Refusals of containers: arrays, lists, tensors, sparse matrices, streams."""

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse
import torch

from tests.advice.data_rows import HUGGING, LABELS, MODEL, ROWS, TABLE, TENSORS, TEXTS, N, Rows, read

NESTED = ROWS.tolist()
FIELDS = np.array([(row[0], row[1]) for row in NESTED], [("a", "f4"), ("b", "f4")])
PIXELS = [np.full((8 + row % 2, 8, 3), 90 * (row % 2), np.uint8) for row in range(N)]
SPARSE = scipy.sparse.csr_matrix(ROWS)
GAPS = np.where(np.arange(N)[:, None] % 3 == 1, np.nan, ROWS)
LEFT = {"dataset": (ROWS, LABELS)}
STREAM = HUGGING.to_iterable_dataset()


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        return zip(torch.from_numpy(ROWS), LABELS, strict=True)


def of_package(name, **methods):
    return type("DataArray", (), {"__module__": f"{name}.core"} | methods)()


def inputs(value, labels=LABELS, **more):
    return {"dataset": (value, labels), **more}


def labels(value):
    return {"dataset": (ROWS, value)}


CASES = {
    "transform that is none": (read, inputs(ROWS, transform=3), {"lambda": {"transform": lambda row: row}}),
    "split for arrays": (read, inputs(ROWS, split="train")),
    "split for a torch data set": (read, {"dataset": TENSORS, "split": "train", "label": "label"}),
    "DataLoader": (
        read,
        {"dataset": torch.utils.data.DataLoader(TENSORS)},
        {"loader.dataset": {"dataset": TENSORS}},
    ),
    "dictionary of columns": (
        read,
        {"dataset": {"inputs": ROWS, "labels": LABELS}},
        {"pandas": {"dataset": TABLE}, "both": LEFT},
    ),
    "array of records": (read, {"dataset": FIELDS}, {"pandas": {"dataset": TABLE}}),
    "path of a table": (read, {"dataset": "table.csv"}, {"pandas.read_csv('table.csv')": {"dataset": TABLE}}),
    "path of a folder": (read, {"dataset": "."}, {"imagefolder', data_dir='.'": {"dataset": HUGGING}}),
    "inputs alone": (read, {"dataset": ROWS}, {"with its labels": LEFT}),
    "another object": (read, {"dataset": object()}, {"pair": LEFT}),
    "splits": (read, {"dataset": datasets.DatasetDict({"train": HUGGING})}),
    "a split that is not there": (
        read,
        {"dataset": datasets.DatasetDict({"train": HUGGING}), "split": "trian"},
        {"did you mean 'train'": {"split": "train"}},
    ),
    "two torch data sets": (
        read,
        {"dataset": [TENSORS, TENSORS]},
        {"one of them": {"dataset": TENSORS}, "ConcatDataset": {"dataset": TENSORS + TENSORS}},
    ),
    "three arrays": (read, {"dataset": (ROWS, LABELS, LABELS)}, {"(inputs, labels)": LEFT}),
    "stream": (read, {"dataset": STREAM}, {"streaming=False": {"dataset": HUGGING}}),
    "stream without rows": (
        read,
        {"dataset": datasets.IterableDataset.from_generator(lambda: iter(())), "cache": "folder"},
        {"stream with rows": {"dataset": STREAM}},
    ),
    "torch stream": (
        read,
        {"dataset": Endless()},
        {"list(data)": {"dataset": list(Endless())}, "load it whole": {"dataset": TENSORS}},
    ),
    "inputs one by one": (read, lambda: inputs(iter(NESTED)), {"list(inputs)": inputs(NESTED)}),
    "inputs by name": (read, inputs(dict(enumerate(NESTED))), {"list(inputs.values())": inputs(NESTED)}),
    "inputs in a set": (read, inputs(set(TEXTS)), {"list in the order": inputs(TEXTS)}),
    "inputs in a buffer": (
        read,
        inputs(np.float64(3.0)),
        {"numpy.asarray": inputs(ROWS)},
    ),
    "inputs in a DataLoader": (
        read,
        inputs(torch.utils.data.DataLoader(TENSORS)),
        {"loader.dataset": {"dataset": TENSORS}},
    ),
    "inputs in a torch data set": (
        read,
        inputs(Rows(list(ROWS))),
        {"yields labels too": {"dataset": TENSORS}, "for row in": inputs(list(ROWS))},
    ),
    "inputs of records": (read, inputs(FIELDS), {"pandas": inputs(TABLE[["a", "b"]])}),
    "inputs without dimensions": (read, inputs(np.array(3.0)), {"one entry an example": inputs(ROWS)}),
    "masked texts": (
        read,
        inputs(np.ma.array(TEXTS, mask=LABELS == 1)),
        {"inputs.filled": inputs(np.ma.array(TEXTS, mask=LABELS == 1).filled("no text"))},
    ),
    "lists of several lengths": (
        read,
        inputs([row[: 2 + number % 2] for number, row in enumerate(NESTED)]),
        {"pad or cut": inputs([row[:2] for row in NESTED])},
    ),
    "channels first where sizes differ": (
        read,
        inputs([one.transpose(2, 0, 1) for one in PIXELS], model=MODEL, resize=8),
        {"channels to the end": inputs(PIXELS)},
    ),
    "bytes": (read, inputs([text.encode() for text in TEXTS]), {"text.decode()": inputs(TEXTS)}),
    "complex numbers": (
        read,
        inputs(ROWS + 1j),
        {"real and imaginary": inputs(np.concatenate([(ROWS + 1j).real, (ROWS + 1j).imag], 1))},
    ),
    "numbers as texts": (
        read,
        inputs(ROWS.astype("U9")),
        {
            "numpy.asarray": inputs(ROWS.astype("U9").astype(float)),
            "transform": {"transform": lambda row: row.astype(float)},
        },
    ),
    "rows without a value": (read, inputs(ROWS[:, :0]), {"with columns": inputs(ROWS)}),
    "columns of several kinds": (
        read,
        inputs(np.array([[1.0, "a"], [2.0, "b"]] * (N // 2), object)),
        {
            "pandas": inputs(pd.DataFrame([[1.0, "a"], [2.0, "b"]] * (N // 2))),
            "transform": {"transform": lambda row: np.array([row[0], row[1] == "a"], float)},
        },
    ),
    "single numbers": (
        read,
        inputs(ROWS[:, 0]),
        {"inputs[:, None]": inputs(ROWS[:, :1]), "transform": {"transform": lambda value: np.array([value])}},
    ),
    "nested tensor": (
        read,
        inputs(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)] * (N // 2))),
        {
            "to_padded_tensor": inputs(
                torch.nested.to_padded_tensor(
                    torch.nested.nested_tensor([torch.ones(2), torch.ones(3)] * (N // 2)), 0.0
                )
            )
        },
    ),
    "tensor without values": (read, inputs(torch.ones(N, 3, device="meta")), {"has values": inputs(torch.ones(N, 3))}),
    "package that computes its own way": (
        read,
        inputs(of_package("xarray")),
        {"data.to_numpy()": inputs(ROWS)},
    ),
    "arrow columns that no reader has": (
        read,
        {"dataset": pa.table({"a": pa.array([pa.MonthDayNano((1, 2, 3))] * N), "label": LABELS})},
        {"cast those": {"dataset": HUGGING}, "out of the table": {"dataset": HUGGING}},
    ),
    "arrow columns of one name": (
        read,
        {
            "dataset": pa.Table.from_arrays(
                [pa.array(ROWS[:, 0]), pa.array(ROWS[:, 1]), pa.array(LABELS)], ["a", "a", "label"]
            )
        },
        {"rename or drop": {"dataset": HUGGING}},
    ),
    "sparse tensor of three dimensions": (
        read,
        inputs(torch.from_numpy(ROWS[:, :, None]).to_sparse_coo()),
        {"flatten(1)": inputs(torch.from_numpy(ROWS))},
    ),
    "sparse matrix without columns": (
        read,
        inputs(scipy.sparse.csr_matrix((N, 0))),
        {"a column for each feature": inputs(SPARSE)},
    ),
    "sparse complex numbers": (
        read,
        inputs(SPARSE.astype(complex)),
        {"astype(float)": inputs(SPARSE)},
    ),
    "unlabelled without a value": (read, inputs(ROWS, unlabelled=[])),
    "labels with fields": (
        read,
        labels(np.array([(one, 1) for one in LABELS], [("class", "i4"), ("weight", "f4")])),
        {"labels['class']": labels(LABELS)},
    ),
    "labels one by one": (read, lambda: labels(iter(LABELS)), {"list(labels)": labels(list(LABELS))}),
    "one-hot labels": (read, labels(np.eye(2)[LABELS]), {"argmax": labels(np.eye(2)[LABELS].argmax(axis=1))}),
    "more labels than inputs": (read, labels([*LABELS, 1]), {"same length": LEFT}),
    "one class that can be used": (
        read,
        inputs(np.where(LABELS[:, None], np.nan, ROWS), model=MODEL, on_bad_rows="drop"),
        {"repair the rows": inputs(ROWS), "another class": inputs(GAPS, np.arange(N) % 3)},
    ),
    "rows of torch that are no pairs": (
        read,
        {"dataset": Rows([(row, 1, 2) for row in ROWS])},
        {"wrap": {"dataset": TENSORS}},
    ),
    "labels of torch that change": (
        read,
        lambda: {"dataset": Changing()},
        {"same labels every time": {"dataset": TENSORS}},
    ),
    "labels of torch in vectors": (
        read,
        {"dataset": Rows([(row, np.eye(2)[label]) for row, label in zip(ROWS, LABELS, strict=True)])},
        {"argmax": {"dataset": TENSORS}},
    ),
    "row of torch that fails": (
        read,
        {"dataset": Rows([ValueError("gone"), *zip(ROWS, LABELS, strict=True)])},
        {"repair": {"dataset": TENSORS}},
    ),
    "inputs of torch that are no numbers": (
        read,
        {"dataset": Rows([({"a": 1}, label) for label in LABELS])},
        {"transform": {"transform": lambda one: np.array([one["a"]])}},
    ),
    "no row that can be read": (
        read,
        inputs(ROWS, transform=lambda row: 1 / 0, on_bad_rows="drop"),
        {"repair": {"transform": ...}, "correct the transform": {"transform": lambda row: row}},
    ),
    "some rows that cannot be read": (
        read,
        inputs(ROWS, transform=lambda row: row if row[0] < 2 else row[7]),
        {"correct the transform": {"transform": lambda row: row}},
    ),
    "rows that become several shapes": (
        read,
        inputs(ROWS, transform=lambda row: row if row[0] > 1 else row[:2]),
        {"one shape": {"transform": lambda row: row[:2]}},
    ),
    "an offset that swallows all": (
        read,
        inputs((ROWS.astype(float) + 1e12).astype(np.float32)),
        {"subtract": inputs(((ROWS.astype(float) + 1e12) - 1e12).astype(np.float32))},
    ),
}


class Changing(Rows):
    """Rows whose labels are others when they are read again."""

    def __init__(self):
        super().__init__([(row, int(label)) for row, label in zip(ROWS, LABELS, strict=True)])
        self.times = 0

    def __getitem__(self, row):
        self.times += 1
        x, y = self.rows[row]
        return x, y if self.times <= 2 * N else 1 - y
