"""The inputs themselves, flattened; columns of tables standardised."""

from __future__ import annotations

from typing import Any

import numpy as np

from dataaudit.data.chunks import ChunkedRows
from dataaudit.data.examples import Examples, rows_per_block
from dataaudit.data.texts import refuse_texts
from dataaudit.errors import DataError, rows
from dataaudit.types import AnyArray


def input_rows(examples: Examples) -> tuple[AnyArray | ChunkedRows, dict[str, Any]]:
    """Inputs as rows [n, d], and what to record of them.

    Arrays are flattened and taken as they are: pixels stay 8-bit, and a common factor or offset changes no score
    by the paper's bandwidth. Columns of tables have units of their own: each is centred and divided by its
    standard deviation (a constant one becomes 0). An array in memory, or memory-mapped, is not copied,
    nor are lists in the chunks of an Arrow file.

    Raises
    ------
    DataError
        If a table has columns that are not numbers, or rows hold NaN or infinity.
    """
    whole = getattr(examples, "array", None)
    if isinstance(whole, ChunkedRows):
        _check_finite(whole, examples)
        return whole, {"inputs": "flattened, as they are", "features": whole.shape[1]}
    if whole is not None and (whole.ndim == 2 or whole.flags.c_contiguous):
        flat = whole.reshape(len(whole), -1)
        _check_finite(flat, examples)
        return flat, {"inputs": "flattened, as they are", "features": flat.shape[1]}
    n, block = len(examples), rows_per_block(examples)
    found: AnyArray | None = None
    table = False
    for start in range(0, n, block):
        part = examples.read(np.arange(start, min(start + block, n), dtype=np.int64))
        refuse_texts(part, examples.source, "distances between inputs")
        if hasattr(part, "columns"):
            from dataaudit.data.tables import as_numbers

            part, table = as_numbers(part), True
        part = np.asarray(part)
        part = part.reshape(len(part), -1)
        if found is None:
            found = np.empty((n, part.shape[1]), part.dtype)
        found[start : start + len(part)] = part
    assert found is not None
    _check_finite(found, examples)
    if not table:
        return found, {"inputs": "flattened, as they are", "features": found.shape[1]}
    spread = found.std(0, dtype=np.float64)
    found = ((found - found.mean(0, dtype=np.float64)) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
    return found, {"inputs": "columns standardised", "features": found.shape[1]}


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
