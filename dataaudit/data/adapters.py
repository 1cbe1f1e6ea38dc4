"""Choice of the adapter for what a caller has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataaudit.data.containers import (
    as_hugging_face,
    is_columns,
    is_pairs,
    is_records,
    is_row_by_row,
    refuse_elsewhere,
    table_of,
    unzipped,
)
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_a, is_table, is_tensor
from dataaudit.data.labels import NoLabels
from dataaudit.errors import DataError, SettingError

TAKEN = (
    "(inputs, labels), a list of (x, y), a DataFrame of pandas or polars, a pyarrow Table, a torch map-style Dataset "
    "of (x, y), a Hugging Face Dataset or DatasetDict, or an Examples"
)
"""Kinds of data sets that `as_examples` takes, for error messages."""


@dataclass(frozen=True)
class Reading:
    """How a data set is read, whatever its kind.

    Attributes
    ----------
    label, inputs, key, exclude
        Columns, where it has any; see `dataaudit.data.as_examples`.
    transform
        Function of one input.
    lenient
        Whether rows that cannot be read, and labels that cannot be right, are left for the reader to drop.
    unlabelled
        Values that mean "no label".
    raw
        Whether inputs of a list are for `dataaudit.embed` to read, and may be of any type.
    """

    label: Any = None
    inputs: Any = None
    key: Any = None
    exclude: Any = None
    transform: Callable[[Any], Any] | None = None
    lenient: bool = False
    unlabelled: tuple[Any, ...] | None = None
    raw: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """Options of data sets with columns."""
        return {name: getattr(self, name) for name in ("label", "inputs", "key", "exclude")}

    @property
    def rest(self) -> dict[str, Any]:
        """Options of every data set."""
        return {name: getattr(self, name) for name in ("transform", "lenient", "unlabelled")}


def adapted(dataset: Any, split: str | None, reading: Reading) -> Examples:
    """Examples of one adapter; labels below 0 are missing or, if lenient, damaged."""
    if isinstance(dataset, Examples):
        refuse("an Examples", split=split, **reading.columns, transform=reading.transform)
        return dataset
    refuse_elsewhere(dataset, "a data set")
    if is_table(dataset):
        refuse("a pandas DataFrame", split=split)
        from dataaudit.data.tables import TableExamples

        return TableExamples(dataset, **reading.columns, **reading.rest)
    if is_a(dataset, "datasets", "Dataset") or is_columns(dataset):
        return _of_columns(dataset, split, reading)
    if isinstance(dataset, (tuple, list)):
        return _of_sequence(dataset, split, reading)
    refuse_without_length(dataset)
    if is_a(dataset, "torch.utils.data", "DataLoader"):
        raise DataError("a torch DataLoader", "the data set behind it", "pass loader.dataset")
    if is_a(dataset, "torch.utils.data", "Dataset") or is_row_by_row(dataset):
        refuse("a torch Dataset", split=split, **reading.columns)
        from dataaudit.data.torch import TorchExamples

        return TorchExamples(dataset, **reading.rest)
    kind = f"a data set of type {type(dataset).__module__}.{type(dataset).__qualname__}"
    raise DataError(
        f"the path {str(dataset)!r}" if isinstance(dataset, (str, Path)) else kind, TAKEN, _conversion(dataset)
    )


def _conversion(dataset: Any) -> str:
    if isinstance(dataset, Mapping):
        return "pass pandas.DataFrame(data) for a dictionary of columns, or both: (data['inputs'], data['labels'])"
    if getattr(getattr(dataset, "dtype", None), "names", None):
        return "pass pandas.DataFrame(data)"
    if isinstance(dataset, (str, Path)):
        if Path(dataset).is_dir():
            return f"pass datasets.load_dataset('imagefolder', data_dir={str(dataset)!r}, split='train') for images"
        reader = "read_parquet" if Path(dataset).suffix == ".parquet" else "read_csv"
        return f"pass pandas.{reader}({str(dataset)!r})"
    if hasattr(dataset, "shape") or is_tensor(dataset):
        return "pass it with its labels, as (inputs, labels)"
    return "pass the pair (inputs, labels) that it holds"


def _of_columns(dataset: Any, split: str | None, reading: Reading) -> Examples:
    """Examples of a Hugging Face data set, or of what is read like one."""
    refuse("a Hugging Face Dataset" if is_a(dataset, "datasets", "Dataset") else "a table", split=split)
    dataset = dataset if is_a(dataset, "datasets", "Dataset") else as_hugging_face(dataset)
    if dataset.format["type"] == "custom":
        from dataaudit.data.transformed import TransformedExamples

        return TransformedExamples(dataset, **reading.columns, **reading.rest)
    from dataaudit.data.huggingface import HuggingFaceExamples

    return HuggingFaceExamples(dataset, **reading.columns, **reading.rest)


def _of_sequence(rows: Any, split: str | None, reading: Reading) -> Examples:
    """Examples of the pair (inputs, labels), or of rows one by one."""
    if is_records(rows):
        refuse("a list of rows", split=split)
        return adapted(table_of(rows), None, reading)
    refuse("(inputs, labels) arrays", split=split, label=reading.label)
    pair = unzipped(rows) if is_pairs(rows) else rows
    if len(rows) and all(is_a(part, "torch.utils.data", "Dataset") for part in rows):
        raise DataError(
            f"{len(rows)} torch data sets",
            "one data set",
            "pass one of them, or torch.utils.data.ConcatDataset(parts)",
        )
    if len(pair) != 2:
        raise DataError(
            f"a {type(rows).__name__} of {len(rows)} items",
            "the pair (inputs, labels), or " + TAKEN.partition(", ")[2].partition(", ")[2],
            "pass (inputs, labels), each with one entry an example",
        )
    return examples_of(pair[0], pair[1], reading)


def examples_of(inputs: Any, labels: Any, reading: Reading) -> Examples:
    """Examples of inputs in a container of any kind, and their labels, or `NoLabels`."""
    refuse_elsewhere(inputs, "inputs")
    if not isinstance(labels, NoLabels):
        refuse_elsewhere(labels, "labels")
    columns = {name: value for name, value in reading.columns.items() if name != "label"}
    if is_table(inputs):
        from dataaudit.data.tables import TableExamples

        return TableExamples(inputs, labels, **columns, **reading.rest)
    if is_a(inputs, "datasets", "Dataset") or is_columns(inputs):
        inputs = inputs if is_a(inputs, "datasets", "Dataset") else as_hugging_face(inputs)
        from dataaudit.data.huggingface import HuggingFaceExamples

        return HuggingFaceExamples(inputs, labels, **columns, **reading.rest)
    texts = pairs_of_texts(inputs)
    if texts is not None:
        from dataaudit.data.tables import TableExamples

        return TableExamples(texts, labels, **columns, **reading.rest)
    refuse("(inputs, labels) arrays", **columns)
    from dataaudit.data.sparse import SparseExamples, is_sparse

    if is_sparse(inputs):
        return SparseExamples(inputs, labels, **reading.rest)
    from dataaudit.data.arrays import ArrayExamples

    return ArrayExamples(inputs, labels, **reading.rest, raw=reading.raw)


def pairs_of_texts(inputs: Any) -> Any:
    """Pairs of texts as a table of two columns; None of anything else."""
    rows = isinstance(inputs, (list, tuple)) and len(inputs) > 0
    if not rows or not all(isinstance(row, (list, tuple)) and len(row) == 2 for row in inputs):
        return None
    if not all(isinstance(part, str) or part is None for row in inputs for part in row):
        return None
    import pandas as pd

    return pd.DataFrame({name: pd.Series([row[i] for row in inputs], dtype=object) for i, name in enumerate(PAIR)})


PAIR = ("first", "second")
"""Columns of pairs of texts that have no names."""


def refuse(kind: str, **options: Any) -> None:
    """Raise for options that mean nothing for this kind of data set."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        named = ", ".join(f"{name}=" for name in given)
        raise SettingError(f"{named} for {kind}", "only options that apply to it", f"leave out {named}")


def refuse_without_length(dataset: Any) -> None:
    """Raise a `DataError` for streams, which have no rows by index."""
    if is_a(dataset, "datasets", "IterableDataset"):
        raise DataError(
            "a Hugging Face IterableDataset, which has no length and no rows by index",
            "a folder to store it in, in one pass",
            "pass cache='folder' to score, or load it with streaming=False",
        )
    streams = is_a(dataset, "torch.utils.data", "IterableDataset")
    indexed = is_a(dataset, "torch.utils.data", "Dataset") or isinstance(dataset, Iterable)
    if streams or (indexed and not _has_length(dataset)):
        raise DataError(
            f"a data set without length ({type(dataset).__name__})",
            "a data set with a length whose rows can be read by index",
            "pass list(data), or load it whole (a map-style Dataset, or streaming=False)",
        )


def _has_length(dataset: Any) -> bool:
    try:
        len(dataset)
    except (TypeError, NotImplementedError):
        return False
    return True
