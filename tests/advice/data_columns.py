"""Refusals of tables: columns, labels, keys, texts, vectors, and what becomes of mixed columns."""

import datasets
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import dataaudit
from dataaudit.data import as_examples, preparation
from tests.advice.data_rows import HUGGING, IMAGES, LABELS, MODEL, ROWS, TABLE, TEXTS, N, listed, read

GAPS = TABLE.assign(b=TABLE["b"].where(TABLE.index != 3, np.inf))
WORDS = TABLE[["label"]].assign(first=TEXTS, second=TEXTS[::-1])
PAIRS = pd.MultiIndex.from_arrays([range(N), range(N)], names=["one", "one"])
VECTORS = pd.DataFrame({"row": list(ROWS), "label": LABELS})
OBJECTS = TABLE.assign(c=listed([{"a": 1}] * N))
DATES = TABLE.assign(c=pd.date_range("2026-01-01", periods=N))
BOOLEANS = datasets.Dataset.from_dict({"x": [[True, None], [False, True]] * (N // 2), "z": ROWS[:, 0], "label": LABELS})
TOKENS = {"input_ids": [[101, 7 + row % 5, 102] for row in range(N)], "label": LABELS}
TIMES = datasets.Dataset.from_pandas(DATES[["c", "label"]])
ODD_NAME = "\ud800"
MANY = {f"one{row}": f"two {row}" for row in range(60)}


def made(transform, dataset=HUGGING):
    """A Hugging Face data set whose rows a transform of its own makes."""
    return dataset.with_transform(transform)


def as_list(batch):
    return {"x": [list(row) for row in zip(batch["a"], batch["b"], strict=True)], "label": batch["label"]}


def table(frame, **more):
    return {"dataset": frame, **more}


def prepared(dataset=None, model=None, first="TfidfVectorizer", **options):
    """A model that reads texts, or columns of numbers and categories, by a pipeline."""
    read(dataset, model or make_pipeline(dataaudit.preprocessor(dataset, **options), LogisticRegression()), **options)


def networked(dataset, on_bad_rows="raise"):
    """A table as a network reads it."""
    drops = on_bad_rows == "drop"
    preparation.prepared(as_examples(dataset, lenient=drops), drops)


TEXT_MODEL = make_pipeline(TfidfVectorizer(), LogisticRegression())
CASES = {
    "unknown label": (read, table(TABLE, label="lable")),
    "unknown key": (read, table(TABLE, key="names"), {"key=": {"key": ...}}),
    "no label column": (read, table(TABLE.rename(columns={"label": "d"})), {"label=": {"label": "d"}}),
    "two label columns": (read, table(TABLE.assign(y=LABELS))),
    "no inputs named": (read, table(TABLE, inputs=[])),
    "column aside that is needed": (read, table(TABLE, inputs=["a", "b"], exclude=["a"])),
    "label among the inputs": (read, table(TABLE, inputs=["a", "label"], label="label")),
    "label as the input": (read, table(TABLE, inputs="label", label="label")),
    "an input twice": (read, table(TABLE, inputs=["a", "a"])),
    "two columns of one name": (
        read,
        table(pd.concat([TABLE, TABLE[["a"]]], axis=1)),
        {"rename or drop": table(TABLE)},
    ),
    "a name without bytes": (
        read,
        table(TABLE.set_axis(pd.Index([ODD_NAME, "b", "c", "label"], dtype=object), axis=1)),
        {"backslashreplace": table(TABLE.rename(columns={"a": ODD_NAME.encode("utf-8", "backslashreplace").decode()}))},
    ),
    "a label alone": (read, table(TABLE[["label"]]), {"add a column": table(TABLE)}),
    "inputs without columns": (read, table((TABLE[[]], LABELS)), {"add a column": table((TABLE[["a"]], LABELS))}),
    "labels in another order": (
        read,
        table((TABLE[["a"]].rename(lambda row: f"n{row}"), TABLE["label"].rename(lambda row: f"n{row}")[::-1])),
        {
            "labels.loc": table((TABLE[["a"]], TABLE["label"])),
            "labels.to_numpy()": table((TABLE[["a"]], TABLE["label"][::-1].to_numpy())),
        },
    ),
    "names of rows in levels of one name": (
        read,
        table(TABLE.set_axis(PAIRS)),
        {"rename one": table(TABLE.set_axis(PAIRS.set_names(["one", "two"])))},
    ),
    "rows without a name": (
        read,
        table(TABLE.set_axis([None, *map(str, range(1, N))])),
        {"fill it": table(TABLE.set_axis(list(map(str, range(N))))), "drop it": table(TABLE.reset_index(drop=True))},
    ),
    "keys without a name": (
        read,
        table(TABLE.assign(name=[None, *map(str, range(1, N))]), key="name"),
        {
            "fill it": table(TABLE.assign(name=list(map(str, range(N))))),
            "another column": {"key": "a"},
        },
    ),
    "names that no file keeps": (
        read,
        table(TABLE.set_axis(listed([frozenset([row]) for row in range(N)]))),
        {"texts": table(TABLE.set_axis(list(map(str, range(N)))))},
    ),
    "names called like a score": (
        read,
        table(TABLE.rename_axis("suggested").rename(lambda row: f"n{row}")),
        {"rename_axis": table(TABLE.rename_axis("id").rename(lambda row: f"n{row}"))},
    ),
    "an infinite number": (
        read,
        table(GAPS),
        {"fill or correct": table(TABLE), "HistGradient": table(GAPS.replace(np.inf, np.nan))},
    ),
    "a gap": (
        read,
        table(GAPS.replace(np.inf, np.nan), model=MODEL),
        {
            "fill or correct": table(TABLE),
            "HistGradient": {"model": make_pipeline(dataaudit.preprocessor(TABLE), MODEL)},
        },
    ),
    "an infinite number for a network": (
        networked,
        table(GAPS),
        {"correct that row": table(TABLE)},
    ),
    "a column without values": (read, table(TABLE.assign(c=np.nan))),
    "categories of two types": (
        read,
        table(TABLE.assign(c=listed([1, "x"] * (N // 2)))),
        {"texts": table(TABLE.assign(c=["1", "x"] * (N // 2)))},
    ),
    "free text among numbers": (
        read,
        table(pd.DataFrame({"x": list(MANY), "z": np.arange(60) % 7, "label": [0, 1] * 30}), label="label"),
        {"into numbers": table(pd.DataFrame({"x": [len(name) for name in MANY], "label": [0, 1] * 30}))},
    ),
    "columns of dates": (
        read,
        table(DATES),
        {"astype('int64')": table(DATES.assign(c=DATES["c"].astype("int64")))},
    ),
    "columns of dictionaries": (
        read,
        table(OBJECTS),
        {"json_normalize": table(TABLE.assign(**{"c.a": 1}))},
    ),
    "texts in the columns of a network": (
        read,
        table(WORDS.assign(a=ROWS[:, 0]), model=dataaudit.networks.build("mlp", (1,), 2)),
        {"preprocessor": {"model": make_pipeline(dataaudit.preprocessor(WORDS.assign(a=ROWS[:, 0])), MODEL)}},
    ),
    "numbers beyond float32": (
        read,
        table(TABLE.assign(b=TABLE["b"] * 1e300), model=dataaudit.networks.build("mlp", (3,), 2)),
        {"rescale": table(TABLE)},
    ),
    "numbers among texts": (
        read,
        table(WORDS.assign(a=ROWS[:, 0]), model=TEXT_MODEL),
        {"ColumnTransformer": {"model": make_pipeline(dataaudit.preprocessor(WORDS.assign(a=ROWS[:, 0])), MODEL)}},
    ),
    "texts for a network": (
        read,
        table((TEXTS, LABELS), model=dataaudit.networks.build("mlp", (3,), 2)),
        {
            "dataaudit.embed": table((ROWS, LABELS)),
            "TfidfVectorizer()": {"model": TEXT_MODEL},
            "transformers model": "the room of learners follows it",
            "transform=": {"transform": lambda text: np.array([len(text), 1.0, 2.0], np.float32)},
        },
    ),
    "a missing text": (
        read,
        table(([None, *TEXTS[1:]], LABELS)),
        {"drop those rows": table((TEXTS[1:], LABELS[1:]))},
    ),
    "texts beside vectors": (read, table(VECTORS.assign(text=TEXTS))),
    "no vector in a row": (read, table(VECTORS.assign(row=listed([None, *ROWS[1:]])))),
    "a vector that is none": (
        read,
        table(VECTORS.assign(row=listed([["a"], *ROWS.tolist()[1:]]))),
        {"vectors of numbers": table(VECTORS), "transform": {"transform": lambda row: np.array([len(row["row"])])}},
    ),
    "no list in a row": (read, table(datasets.Dataset.from_dict({"x": [None, *ROWS.tolist()[1:]], "label": LABELS}))),
    "lists of several lengths in a column": (
        read,
        table(datasets.Dataset.from_dict({"x": [[1.0], [1.0, 2.0]] * (N // 2), "label": LABELS})),
        {"one length": {"transform": lambda row: row[:1]}},
    ),
    "lists of booleans with gaps": (
        read,
        table(BOOLEANS, inputs="x"),
        {"inputs=": {"inputs": "z"}, "transform": {"transform": lambda row: np.equal(row, True)}},
    ),
    "lists and numbers": (
        read,
        table(BOOLEANS, inputs=["x", "z"]),
        {"inputs=": {"inputs": "z"}, "transform": {"transform": lambda row: np.array([row["z"]])}},
    ),
    "lists and numbers, not named": (
        read,
        table(datasets.Dataset.from_dict({"x": ROWS.tolist(), "z": ROWS[:, 0], "label": LABELS})),
    ),
    "columns of times alone": (
        read,
        table(TIMES),
        {"transform": {"inputs": "c", "transform": lambda time: np.array([time.day])}},
    ),
    "a text without token ids": (
        read,
        table(datasets.Dataset.from_dict({**TOKENS, "input_ids": [[None, 7, 102], *TOKENS["input_ids"][1:]]})),
    ),
    "a mask of another length": (
        read,
        table(datasets.Dataset.from_dict({**TOKENS, "attention_mask": [[1, 1], *([[1, 1, 1]] * (N - 1))]})),
        {"tokenise": table(datasets.Dataset.from_dict(TOKENS))},
    ),
    "an empty data set with a transform": (
        read,
        table(made(as_list, HUGGING.select([]))),
        {"with rows": table(made(as_list))},
    ),
    "several columns of a transform": (
        read,
        table(made(lambda batch: {**as_list(batch), "z": batch["a"]}), inputs=["x", "z"]),
        {"together": table(made(as_list), inputs="x")},
    ),
    "several columns of a transform, not named": (
        read,
        table(made(lambda batch: {**as_list(batch), "z": as_list(batch)["x"]})),
    ),
    "a transform without inputs": (
        read,
        table(made(lambda batch: {"x": batch["a"], "label": batch["label"]})),
        {"give one": table(made(as_list))},
    ),
    "a transform that fails": (
        read,
        table(made(lambda batch: as_list(batch) if batch["a"][0] < 3 else 1 / 0)),
        {"correct the transform": table(made(as_list))},
    ),
    "a transform that gives no numbers": (
        read,
        table(made(lambda batch: {"x": [["a"]] * len(batch["a"]), "label": batch["label"]})),
        {"give arrays": table(made(as_list))},
    ),
    "preprocessor of texts": (
        prepared,
        table((TEXTS, LABELS)),
        {"TfidfVectorizer()": {"model": TEXT_MODEL}},
    ),
    "preprocessor of images": (
        prepared,
        table((IMAGES, LABELS)),
        {"out of the pipeline": {"model": MODEL}, "columns of numbers": table(TABLE, inputs=["a"])},
    ),
    "preprocessor of dates": (
        prepared,
        table(DATES),
        {"astype('int64')": table(DATES.assign(c=DATES["c"].astype("int64")))},
    ),
}
