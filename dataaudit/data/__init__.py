"""Turn what a caller has (arrays, a table, a torch or Hugging Face data set) into `Examples`.

The adapters import their package on use: importing this package loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataaudit.data.adapters import Reading, adapted, refuse
from dataaudit.data.derived import STREAM, labelled
from dataaudit.data.examples import Examples, Origin
from dataaudit.data.inspection import Inspection, inspect
from dataaudit.data.kinds import is_a
from dataaudit.data.labels import no_label_values
from dataaudit.errors import SettingError, did_you_mean

__all__ = ["Examples", "Inspection", "as_examples", "inspect"]


def as_examples(
    dataset: Any,
    *,
    split: str | None = None,
    label: Any = None,
    inputs: Any = None,
    key: Any = None,
    exclude: Any = None,
    transform: Callable[[Any], Any] | None = None,
    resize: int | tuple[int, int] | None = None,
    unlabelled: Any = None,
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

        - ``(inputs, labels)``: inputs [n, ...] as a NumPy array, memmap, masked array or matrix, a torch tensor, a
          sparse matrix of scipy or torch, nested lists, a list of texts, of pairs of texts or of PIL images, a
          DataFrame, or a column of pandas, polars, pyarrow or Hugging Face; labels [n] likewise;
        - a list of (x, y), or of dictionaries;
        - a DataFrame of pandas or polars, or a pyarrow Table;
        - a torch map-style ``Dataset`` yielding (x, y), or any object with a length and rows by index that does;
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
    resize
        Pixels a side, or (height, width), to which images are brought whenever they are read.
    unlabelled
        Value, or list of values, that means "no label", beside None and NaN, which always do, and -1 for a
        ``ClassLabel``. Such rows are left out, and counted in the notes.
    lenient
        Whether rows that cannot be read, and labels that cannot be right, are left out; otherwise they are an error.
    folder
        Where a stream is stored, in one pass; it is then a data set on disk. Decoded images that exceed 1 GiB lie in a
        file there as long as they are read.
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
        refuse("a Hugging Face IterableDataset", split=split)
        from dataaudit.data.streams import stored_stream

        # Of a stream its columns are what is stored.
        splits = None
        stored = Path(folder) / STREAM
        dataset, notes = stored_stream(dataset, stored, label, inputs, progress, key, exclude)
        exclude = None
    reading = Reading(label, inputs, key, exclude, transform, lenient, no_label_values(unlabelled), raw)
    examples = adapted(dataset, split, reading)
    if isinstance(dataset, Examples):
        refuse("an Examples", resize=resize, unlabelled=unlabelled)
        # What was read and computed for another audit may be of other rows, or of another model.
        examples.kept = {}
        if not raw:
            examples.keep_decoded(folder)
        return labelled(examples)
    if resize is not None:
        from dataaudit.data.images import resized

        resized(examples, resize, transform)
    if not raw:
        examples.keep_decoded(folder)
    origin = Origin(dataset, chosen, **reading.columns, transform=transform, resize=resize, unlabelled=unlabelled)
    examples.origin = replace(origin, splits=splits)
    examples.notes = (*examples.notes, *notes)
    if examples.identity is None:
        from dataaudit.data.image_files import files_of

        examples.identity = files_of(dataset, examples.columns)
    return labelled(examples)


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
