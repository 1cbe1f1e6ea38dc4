"""The inputs themselves, flattened; columns of tables standardised; texts as vectors of their words."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dataaudit.common.progress import progress_bar
from dataaudit.common.types import AnyArray
from dataaudit.data.chunks import ChunkedRows
from dataaudit.data.derived import StoredExamples
from dataaudit.data.examples import Examples
from dataaudit.data.inspection import rows_per_block
from dataaudit.data.kinds import is_table
from dataaudit.data.texts import inputs_are_texts, is_text
from dataaudit.errors import DataError, rows
from dataaudit.representations.columns import LevelledRows, Levels, levelled, share_a_scale
from dataaudit.representations.keep import Keep
from dataaudit.representations.words import DESCRIBED, word_rows

AS_THEY_ARE = "flattened, as they are"


def input_rows(examples: Examples) -> tuple[AnyArray | ChunkedRows, dict[str, Any]]:
    """Inputs as rows [n, d], and what to record of them.

    Arrays are flattened and taken as they are: pixels stay 8-bit, and a common factor or offset changes no score
    by the paper's bandwidth. Columns of tables have units of their own: each is centred and divided by its
    standard deviation (a constant one becomes 0). Texts become vectors of their words and letters, see
    `dataaudit.representations.words`. An array in memory, or memory-mapped, is not copied, nor are lists in the
    chunks of an Arrow file.

    Raises
    ------
    DataError
        If a table has columns that are not numbers, or rows hold NaN or infinity.
    """
    if inputs_are_texts(examples):
        vectors = word_rows(examples)
        return vectors, {"inputs": DESCRIBED, "features": vectors.shape[1]}
    found, table = _plain_rows(examples)
    if not table:
        return found, {"inputs": AS_THEY_ARE, "features": found.shape[1]}
    return _standardised(found, *_scale(found)), {"inputs": "columns standardised", "features": found.shape[1]}


def level_rows(examples: Examples) -> tuple[AnyArray | ChunkedRows | LevelledRows, dict[str, Any]]:
    """Inputs as rows [n, d] whose columns have comparable scales, and what to record of them.

    What lies near and what a ridge regression makes of its penalty depend on units: tables, and arrays of one
    dimension whose columns do not share a scale, are levelled, see `dataaudit.representations.columns`. Embeddings
    and images are as in `input_rows`. Nothing is copied: columns are levelled as rows are read. For texts, which have
    no columns, ask `input_rows`.

    Raises
    ------
    DataError
        As `input_rows`.
    """
    found, table = _plain_rows(examples)
    if not table and in_one_unit(examples, found):
        return found, {"inputs": AS_THEY_ARE, "features": found.shape[1]}
    return levelled(found), {"inputs": "columns levelled", "features": found.shape[1]}


def in_one_unit(examples: Examples, found: AnyArray | ChunkedRows | None = None) -> bool:
    """True if rows of an array, `found` if they are at hand, are images or vectors whose columns share a scale."""
    if np.ndim(examples.read(np.zeros(1, np.int64))) > 2:
        return True
    return share_a_scale(_plain_rows(examples)[0] if found is None else found)


class InputRows:
    """Inputs as rows, found when they are first asked for, and kept.

    Parameters
    ----------
    examples
        The data set.
    """

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    @cached_property
    def found(self) -> tuple[AnyArray | ChunkedRows, dict[str, Any]]:
        """Result of `input_rows`: for scores by densities and by graphs of neighbours."""
        return input_rows(self.examples)

    @cached_property
    def level(self) -> tuple[AnyArray | ChunkedRows | LevelledRows, dict[str, Any]]:
        """Result of `level_rows`: for the labels around an example and for ridge regression."""
        return self.found if inputs_are_texts(self.examples) else level_rows(self.examples)


def place_rows(examples: Examples) -> tuple[AnyArray | ChunkedRows | LevelledRows, dict[str, Any]]:
    """Inputs as rows [n, d] for looking at what lies far out, or twice, and what to record of them.

    As `input_rows`, and columns of arrays in units of their own as in `level_rows`, but that tails, which are looked
    for, are not cut off.

    Raises
    ------
    DataError
        As `input_rows`.
    """
    found, described = input_rows(examples)
    if described["inputs"] != AS_THEY_ARE or in_one_unit(examples, found):
        return found, described
    return levelled(found, cut=False), {**described, "inputs": "columns levelled, tails left"}


def place_rows_beside(examples: Examples, audited: Examples) -> tuple[Any, Any]:
    """Inputs of other examples as rows [m, d], and those of the audited ones [n, d], in one unit.

    That is the audited ones' own, see `place_rows`: columns are brought to scale by what those have, and texts are told
    by words that those have.

    Raises
    ------
    DataError
        As `input_rows`.
    """
    if inputs_are_texts(audited):
        return word_rows(examples, audited), word_rows(audited)
    given, table = _plain_rows(audited)
    found, _ = _plain_rows(examples)
    if table:
        scale = _scale(given)
        return _standardised(found, *scale), _standardised(given, *scale)
    if in_one_unit(audited, given):
        return found, given
    levels = Levels.of(given)
    return LevelledRows(found, levels, cut=False), LevelledRows(given, levels, cut=False)


def stored_inputs(examples: Examples, keep: Keep, whole: bool, progress: bool) -> Examples:
    """The data set with its inputs in a memory-mapped file, where they are rows of numbers and in no array yet.

    Tables are in memory, and stay there; so do the vectors that are made of texts.

    Parameters
    ----------
    examples
        The data set.
    keep
        Where the rows go, flattened, as they are read.
    whole
        Whether rows in several pieces, which are read as they lie otherwise, are put together too.
    progress
        Whether to draw a progress bar.

    Raises
    ------
    DataError
        As `input_rows`.
    StorageError
        If they cannot be written.
    """
    there = examples.array
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


def _scale(found: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Mean and standard deviation of each column, 1 in place of 0."""
    spread = found.std(0, dtype=np.float64)
    return found.mean(0, dtype=np.float64), np.where(spread > 0, spread, 1.0)


