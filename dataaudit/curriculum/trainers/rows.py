"""Row indices travel with the batch: a data set that numbers its rows, a collator that carries the numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset

from dataaudit.common.types import FloatArray
from dataaudit.curriculum.epoch_position import check_source
from dataaudit.errors import DataError, SettingError, rows

ROW = "row_index"
"""Key of the row indices in an example and in a batch."""

LABEL = "row_label"
"""Key of a second copy of the labels in a batch, for trainers that take `labels` away before the model is called."""


class _NumberedRows(Dataset[Any]):
    """Map-style data set whose items hold their row indices."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        position = self._position(index)
        return _numbered(self.dataset[position], position)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        positions = [self._position(index) for index in indices]
        read = getattr(self.dataset, "__getitems__", None)
        items = [self.dataset[position] for position in positions] if read is None else read(positions)
        return [_numbered(item, position) for item, position in zip(items, positions, strict=True)]

    def _position(self, index: Any) -> int:
        """Position counted from the beginning; one beyond the end is left to the data set, for loops end by it."""
        if not hasattr(index, "__index__"):
            raise DataError(
                f"row {index!r} of type {type(index).__name__}",
                "the number of one row",
                [
                    "read rows one by one",
                    "number a part of them: with_row_index(torch.utils.data.Subset(dataset, range(10)))",
                ],
            )
        position = operator.index(index)
        if position < -len(self):
            raise DataError(
                f"row {position} of {len(self)}",
                f"{-len(self)}..{len(self) - 1}",
                f"count rows from 0 to {len(self) - 1}",
            )
        return position + len(self) if position < 0 else position


def with_row_index(dataset: Any) -> _NumberedRows:
    """Have a map-style data set number its rows: nothing is copied, items are read when they are asked for.

    An item that is a mapping gets the key "row_index", a tuple or list one more element at its end. A data set that was
    numbered so already is given back.

    Parameters
    ----------
    dataset
        Torch map-style data set or Hugging Face Dataset of n rows.

    Raises
    ------
    SettingError
        If rows have no numbers: an iterable data set.
    DataError
        On reading an item that has the key already, or is neither mapping nor tuple, or by anything but a row's
        number.

    Examples
    --------
    >>> with_row_index([("a", 0), ("b", 1)])[1]
    ('b', 1, 1)
    >>> with_row_index([{"x": 0.5}])[0]
    {'x': 0.5, 'row_index': 0}
    """
    refuse_unnumbered(dataset)
    return dataset if isinstance(dataset, _NumberedRows) else _NumberedRows(dataset)


def refuse_unnumbered(dataset: Any, then: str = "") -> None:
    """Raise a `SettingError` for a data set whose rows have no numbers; `then` says what to do with one that has."""
    if isinstance(dataset, IterableDataset) or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise SettingError(
            f"a data set of type {type(dataset).__name__}, whose rows have no numbers",
            "one with len() and rows by index",
            [f"load it whole, as by datasets.load_dataset(..., streaming=False){then}", f"pass list(dataset){then}"],
        )


def _numbered(item: Any, index: int) -> Any:
    if isinstance(item, Mapping):
        if ROW in item:
            raise DataError(f"rows with a column {ROW!r} of their own", "none", f"rename or remove the column {ROW!r}")
        return {**item, ROW: index}
    if isinstance(item, (tuple, list)):
        return (*item, index)
    raise DataError(
        f"row {index} of type {type(item).__name__}",
        "a mapping or a tuple",
        "have the data set return dicts, such as {'input_ids': ids, 'labels': label}",
    )


