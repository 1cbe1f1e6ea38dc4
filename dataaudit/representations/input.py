"""Inputs as rows: flattened; tables standardised, their categories one-hot encoded; texts as vectors of their words."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dataaudit.common.mapped import MappedFile
from dataaudit.common.progress import progress_bar
from dataaudit.common.types import AnyArray
from dataaudit.common.units import column_units
from dataaudit.data.chunks import ChunkedRows
from dataaudit.data.derived import StoredExamples
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import rows_per_block
from dataaudit.data.kinds import is_table
from dataaudit.data.preparation import Preparation, is_plain
from dataaudit.data.texts import is_pair_of_texts, is_text
from dataaudit.errors import DataError, rows
from dataaudit.representations import sparse
from dataaudit.representations.columns import LevelledRows, Levels, levelled, share_a_scale
from dataaudit.representations.keep import Keep
from dataaudit.representations.learned import VECTORS, Learned, learned
from dataaudit.representations.words import DESCRIBED, word_rows, words_of

AS_THEY_ARE = "flattened, as they are"


def input_rows(examples: Examples) -> tuple[AnyArray | ChunkedRows, dict[str, Any]]:
    """Inputs as rows [n, d], and what to record of them.

    Arrays are flattened and taken as they are: pixels stay 8-bit, and a common factor or offset changes no score
    by the paper's bandwidth. Columns of tables have units of their own: each is centred and divided by its
    standard deviation (a constant one becomes 0), and those with categories or gaps are prepared, see
    `dataaudit.data.preparation`. Texts become vectors of their words and letters, see
    `dataaudit.representations.words`, and sparse rows of many columns vectors in few dimensions. An array in memory, or
    memory-mapped, is not copied, nor are lists in the chunks of an Arrow file.

    Raises
    ------
    DataError
        If a table has columns that are neither numbers nor categories, or arrays hold NaN or infinity.
    """
    found = _learned(examples)
    if found is not None:
        vectors = found.vectors(examples)
        return vectors, {"inputs": found.note, "features": vectors.shape[1]}
    flat, table = _plain_rows(examples)
    if not table:
        return flat, {"inputs": AS_THEY_ARE, "features": flat.shape[1]}
    return _standardised(flat, *_scale(flat)), {"inputs": "columns standardised", "features": flat.shape[1]}


def _kind(examples: Examples) -> str | None:
    """ "sparse" rows of many columns, "texts", a "table" to prepare, or None for rows that are taken as they are."""
    if sparse.is_wide(examples):
        return "sparse"
    first = examples.read(np.zeros(1, np.int64))
    if is_text(first):
        return "texts"
    if not is_table(first):
        return None
    frame = _table(examples)
    if is_pair_of_texts(frame):
        return "texts"
    return None if is_plain(frame) else "table"


def preparation_of(examples: Examples) -> Preparation | None:
    """Steps for a table that is more than numbers without gaps; None elsewhere."""
    return Preparation.of(_table(examples)) if _kind(examples) == "table" else None


def _learned(examples: Examples) -> Learned | None:
    """What is learned from rows, once; None for those that are taken as they are."""
    kind = None if VECTORS in examples.kept else _kind(examples)
    if kind is None and VECTORS not in examples.kept:
        return None
    return learned(examples, lambda: _learn(examples, kind))


def _learn(examples: Examples, kind: str | None) -> Learned:
    if kind == "sparse":
        axes = sparse.axes_of(examples)
        return Learned(examples, lambda others: sparse.vectors(others, axes), sparse.DESCRIBED)
    if kind == "texts":
        words = words_of(examples)
        return Learned(examples, lambda others: word_rows(others, words), DESCRIBED)
    steps = Preparation.of(_table(examples))
    return Learned(examples, lambda others: steps.rows(_table(others)), steps.note)


def level_rows(examples: Examples) -> tuple[AnyArray | ChunkedRows | LevelledRows, dict[str, Any]]:
    """Inputs as rows [n, d] whose columns have comparable scales, and what to record of them.

    What lies near and what a ridge regression makes of its penalty depend on units: tables, and arrays of one
    dimension whose columns do not share a scale, are levelled, see `dataaudit.representations.columns`. Embeddings
    and images are as in `input_rows`, which also serves texts: they have no columns. Nothing is copied: columns are
    levelled as rows are read. Raises as `input_rows`.
    """
    flat, table = _plain_rows(examples)
    if not table and in_one_unit(examples, flat):
        return flat, {"inputs": AS_THEY_ARE, "features": flat.shape[1]}
    return levelled(flat), {"inputs": "columns levelled", "features": flat.shape[1]}


def in_one_unit(examples: Examples, flat: AnyArray | ChunkedRows | None = None) -> bool:
    """True if rows of an array, `flat` if they are at hand, are images or vectors whose columns share a scale."""
    if np.ndim(examples.read(np.zeros(1, np.int64))) > 2:
        return True
    return share_a_scale(_plain_rows(examples)[0] if flat is None else flat)


class InputRows:
    """Inputs as rows, computed when they are first read, and kept."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    @cached_property
    def plain(self) -> tuple[AnyArray | ChunkedRows, dict[str, Any]]:
        """Result of `input_rows`: for scores by densities and by graphs of neighbours."""
        return input_rows(self.examples)

    @cached_property
    def level(self) -> tuple[AnyArray | ChunkedRows | LevelledRows, dict[str, Any]]:
        """Result of `level_rows`: for the labels around an example and for ridge regression."""
        return level_rows(self.examples) if _kind(self.examples) is None else self.plain


