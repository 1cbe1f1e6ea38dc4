"""Columns that a tokenizer made beforehand: token ids, and what goes with them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import RowError, rows

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
MADE = (IDS, MASK, TYPES, "special_tokens_mask", "offset_mapping", "length")
"""Columns that tokenizers make."""


class TokenColumns:
    """Token ids of each row of a Hugging Face data set, with mask and types where it has any; read by row."""

    def __init__(self, dataset: Any) -> None:
        self.names = tuple(name for name in (IDS, MASK, TYPES) if name in dataset.features)
        self._view = dataset.select_columns(list(self.names)).with_format("arrow")

    @property
    def alike(self) -> bool:
        """True if all rows have the same number of ids, and none lacks them."""
        column = self._view.select_columns([IDS])[:][IDS]
        lengths = pc.list_value_length(column)
        return column.null_count == 0 and len(pc.unique(lengths)) == 1

    def read(self, indices: IntArray, names: Sequence[str]) -> tuple[AnyArray, IntArray]:
        """Values int32 [k, total] of the rows, one behind the other, and where each begins, int64 [b + 1].

        Padding, which a mask says to skip, is left out. Types that were not kept are 0.
        """
        table = self._view[indices.tolist()]
        ids, lengths = _flat(table[IDS], indices)
        there = np.ones(len(ids), bool)
        if MASK in table.column_names:
            there = _beside(table[MASK], lengths, indices) != 0
        owner = np.repeat(np.arange(len(indices)), lengths)[there]
        starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(indices)))])
        values = []
        for name in names:
            known = name in table.column_names
            whole = ids if name == IDS else _beside(table[name], lengths, indices) if known else np.zeros(len(ids))
            values.append(whole[there].astype(np.int32))
        return np.stack(values), starts.astype(np.int64)

    def texts(self, indices: IntArray) -> AnyArray:
        """Token ids as words of a text, object [b], for what looks at words; None where there are none."""
        values, starts = self.read(indices, [IDS])
        texts = np.empty(len(indices), dtype=object)
        for row, (start, end) in enumerate(itertools.pairwise(starts.tolist())):
            texts[row] = " ".join(map(str, values[0, start:end].tolist())) or None
        return texts


def _flat(column: Any, indices: IntArray) -> tuple[AnyArray, IntArray]:
    """Values of a column of lists, one behind the other, and their number in each row; a missing list is empty."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    lengths = np.asarray(pc.list_value_length(array).fill_null(0), np.int64)
    flat = array.flatten()
    if flat.null_count:
        owner = np.repeat(indices, lengths)
        bad = np.unique(owner[np.asarray(flat.is_null())])
        raise RowError(f"missing token ids in {rows(bad)}", "whole numbers", "pass on_bad_rows='drop'")
    return np.asarray(flat.to_numpy(zero_copy_only=False)), lengths


def _beside(column: Any, lengths: IntArray, indices: IntArray) -> AnyArray:
    """Values of a column that has as many in each row as there are ids."""
    values, own = _flat(column, indices)
    if not np.array_equal(own, lengths):
        bad = indices[own != lengths]
        raise RowError(
            f"another number of values of {MASK} or {TYPES} than of {IDS} in {rows(bad)}",
            "one for each token id",
            ["tokenise those rows again", "pass on_bad_rows='drop'"],
        )
    return values
