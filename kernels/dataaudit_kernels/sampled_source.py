"""Rows that stay where they are, on disk or in pieces, read in blocks by class: one pass for their moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dataaudit_kernels.arrays import Floats, Integers, Singles
from dataaudit_kernels.packing import by_label, centre_of, unit_of
from dataaudit_kernels.taylor import Basis, Moments, basis_of
from dataaudit_kernels.threads import in_order
from dataaudit_kernels.validation import FARTHEST, not_finite, out_of_range

SMALL = 512
"""Largest class whose moments are taken from all its pairs, several such classes at a time."""

READ = 2**20
"""Values that are read at a time by one thread."""

PROBE = 2048
"""Rows from which the directions of the second degree are computed."""

HELD_MOMENTS = 2**25
"""Numbers that the moments of all classes may take: 256 MiB."""

PLANNED = 4096
"""Sample for which the number of directions is chosen: moments may cost a fifth of its products."""


@dataclass(frozen=True)
class Group:
    """Rows that are summed together, ascending within a class: one of more than `SMALL` rows, or several small."""

    rows: Integers
    big: bool


def groups_of(labels: Integers) -> list[Group]:
    """Classes in the order of their labels; small ones together, up to `SMALL` rows."""
    order = by_label(labels)
    _, starts = np.unique(order.labels, return_index=True)
    groups: list[Group] = []
    waiting: list[Integers] = []
    for start, stop in zip(starts, [*starts[1:], len(labels)], strict=True):
        rows = order.rows[start:stop]
        if len(rows) > SMALL:
            groups.append(Group(rows, True))
            continue
        if waiting and sum(map(len, waiting)) + len(rows) > SMALL:
            groups.append(Group(np.concatenate(waiting), False))
            waiting = []
        waiting.append(rows)
    if waiting:
        groups.append(Group(np.concatenate(waiting), False))
    return groups


def as_rows(x: ArrayLike | Any) -> Any:
    """Rows [n, d] of real numbers as they are: an array, or what has a shape, a type and rows at positions."""
    rows = x if hasattr(x, "shape") and hasattr(x, "dtype") else np.asarray(x)
    if rows.dtype.kind not in "fiub":
        raise ValueError(f"found x of type {rows.dtype}; expected real numbers; convert it to float32")
    if len(rows.shape) != 2 or rows.shape[1] == 0:
        raise ValueError(f"found x of shape {rows.shape}; expected [n, d] with d > 0; reshape it")
    return rows


@dataclass
class Source:
    """Rows [n, d], centred and in units near the bandwidth as they are read.

    `scale` is log2(e) / h^2 in the unit of what is read; `norms` are squared norms as they were at first, float64 [n]:
    a row that differs later has been changed.
    """

    rows: Any
    bandwidth: float
    scale: float = field(init=False)
    norms: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._unit = unit_of(self.bandwidth)
        self.scale = float(np.log2(np.e) * (self._unit / self.bandwidth) ** 2)
        self._centre = centre_of(self.rows)
        if not np.isfinite(self._centre).all():
            # A row that holds no numbers was among those that the centre is computed from.
            self._refuse_infinite()
        self.norms = np.full(len(self.rows), np.nan)

    def read(self, which: Integers) -> tuple[Singles, Floats]:
        """Rows at positions, rounded once, float32 [b, d], with their squared norms; nothing is checked."""
        wide = np.asarray(self.rows[which]).astype(np.float64)
        wide -= self._centre
        wide /= self._unit
        with np.errstate(over="ignore", invalid="ignore"):
            x = wide.astype(np.float32)
        return x, np.einsum("ij,ij->i", x, x, dtype=np.float64)

    def take(self, which: Integers) -> Singles:
        """Rows at positions, float32 [b, d]; a `ValueError` if one is no longer what it was."""
        x, squares = self.read(which)
        same = np.abs(squares - self.norms[which]) <= 1e-9 * self.norms[which]
        if not same.all():
            raise ValueError(
                f"found row {which[same.argmin()]} of x changed since it was first read; expected data that stay as "
                "they are; keep others from writing to them, and start again"
            )
        return x

    def basis(self, rng: np.random.Generator, classes: int) -> Basis:
        """Directions from a sample of the rows."""
        n, d = self.rows.shape
        chosen = np.sort(rng.choice(n, min(n, PROBE), replace=False))
        step = max(1, READ // d)
        x = np.concatenate([self.read(chosen[start : start + step])[0] for start in range(0, len(chosen), step)])
        most = min((PLANNED * d / 12) ** 0.5, (HELD_MOMENTS / max(1, classes)) ** 0.5)
        # Rows that will be refused must not stop the look that names them.
        near = np.abs(x).max(1) <= FARTHEST
        return basis_of(x[near] if near.any() else np.zeros((1, d), np.float32), self.scale, int(most))

    def survey(
        self, groups: Sequence[Group], basis: Basis, threads: int, advance: Callable[[float], Any]
    ) -> tuple[Moments, list[Moments | None]]:
        """Moments of all rows, and of each class that is big, from one look at every row.

        A `ValueError` names rows that hold NaN or infinity, or lie over 1e15 bandwidths from the others.
        """
        n, d = self.rows.shape
        step = max(1, READ // d)
        tasks = [(number, start) for number, group in enumerate(groups) for start in range(0, len(group.rows), step)]

        def look(task: tuple[int, int]) -> tuple[Integers, Floats, Moments, Integers]:
            which = groups[task[0]].rows[task[1] : task[1] + step]
            x, squares = self.read(which)
            bad = which[~(np.abs(x).max(1) <= FARTHEST)]
            moments = Moments(d, basis.rank)
            if basis.helps and not len(bad):
                moments.add(x, basis.low(x), basis.weights(squares))
            return which, squares, moments, bad

        whole, parts = Moments(d, basis.rank), [Moments(d, basis.rank) if group.big else None for group in groups]
        refused: list[Integers] = []
        for (number, _), (which, squares, moments, wrong) in zip(tasks, in_order(look, tasks, threads), strict=True):
            self.norms[which] = squares
            whole.plus(moments)
            own = parts[number]
            if own is not None:
                own.plus(moments)
            refused.append(wrong)
            advance(len(which) / n)
        bad = np.sort(np.concatenate(refused))
        if not len(bad):
            return whole, parts
        if not np.isfinite(np.asarray(self.rows[bad], np.float64)).all():
            self._refuse_infinite()
        raise ValueError(out_of_range(int(bad[0]), "x", centred=True))

    def _refuse_infinite(self) -> None:
        """Raise a `ValueError` that names the rows that hold NaN or infinity."""
        n, d = self.rows.shape
        step = max(1, READ // d)
        bad: list[Integers] = []
        for start in range(0, n, step):
            which = np.arange(start, min(start + step, n))
            bad.append(which[~np.isfinite(np.asarray(self.rows[which], np.float64)).all(axis=1)])
        raise ValueError(not_finite(np.concatenate(bad).tolist(), "x"))
