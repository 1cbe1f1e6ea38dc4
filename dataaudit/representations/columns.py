"""Columns in units of their own, brought to comparable scales; columns that share a unit stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, FloatArray, IntArray
from dataaudit.common.units import column_units, power_of_two

FEWEST = 32
"""Columns from which on rows may be an embedding."""

WIDEST_RATIO = 5.0
"""Largest ratio of a large (90 %) to a small (10 %) standard deviation of columns that share a scale: 1 to 3 among the
columns of embeddings, tens to thousands among those of tables."""

JUDGED = 4096
"""Rows by which that is decided."""

MEASURED = 20000
"""Rows by which columns are measured."""

TAIL = 0.01
"""Share of a column's values, at either end, that is cut off."""

FAR = 1e16
"""Largest distance from the median, in scales of a column; larger ones become this."""

BLOCK = 2**21
"""Values worked on at a time."""


def share_a_scale(rows: Any) -> bool:
    """True if columns are in one unit, so that their differences may be added up as they are.

    Many bytes are pixels. Else there must be many columns of fractions whose standard deviations are nearly equal, as
    in embeddings: counts and measurements are taken for columns of a table even where these happen to be of one size.
    Rows [n, d] are finite, in an array or in chunks.
    """
    if rows.dtype == np.bool_:
        return True
    if rows.shape[1] < FEWEST:
        return False
    if rows.dtype in (np.uint8, np.int8):
        return True
    if rows.dtype.kind != "f":
        return False
    positions = _positions(len(rows), JUDGED)
    largest, told, other, whole = 0.0, 0, 0, 0
    for _, some in _by_columns(rows, positions, BLOCK):
        sizes = np.abs(some)
        largest = max(largest, float(sizes.max()))
        # Beyond, a float has no fractions to tell counts by.
        fractions = sizes < 0.5 / np.finfo(some.dtype).eps
        there = some[fractions & (some != 0)]
        told, other = told + int(fractions.sum()), other + len(there)
        whole += int((there == there.round()).sum())
    # Most values other than 0 are whole numbers; where there are none, there are zeros.
    if told and (whole > 0.5 * other or not other):
        return False
    unit = power_of_two(largest)
    parts = (some.astype(np.float64) / unit for _, some in _by_columns(rows, positions, BLOCK))
    deviations = np.concatenate([part.std(0) for part in parts])
    deviations = deviations[deviations > 0]
    if len(deviations) == 0:
        return True
    small, large = np.quantile(deviations, [0.1, 0.9])
    return bool(large <= WIDEST_RATIO * small)


@dataclass(frozen=True)
class Levels:
    """Median and unit of columns, and where tails are cut off, float64 [d]; infinite in columns that have none."""

    low: FloatArray
    high: FloatArray
    middle: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, rows: Any, block: int = BLOCK) -> Levels:
        """Measure at most `MEASURED` rows of [n, d], finite, in an array or in chunks; some columns at a time."""
        levels = cls(*(np.empty(rows.shape[1]) for _ in range(4)))
        for part, some in _by_columns(rows, _positions(len(rows), MEASURED), block):
            measures = _measures(some.astype(np.float64))
            for kept, values in zip(vars(levels).values(), measures, strict=True):
                kept[part] = values
        return levels


class LevelledRows:
    """Rows whose columns are brought to comparable scales whenever they are read, float32.

    From each column its median is taken, what is left is divided by the distance between its 1st and 99th percentile,
    and what lies beyond those is cut off there. A column whose percentiles coincide, as one that is hardly ever other
    than 0, is divided by its whole range; a constant one becomes 0. Standard deviations would blow up the rare values
    of such columns: among pixels near an edge, neighbours then find fewer errors. A factor or an offset of a column
    changes nothing but rounding.

    Rows `given` [n, d] are finite, in an array, mapped or not, or in chunks, and not copied. Where the search is for
    outliers, tails are not `cut`.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, given: Any, levels: Levels, cut: bool = True, block: int = BLOCK) -> None:
        self._given, self._levels, self._cut, self._block = given, levels, cut, block
        self.shape: tuple[int, int] = (len(given), given.shape[1])

    def __len__(self) -> int:
        """Number of rows n."""
        return self.shape[0]

    def __getitem__(self, wanted: slice | IntArray) -> AnyArray:
        """Rows of a slice or at positions, float32 [b, d], a new array."""
        levels = self._levels
        positions = np.arange(len(self))[wanted] if isinstance(wanted, slice) else np.asarray(wanted)
        if positions.ndim == 0:
            return np.asarray(self[positions[None]][0])
        if positions.dtype == bool:
            positions = np.flatnonzero(positions)
        levelled_rows = np.empty((len(positions), self.shape[1]), np.float32)
        step = max(1, self._block // self.shape[1])
        for start in range(0, len(positions), step):
            part = np.asarray(self._given[positions[start : start + step]], np.float64)
            if self._cut:
                np.clip(part, levels.low, levels.high, part)
            part -= levels.middle
            part /= levels.scale
            # Float32 holds the squares of what lies that far out, and of nothing much further.
            np.clip(part, -FAR, FAR, levelled_rows[start : start + step], casting="same_kind")
        return levelled_rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        """All rows in one new array."""
        if copy is False:
            raise ValueError("rows that are levelled when they are read cannot be one array without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)


def levelled(rows: Any, cut: bool = True, block: int = BLOCK) -> LevelledRows:
    """Rows [n, d], finite, in an array or in chunks, at scales of their own."""
    return LevelledRows(rows, Levels.of(rows, block), cut, block)


def _measures(some: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Of each column: where to cut off below and above, the median, and the unit."""
    low, middle, high = np.quantile(some, [TAIL, 0.5, 1.0 - TAIL], axis=0)
    least, most = some.min(0), some.max(0)
    rare = high <= low
    # Rows that were not measured may lie beyond: a column of rare values has no tails to cut off.
    low, high = np.where(rare, -np.inf, low), np.where(rare, np.inf, high)
    scale = np.where(rare, most - least, high - low)
    return low, high, middle, column_units(scale, least, most)


def _positions(n: int, most: int) -> IntArray:
    """At most that many of n rows, evenly spaced."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)


def _by_columns(rows: Any, positions: IntArray, block: int) -> Iterator[tuple[slice, AnyArray]]:
    """Some rows of [n, d], some columns at a time: of an array no others are read into memory at once."""
    step = max(1, block // len(positions))
    whole = None if isinstance(rows, np.ndarray) else np.asarray(rows[positions])
    for start in range(0, rows.shape[1], step):
        part = slice(start, start + step)
        yield part, np.asarray(rows[:, part][positions] if whole is None else whole[:, part])