def _standardised(found: AnyArray, mean: AnyArray, spread: AnyArray) -> AnyArray:
    return ((found - mean) / spread).astype(np.float32)


def _plain_rows(examples: Examples) -> tuple[Any, bool]:
    """Inputs as they are, [n, d], checked, and whether they are columns of a table."""
    whole = examples.array
    if isinstance(whole, ChunkedRows):
        _check_finite(whole, examples)
        return whole, False
    if whole is not None and (whole.ndim == 2 or whole.flags.c_contiguous):
        flat = whole.reshape(len(whole), -1)
        _check_finite(flat, examples)
        return flat, False
    n, block = len(examples), rows_per_block(examples)
    found: AnyArray | None = None
    table = False
    for start in range(0, n, block):
        part = examples.read(np.arange(start, min(start + block, n), dtype=np.int64))
        if is_table(part):
            from dataaudit.data.tables import as_numbers

            part, table = as_numbers(part), True
        part = np.asarray(part)
        part = part.reshape(len(part), -1)
        if found is None:
            found = np.empty((n, part.shape[1]), part.dtype)
        found[start : start + len(part)] = part
    assert found is not None
    _check_finite(found, examples)
    return found, table


def _check_finite(found: AnyArray | ChunkedRows, examples: Examples) -> None:
    if found.dtype.kind not in "fiub" or found.shape[1] == 0:
        raise DataError(
            f"inputs of type {found.dtype} with {found.shape[1]} features, from {examples.source}",
            "numbers, for the density of inputs",
            "ask for 'density/hidden', or name numeric columns with inputs=",
        )
    if found.dtype.kind != "f":
        return
    step = max(1, 2**22 // found.shape[1])
    bad: list[int] = []
    for start in range(0, len(found), step):
        finite = np.isfinite(found[start : start + step]).all(axis=1)
        bad.extend((np.flatnonzero(~finite) + start).tolist())
    if bad:
        raise DataError(
            f"NaN or infinite inputs in {rows(bad)}",
            "finite inputs, for distances between them",
            "fill or drop those rows, or ask for scores of the model",
        )
