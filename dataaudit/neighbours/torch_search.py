"""Search by torch: all pairs, by products of blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import SettingError
from dataaudit.neighbours.base import FunctionIndex
from dataaudit.neighbours.rows import Rows

FEWEST, MOST = 128, 1024
"""Queries of a product."""


@contextmanager
def full_products() -> Iterator[None]:
    """Torch multiplies float32 in full for a while, also where the caller allows fewer bits for a network's sake."""
    import torch

    products: list[Any] = [torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)]
    if all(hasattr(one, "fp32_precision") for one in products):
        # Whatever the caller has set it by: this reads and writes what lies below.
        before = [one.fp32_precision for one in products]
        _set_precisions(products, ["ieee", "ieee"])
        try:
            yield
        finally:
            _set_precisions(products, before)
        return
    earlier = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(earlier)


def _set_precisions(products: Sequence[Any], precisions: Sequence[str]) -> None:
    for one, precision in zip(products, precisions, strict=True):
        one.fp32_precision = precision


@dataclass(frozen=True)
class Torch:
    """Search over all pairs by torch, in blocks of rows and queries.

    Parameters
    ----------
    device
        Torch device; the CPU if None.
    block
        Squared distances that are held at a time; 2**24 take 64 MiB. A block of rows takes as much at the most, and
        up to twice that beside it while it is made ready.
    """

    device: str | None = None
    block: int = 2**24
    name: str = "torch"

    def check(self) -> None:
        """Raise unless torch has that device."""
        import torch

        checks.whole("block", self.block, 1, "leave out block=")
        try:
            torch.empty(0, device=self.device or "cpu")
        except (RuntimeError, AssertionError) as error:
            raise SettingError(f"device={self.device!r}: {error}", "a torch device", "pass device=None") from error

    def open(self, rows: Rows, depth: int) -> FunctionIndex:
        """As `dataaudit.neighbours.base.NeighbourSearch.open`. Memory: `block` distances, and the answers."""
        settings = {"index": "exact", "device": self.device or "cpu"}
        return FunctionIndex(True, settings, lambda queries, wanted: self._nearest(rows, queries, wanted))

    def _nearest(self, rows: Rows, queries: AnyArray, wanted: int) -> IntArray:
        import torch
        from torch.nn.functional import pad

        device = self.device or "cpu"
        n, d = rows.shape
        # All rows at a time where that leaves room for some queries: answers of blocks have to be merged.
        step = min(len(queries), max(FEWEST, min(MOST, self.block // max(1, n))))
        wide = max(wanted, 1, min(n, self.block // max(1, step), self.block // max(1, d)))
        step = max(1, min(step, self.block // wide))
        nearest = np.empty((len(queries), wanted), np.int64)
        squared = np.full((len(queries), wanted), np.inf, np.float32)
        with torch.no_grad(), full_products():
            given = torch.from_numpy(queries).to(device)
            for first in range(0, n, wide):
                data = torch.from_numpy(np.ascontiguousarray(rows[first : first + wide])).to(device)
                few = min(wanted, len(data))
                strides = max(1, int((len(data) / max(1, few)) ** 0.5))
                # Rows infinitely far away fill the last stride up.
                missing = -len(data) % strides
                squares = pad((data * data).sum(1), (0, missing), value=math.inf)
                data = pad(data, (0, 0, 0, missing)) if missing else data
                held = torch.empty(step, len(data), device=device, dtype=data.dtype)
                for start in range(0, len(queries), step):
                    part = slice(start, start + step)
                    # The query's own norm moves all its distances alike.
                    apart = torch.addmm(squares, given[part], data.T, alpha=-2.0, out=held[: len(given[part])])
                    near, who = smallest(apart, few, strides)
                    if wide >= n:
                        nearest[part] = who.cpu().numpy()
                        continue
                    both = np.concatenate([squared[part], near.cpu().numpy()], 1)
                    known = np.concatenate([nearest[part], who.cpu().numpy() + first], 1)
                    order = np.argsort(both, axis=1, kind="stable")[:, :wanted]
                    squared[part] = np.take_along_axis(both, order, 1)
                    nearest[part] = np.take_along_axis(known, order, 1)
        return nearest


def smallest(values: Any, k: int, strides: int) -> tuple[Any, Any]:
    """The `k` smallest of each row of a tensor [b, n], ascending, and where they are; n is a multiple of `strides`.

    Columns that lie n / strides apart make a group. The smallest lie in the k groups of the smallest minima: a minimum
    costs a pass that no selection has to make, and few groups are selected from.
    """
    b, groups = len(values), values.shape[1] // strides
    if groups <= k:
        found, where = values.topk(k, dim=1, largest=False)
        return found, where
    grouped = values.view(b, strides, groups)
    chosen = grouped.amin(1).topk(k, dim=1, largest=False, sorted=False)[1]
    inside = grouped.gather(2, chosen[:, None].expand(b, strides, k)).view(b, strides * k)
    found, where = inside.topk(k, dim=1, largest=False)
    return found, where // k * groups + chosen.gather(1, where % k)
