"""Turn what a caller has (arrays, a table, a torch or Hugging Face data set) into `Examples`.

The adapters import their package on use: importing this package loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataaudit.data.derived import STREAM, SubsetExamples
from dataaudit.data.examples import Examples, Origin
from dataaudit.data.inspection import Inspection, inspect
from dataaudit.data.kinds import is_a
from dataaudit.errors import DataError, SettingError, did_you_mean

__all__ = ["Examples", "Inspection", "as_examples", "inspect"]

TAKEN = (
    "(inputs, labels) arrays, a pandas DataFrame, a torch map-style Dataset of (x, y), "
    "a Hugging Face Dataset or DatasetDict, or an Examples"
)
"""Kinds of data sets that `as_examples` takes, for error messages."""


def as_examples(
    dataset: Any,
    *,
    split: str | None = None,
    label: Any = None,
    inputs: Any = None,
    key: Any = None,
    exclude: Any = None,
    transform: Callable[[Any], Any] | None = None,
    lenient: bool = False,
    folder: str | Path | None = None,
    progress: bool = False,
    raw: bool = False,
) -> Examples:
    """Adapt a data set.

    Parameters
    ----------
    dataset
        One of

        - ``(inputs, labels)``: inputs [n, ...] as a NumPy array or memmap, a torch tensor, nested lists or a
          DataFrame; labels [n];
        - a pandas DataFrame;
        - a torch map-style ``Dataset`` yielding (x, y);
        - a Hugging Face ``Dataset``, or a ``DatasetDict`` with `split`;
        - a Hugging Face ``IterableDataset`` (or a dictionary of them) with `folder`;
        - an object that keeps the laws of `Examples`, returned as it is.
    split
        Split of a ``DatasetDict``.
    label
        Label column of a DataFrame or a Hugging Face data set; inferred where there is one candidate.
    inputs
        Input column or columns of a DataFrame or a Hugging Face data set; inferred likewise, without columns that
        number the rows.
    key
        Column that names the rows; by default a DataFrame's index does, and otherwise their position.
    exclude
        Column or columns that are neither inputs nor label.
    transform
        Applied to one input at a time (a PIL image, an array, a text; a dict for a DataFrame's row) whenever
        it is read; returns an array or a tensor.
    lenient
        Whether rows without a label are left out; otherwise they are an error.
    folder
        Where a stream is stored, in one pass; it is then a data set on disk.
    progress
        Whether that pass draws a progress bar.
    raw
        Whether rows are shown to what makes vectors of them, and may be of any type: lists of PIL images or of paths.

    Returns
    -------
    Examples
        The labelled examples.

    Raises
    ------
    DataError
        If the data set is of another kind, has no length, or its labels or columns cannot be used.
    SettingError
        If an option does not apply to this kind of data set, or the split is missing or unknown.
    StorageError
        If a stream cannot be stored, or the folder holds another.

    Examples
    --------
    >>> import numpy as np
    >>> examples = as_examples((np.zeros((4, 2)), ["cat", "dog", "dog", "cat"]))
    >>> len(examples), examples.class_names
    (4, ('cat', 'dog'))
    """
    if transform is not None and not callable(transform):
        raise SettingError(
            f"transform of type {type(transform).__name__}",
            "a function of one input",
            "pass transform=lambda x: ...",
        )
    splits = chosen = None
    if is_a(dataset, "datasets", "DatasetDict") or is_a(dataset, "datasets", "IterableDatasetDict"):
        splits, chosen = dataset, split
        dataset, split = _choose_split(dataset, split), None
    notes: list[str] = []
    if is_a(dataset, "datasets", "IterableDataset") and folder is not None:
        _refuse("a Hugging Face IterableDataset", split=split)
        from dataaudit.data.streams import stored_stream

        # Of a stream its columns are what is stored.
        splits = None
        stored = Path(folder) / STREAM
        dataset, notes = stored_stream(dataset, stored, label, inputs, progress, key, exclude)
        exclude = None
    columns = {"label": label, "inputs": inputs, "key": key, "exclude": exclude}
    examples: Examples = _adapted(dataset, split, columns, {"transform": transform, "lenient": lenient}, raw)
    if isinstance(dataset, Examples):
        return examples
    examples.origin = Origin(dataset, chosen, **columns, transform=transform, splits=splits)
    examples.notes = (*examples.notes, *notes)
    if examples.identity is None:
        from dataaudit.data.image_files import files_of

        examples.identity = files_of(dataset, examples.columns)
    return examples if (examples.labels >= 0).all() else SubsetExamples(examples, np.flatnonzero(examples.labels >= 0))


def _adapted(dataset: Any, split: str | None, columns: dict[str, Any], options: dict[str, Any], raw: bool) -> Examples:
    """Examples of one adapter, with labels of -1 where lenient."""
    if is_a(dataset, "pandas", "DataFrame"):
        _refuse("a pandas DataFrame", split=split)
        from dataaudit.data.tables import TableExamples

        return TableExamples(dataset, **columns, **options)
    if isinstance(dataset, (tuple, list)):
        _refuse("(inputs, labels) arrays", split=split, label=columns["label"])
        return _from_pair(dataset, columns, options, raw)
    if is_a(dataset, "datasets", "Dataset"):
        _refuse("a Hugging Face Dataset", split=split)
        from dataaudit.data.huggingface import HuggingFaceExamples

        return HuggingFaceExamples(dataset, **columns, **options)
    if isinstance(dataset, Examples):
        _refuse("an Examples", split=split, **columns, transform=options["transform"])
        return dataset
    _refuse_without_length(dataset)
    if is_a(dataset, "torch.utils.data", "Dataset"):
        _refuse("a torch Dataset", split=split, **columns)
        from dataaudit.data.torch import TorchExamples

        return TorchExamples(dataset, **options)
    if is_a(dataset, "torch.utils.data", "DataLoader"):
        raise DataError("a torch DataLoader", "the data set behind it", "pass loader.dataset")
    raise DataError(
        f"a data set of type {type(dataset).__module__}.{type(dataset).__qualname__}",
        TAKEN,
        "convert it to one of these",
    )


def _from_pair(pair: Sequence[Any], columns: dict[str, Any], options: dict[str, Any], raw: bool) -> Examples:
    if len(pair) != 2:
        raise DataError(
            f"a {type(pair).__name__} of {len(pair)} items",
            "the pair (inputs, labels), or " + TAKEN.partition(", ")[2],
            "pass (inputs, labels), each with one entry an example",
        )
    inputs, labels = pair
    if is_a(inputs, "pandas", "DataFrame"):
        from dataaudit.data.tables import TableExamples

        return TableExamples(inputs, labels, **columns, **options)
    _refuse("(inputs, labels) arrays", **columns)
    from dataaudit.data.arrays import ArrayExamples

    return ArrayExamples(inputs, labels, **options, raw=raw)


def _choose_split(splits: Any, split: str | None) -> Any:
    if split is None:
        raise SettingError(
            f"a {type(splits).__name__} (splits: {', '.join(splits)}) without split=",
            "the name of one split",
            f"pass split={next(iter(splits), 'train')!r}, for example",
        )
    if split not in splits:
        raise SettingError(
            f"split={split!r}", f"a split of the {type(splits).__name__}", did_you_mean(split, list(splits))
        )
    return splits[split]


def _refuse(kind: str, **options: Any) -> None:
    """Raise for options that mean nothing for this kind of data set."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        named = ", ".join(f"{name}=" for name in given)
        raise SettingError(f"{named} for {kind}", "only options that apply to it", f"leave out {named}")


def _refuse_without_length(dataset: Any) -> None:
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
            "load it whole (a map-style Dataset, or streaming=False), or collect its rows into arrays",
        )


def _has_length(dataset: Any) -> bool:
    try:
        len(dataset)
    except (TypeError, NotImplementedError):
        return False
    return True
