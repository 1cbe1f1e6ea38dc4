"""Embedding of texts: one vector a text."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from dataaudit.common import checks, folders
from dataaudit.common.guest import visiting
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import AnyArray
from dataaudit.data.columns import check_column
from dataaudit.data.kinds import dimensions, is_a
from dataaudit.embedding.encoder import Encoder, load
from dataaudit.errors import DataError, SettingError, StorageError, rows
from dataaudit.learners.tokens import Ragged, check_lengths

BLOCK = 8192
"""Texts that are read, tokenised and sorted by length at a time."""

Read = Callable[[int, int], list[Any]]


@visiting()
def embed(
    data: Any,
    model: Any,
    *,
    tokenizer: Any = None,
    column: str | None = None,
    batch_size: int = 64,
    max_length: int | None = None,
    device: str = "auto",
    normalise: bool = True,
    progress: bool = True,
    out: str | Path | None = None,
    block_size: int = BLOCK,
) -> Any:
    """Embed texts with a sentence model.

    Vectors of a transformers encoder's last layer are pooled over the tokens of a text as the model's folder says
    (``1_Pooling/config.json`` of sentence-transformers: mean, cls or max), by their mean if it says nothing
    (Reimers, Gurevych 2019).

    Parameters
    ----------
    data
        Texts: a list, an array or a pandas Series; or a Hugging Face ``Dataset`` with `column`.
    model
        A folder (or the name of a model) that ``AutoModel.from_pretrained`` reads, a ``SentenceTransformer``, or a
        transformers
        model. A model
        that is passed stays where and as it is.
    tokenizer
        Of the model; read from the folder by default.
    column
        Text column of a ``Dataset``.
    batch_size
        Texts that run through the model at a time, of about one length.
    max_length
        Tokens beyond which a text is cut; by default what the folder says, otherwise all that the model reads.
    device
        "auto" (CUDA where there is one; a model that is passed stays on its device), or a torch device.
    normalise
        Whether vectors are scaled to length 1.
    progress
        Whether to draw a progress bar on standard error.
    out
        A new ``.npy`` file that takes the vectors block by block, for more of them than fit in memory.
    block_size
        Texts that are tokenised, and sorted into batches of one length, at a time.

    Returns
    -------
    numpy.ndarray or datasets.Dataset
        Vectors float32 [n, d] in the order of the texts, memory-mapped from `out` if there is one; for a ``Dataset``
        that data set with a column "embedding" more.

    Raises
    ------
    DataError
        If a text is missing or empty, or is no text; rows are named.
    ModelError
        If the model is no encoder with a tokenizer, or pools in another way.
    SettingError, StorageError, MissingPackageError
        If an option does not fit, `out` exists or cannot be written, or transformers is not installed.

    Notes
    -----
    Memory: the vectors (none with `out`), the model, and `block_size` texts with their tokens.
    """
    _check_settings(batch_size, block_size, max_length, normalise, progress)
    target = _check_out(out)
    hugging = is_a(data, "datasets", "Dataset")
    if hugging:
        _check_columns(data, column, target)
        read = _column_reader(data, column)
    else:
        if column is not None:
            raise SettingError(
                f"column={column!r} for data of type {type(data).__name__}",
                "a column of a Hugging Face Dataset",
                "pass the texts alone, and no column=",
            )
        read = _reader(data)
    n = len(data)
    _check_texts(read, n)
    encoder = load(model, tokenizer, max_length, device)
    with _evaluating(encoder.model), _VectorStore(target) as store, progress_bar("embedding", n, progress) as advance:
        for start in range(0, n, block_size):
            texts = read(start, min(start + block_size, n))
            tokens = encoder.tokens(texts)
            check_lengths(tokens.starts, start)
            for positions, vectors in in_batches(encoder, tokens, batch_size, normalise):
                store.array(n, vectors.shape[1])[start + positions] = vectors
                advance(len(positions))
    vectors = store.result()
    return _with_column(data, vectors) if hugging else vectors


def in_batches(encoder: Encoder, tokens: Ragged, size: int, normalise: bool) -> Iterator[tuple[AnyArray, AnyArray]]:
    """Positions [b] and vectors [b, d] of texts, in batches of about one length, the longest first."""
    order = np.argsort(-np.diff(tokens.starts), kind="stable")
    for start in range(0, len(order), size):
        positions = order[start : start + size]
        yield positions, encoder.vectors(tokens, positions, normalise).numpy()


class _VectorStore:
    """Store of the vectors: memory, or a file that gets its name when it is complete; half a file is removed."""

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._array: AnyArray | None = None
        # Its name is nobody's: nothing that lies there, a link for one, is written on.
        self._partial = None if target is None else target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is not None and self._partial is not None:
            self._partial.unlink(missing_ok=True)

    def array(self, n: int, width: int) -> AnyArray:
        """Vectors float32 [n, width], allocated when the first are known."""
        if self._array is None:
            if self._partial is None:
                self._array = np.empty((n, width), np.float32)
            else:
                self._array = np.lib.format.open_memmap(self._partial, "w+", np.float32, (n, width))
        return self._array

    def result(self) -> AnyArray:
        """All vectors; a file gets its name, and is mapped read-only."""
        assert self._array is not None
        if self._target is None or self._partial is None:
            return self._array
        assert isinstance(self._array, np.memmap)
        self._array.flush()
        os.replace(self._partial, self._target)
        mapped: AnyArray = np.load(self._target, mmap_mode="r")
        return mapped


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode; every part is restored afterwards."""
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _check_settings(batch_size: int, block_size: int, max_length: int | None, normalise: bool, progress: bool) -> None:
    longest = 1 if max_length is None else max_length
    for name, number in (("batch_size", batch_size), ("block_size", block_size), ("max_length", longest)):
        checks.whole(name, number, 1, f"pass {name}=64, for example")
    for name, value in (("normalise", normalise), ("progress", progress)):
        checks.flag(name, value, f"pass {name}=True")