def place_rows(examples: Examples) -> tuple[AnyArray | ChunkedRows | LevelledRows, dict[str, Any]]:
    """Inputs as rows [n, d] for a search for outliers and duplicates, and what to record of them.

    As `input_rows`, and columns of arrays in units of their own as in `level_rows`, but that tails, which are searched
    for, are not cut off.
    """
    flat, described = input_rows(examples)
    if described["inputs"] != AS_THEY_ARE or in_one_unit(examples, flat):
        return flat, described
    return levelled(flat, cut=False), {**described, "inputs": "columns levelled, tails left"}


def place_rows_beside(examples: Examples, audited: Examples) -> tuple[Any, Any]:
    """Inputs of other examples as rows [m, d], and those of the audited ones [n, d], in one unit.

    That is the audited ones' own, see `place_rows`: columns get the scales, and texts the terms, that those have.
    """
    found = _learned(audited)
    if found is not None:
        return found.of(examples), found.vectors(audited)
    given, table = _plain_rows(audited)
    flat, _ = _plain_rows(examples)
    if table:
        scale = _scale(given)
        return _standardised(flat, *scale), _standardised(given, *scale)
    if in_one_unit(audited, given):
        return flat, given
    levels = Levels.of(given)
    return LevelledRows(flat, levels, cut=False), LevelledRows(given, levels, cut=False)


def stored_inputs(examples: Examples, keep: Keep, whole: bool, progress: bool) -> Examples:
    """The data set with its inputs in a memory-mapped file, where they are rows of numbers and in no array yet.

    Tables are in memory, and stay there; so do the vectors of texts. Rows in several pieces are put together only if
    `whole`; otherwise they are read as they lie. Raises `StorageError` if rows cannot be written.
    """
    there = _in_place(examples)
    if sparse.is_wide(examples):
        return examples
    if there is not None and not (whole and isinstance(there, ChunkedRows)):
        return examples
    n, block = len(examples), rows_per_block(examples)
    first = examples.read(np.zeros(1, np.int64))
    if is_table(first) or is_text(first):
        return examples
    kept = keep("rows")
    with progress_bar("storing inputs", n, progress) as advance:
        advance(kept.done)
        for start in range(kept.done, n, block):
            part = np.asarray(examples.read(np.arange(start, min(start + block, n), dtype=np.int64)))
            kept.put(start, part.reshape(len(part), -1))
            advance(len(part))
    return StoredExamples(examples, kept.whole().reshape(n, *np.asarray(first).shape[1:]))


def _table(examples: Examples) -> Any:
    return examples.read(np.arange(len(examples), dtype=np.int64))


def _scale(flat: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Mean and standard deviation of each column; where that is 0, or what rounding leaves, a size of its values."""
    spread, low, high = flat.std(0, dtype=np.float64), flat.min(0).astype(np.float64), flat.max(0).astype(np.float64)
    return flat.mean(0, dtype=np.float64), column_units(spread, low, high)


def _standardised(flat: AnyArray, mean: AnyArray, spread: AnyArray) -> AnyArray:
    return ((flat - mean) / spread).astype(np.float32)


def _plain_rows(examples: Examples) -> tuple[Any, bool]:
    """Inputs as they are, [n, d], checked, and whether they are columns of a table."""
    whole = _in_place(examples)
    if isinstance(whole, ChunkedRows):
        _check_finite(whole, examples)
        return whole, False
    if whole is not None and _flattens(whole):
        flat = whole.reshape(len(whole), -1)
        _check_finite(flat, examples)
        return flat, False
    n, block = len(examples), rows_per_block(examples)
    read: AnyArray | None = None
    table = False
    for start in range(0, n, block):
        part = examples.read(np.arange(start, min(start + block, n), dtype=np.int64))
        if is_table(part):
            from dataaudit.data.tables import as_numbers

            part, table = as_numbers(part), True
        part = np.asarray(part)
        part = part.reshape(len(part), -1)
        if read is None:
            read = np.empty((n, part.shape[1]), part.dtype)
        read[start : start + len(part)] = part
    assert read is not None
    _check_finite(read, examples)
    return read, table


def _in_place(examples: Examples) -> AnyArray | ChunkedRows | None:
    """Inputs where they lie: `Examples.array`, but for a mapped one whose rows cannot be flattened without a copy."""
    whole: AnyArray | ChunkedRows | None = examples.array
    if isinstance(whole, np.ndarray) and not _flattens(whole) and MappedFile.of(whole) is not None:
        return ChunkedRows([whole])
    return whole


def _flattens(array: AnyArray) -> bool:
    """True if rows can be flattened without a copy."""
    return array.ndim == 2 or array[:1].flags.c_contiguous


def _check_finite(flat: AnyArray | ChunkedRows, examples: Examples) -> None:
    if flat.dtype.kind not in "fiub" or flat.shape[1] == 0:
        raise DataError(
            f"inputs of type {flat.dtype} with {flat.shape[1]} features, from {examples.source}",
            "numbers, for the density of inputs",
            "pass inputs with at least one number a row",
        )
    if flat.dtype.kind != "f":
        return
    step = max(1, 2**22 // flat.shape[1])
    bad: list[int] = []
    for start in range(0, len(flat), step):
        finite = np.isfinite(flat[start : start + step]).all(axis=1)
        bad.extend((np.flatnonzero(~finite) + start).tolist())
    if bad:
        raise DataError(
            f"NaN or infinite inputs in {rows(examples.original(np.asarray(bad)))}",
            "finite inputs, for distances between them",
            "fill or drop those rows before they are scored",
        )