class _RowCollator:
    """Takes the numbers out of the rows, has the others collated, and puts the numbers into the batch."""

    def __init__(self, collator: Callable[[list[Any]], Any]) -> None:
        self.collator = collator

    def __call__(self, features: list[Any]) -> Any:
        numbers: list[int] = []
        inner: list[Any] = []
        if all(isinstance(feature, Mapping) and ROW not in feature for feature in features):
            # Of an evaluation; that training batches hold row indices is checked where they are recorded.
            return self.collator(features)
        for feature in features:
            if isinstance(feature, Mapping):
                if ROW not in feature:
                    raise DataError(
                        f"a row with the keys {sorted(map(str, feature))} beside rows with {ROW!r}",
                        f"{ROW!r} in all of them, or in none",
                        f"take {ROW!r} out of the rows, and number all of them by with_row_index(dataset)",
                    )
                inner.append({name: value for name, value in feature.items() if name != ROW})
                numbers.append(int(feature[ROW]))
            else:
                inner.append(tuple(feature[:-1]))
                numbers.append(int(feature[-1]))
        batch = self.collator(inner)
        if not isinstance(batch, MutableMapping):
            raise DataError(
                f"a collator that returns {type(batch).__name__}",
                "a dict of tensors, which the model is called with",
                "have data_collator return a dict",
            )
        batch[ROW] = torch.tensor(numbers, dtype=torch.int64)
        if isinstance(batch.get("labels"), torch.Tensor):
            batch[LABEL] = batch["labels"]
        return batch


def carry_rows(collator: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    """Have any collator carry the row indices: it sees rows without them, the batch holds them as an int64 tensor.

    A Trainer collates batches of evaluation by it too: rows that are mappings and have no "row_index" are collated as
    they are, so that ``eval_dataset`` is the data set itself. It should not be numbered, since only a recorded
    training takes the indices out before the model is called. Rows that are tuples have to be numbered always.

    Parameters
    ----------
    collator
        From a list of rows to a dict of tensors, such as ``DataCollatorWithPadding(tokenizer)``.

    Raises
    ------
    DataError
        On a batch only some of whose rows have a "row_index", or which is no dict.

    Examples
    --------
    >>> import torch
    >>> collate = carry_rows(lambda rows: {"x": torch.tensor([row["x"] for row in rows])})
    >>> collate([{"x": 0.5, "row_index": 7}, {"x": 1.5, "row_index": 2}])["row_index"]
    tensor([7, 2])
    """
    return _RowCollator(collator)


def missing_rows(arrived: str) -> DataError:
    """Error for batches without row indices."""
    return DataError(
        arrived,
        f"the rows' positions in the data set as {ROW!r} in every training batch",
        [
            "make the trainer by curriculum_trainer(Trainer), which carries them",
            "set train_dataset=with_row_index(dataset), data_collator=carry_rows(collator) and "
            "TrainingArguments(remove_unused_columns=False)",
        ],
    )


def check_length(length: int, first: int, epoch: int) -> None:
    """Raise a `DataError` unless an epoch has as many rows as the one whose steps the Trainer counted."""
    if length != first:
        raise DataError(
            f"a sampler of {length} rows in epoch {epoch}, after {first} when training began",
            f"{first} in every epoch: the Trainer counts its steps once, and would cut epochs off or end early",
            f"draw by CurriculumSampler(weights, num_samples={first}), which draws as many in each",
        )


def check_weights(weights: Any, n: int, name: str) -> FloatArray:
    """Weights as float64 [n], or an error: a strategy, not one for every row, one negative or not finite, or all 0."""
    check_source(weights, name)
    try:
        values = np.asarray(weights, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name} of type {type(weights).__name__}, which is no array of numbers",
            f"({n},) numbers: one for each row of train_dataset",
            "pass audit.weights(strategy), or the function audit.schedule(strategy, total_epochs=10)",
        ) from error
    if values.shape != (n,):
        raise DataError(
            f"{name} of shape {values.shape}",
            f"({n},): one for each row of train_dataset",
            "pass the weights of an audit of this data set, audit.weights(strategy)",
        )
    bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(bad) or not values.any():
        raise DataError(
            f"{name} that are negative, NaN or infinite in {rows(bad)}" if len(bad) else f"{name} that are all 0",
            "finite numbers of at least 0, one of them above",
            "put 0 in their place, which leaves these rows out" if len(bad) else "give one row a weight above 0",
        )
    return values