def _check_out(out: str | Path | None) -> Path | None:
    if out is None:
        return None
    path = Path(out)
    if path.suffix != ".npy":
        raise SettingError(f"out={str(out)!r}", "a .npy file", "name one, such as out='vectors.npy'")
    if path.exists():
        raise StorageError(f"out={str(out)!r}, which exists", "a new file", "name another, or remove that one")
    if not path.parent.is_dir():
        raise StorageError(f"out={str(out)!r}", "a file in a folder that can be written", "make that folder first")
    folders.try_writing(path.parent)
    return path


def _check_columns(data: Any, column: str | None, out: Path | None) -> None:
    if column is None:
        raise SettingError(
            "a Hugging Face Dataset without column=", "the name of its text column", "pass column='text', for example"
        )
    check_column(column, list(data.features), "column")
    if "embedding" in data.features:
        raise DataError(
            "a data set with a column 'embedding'", "none of that name", "rename or remove it: data.remove_columns"
        )
    if out is not None:
        raise SettingError(
            "out= for a Hugging Face Dataset",
            "either a file or a column",
            f"pass data[{column!r}] instead of data for a file, or no out=",
        )


def _column_reader(data: Any, column: str | None) -> Read:
    """Texts by position, of a Hugging Face data set; nothing else is read."""
    view = data.select_columns([column]).with_format("arrow")
    return lambda start, end: view[start:end][column].to_pylist()


def _reader(data: Any) -> Read:
    """Texts by position, of a list, an array or a Series."""
    known = isinstance(data, (list, tuple, np.ndarray)) or is_a(data, "pandas", "Series")
    if not known and not is_a(data, "datasets.arrow_dataset", "Column"):
        raise DataError(
            f"data of type {type(data).__name__}",
            "texts: a list, an array, a pandas Series or a Hugging Face Dataset",
            "pass the texts as a list",
        )
    if dimensions(data) != 1:
        raise DataError(f"an array of shape {data.shape}", "one text an example", "pass a one-dimensional array")
    if is_a(data, "pandas", "Series"):
        data = data.to_numpy()
    return lambda start, end: list(data[start:end])


def _check_texts(read: Read, n: int) -> None:
    if n == 0:
        raise DataError("no texts", "at least one", "pass a list with texts")
    other: list[int] = []
    empty: list[int] = []
    kinds: set[str] = set()
    for start in range(0, n, BLOCK):
        for position, text in enumerate(read(start, min(start + BLOCK, n)), start):
            if not isinstance(text, str):
                other.append(position)
                kinds.add(type(text).__name__)
            elif not text.strip():
                empty.append(position)
    if other:
        raise DataError(
            f"{', '.join(sorted(kinds))} in {rows(other)}", "a text in every row", "drop or fill those rows"
        )
    if empty:
        raise DataError(f"an empty text in {rows(empty)}", "a text in every row", "drop those rows")


def _with_column(data: Any, vectors: AnyArray) -> Any:
    """`data` with the vectors as a column of fixed-size lists, which shares their memory."""
    import datasets
    import pyarrow

    column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.reshape(-1)), vectors.shape[1])
    table = datasets.table.InMemoryTable(pyarrow.table({"embedding": column}))
    return datasets.concatenate_datasets([data, datasets.Dataset(table)], axis=1)
