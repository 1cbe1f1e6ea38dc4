"""Files of images as the names of rows."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from dataaudit.data.kinds import is_a


def files_of(dataset: Any, columns: tuple[Any, ...]) -> pd.Index | None:
    """Files that the rows of a data set were read from, as names; None where it does not tell.

    That is the only input column of a Hugging Face data set, or what a torch data set lists, as torchvision's folders
    do in ``samples``, or a subset of one. Every row has a file of its own.
    """
    if is_a(dataset, "datasets", "Dataset"):
        return _stored(dataset, columns[0]) if len(columns) == 1 else None
    return _listed(dataset) if is_a(dataset, "torch.utils.data", "Dataset") else None


def _stored(dataset: Any, column: str) -> pd.Index | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column not in dataset.data.column_names:
        # A transform of the data set's own made it.
        return None
    stored = dataset.data.column(column)
    if not pa.types.is_struct(stored.type) or stored.type.get_field_index("path") < 0:
        return None
    # What is embedded beside the paths is not read.
    paths = pc.struct_field(stored, "path")
    if dataset._indices is not None:
        paths = paths.take(dataset._indices.column(0))
    return _named(paths.to_pylist(), None)


def _listed(dataset: Any) -> pd.Index | None:
    chosen: Any = None
    while is_a(dataset, "torch.utils.data", "Subset"):
        chosen = dataset.indices if chosen is None else [dataset.indices[row] for row in chosen]
        dataset = dataset.dataset
    samples = getattr(dataset, "samples", None)
    if not isinstance(samples, list) or len(samples) != len(dataset):
        return None
    rows = range(len(samples)) if chosen is None else chosen
    firsts = [samples[int(row)] for row in rows]
    paths = [first[0] if isinstance(first, tuple) and first else None for first in firsts]
    return _named(paths, getattr(dataset, "root", None))


def _named(paths: list[Any], root: Any) -> pd.Index | None:
    if not paths or not all(isinstance(path, str) and path for path in paths) or len(set(paths)) < len(paths):
        return None
    folder = os.fspath(root) if isinstance(root, (str, os.PathLike)) else _common(paths)
    short = [os.path.relpath(path, folder) if folder else path for path in paths]
    return pd.Index([name.replace(os.sep, "/") for name in short], name="file")


def _common(paths: list[str]) -> str:
    """Folder that all paths lie in; empty where there is none."""
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:
        return ""
