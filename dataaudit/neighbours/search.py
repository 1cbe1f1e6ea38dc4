"""Searches that come with the library, by name, and their choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common import checks
from dataaudit.common.registry import Registry
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import MissingPackageError, SettingError, require
from dataaudit.neighbours.base import FunctionIndex, NeighbourSearch
from dataaudit.neighbours.faiss_search import Faiss
from dataaudit.neighbours.rows import Rows

__all__ = ["Faiss", "NeighbourSearch", "Torch", "describe", "names"]

REGISTRY = Registry(
    "search",
    {
        **{name: f"dataaudit.neighbours.search:{name}" for name in ("faiss", "hnsw", "ivf", "torch")},
        "ray": "dataaudit.cluster.search:RaySearch",
    },
    group="dataaudit.searches",
)
names, describe, __getattr__ = REGISTRY.names, REGISTRY.describe, REGISTRY.class_called


def __dir__() -> list[str]:
    return sorted([*__all__, *REGISTRY.classes()])


@dataclass(frozen=True)
class Torch:
    """Search over all pairs by torch, in blocks of rows and queries.

    Parameters
    ----------
    device
        Torch device; the CPU if None.
    block
        Squared distances that are held at a time; 2**26 take 256 MiB. A block of rows takes as much at the most.
    """

    device: str | None = None
    block: int = 2**26
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

        device = self.device or "cpu"
        n, d = rows.shape
        step = min(len(queries), 1024)
        wide = max(wanted, 1, min(n, self.block // max(1, step), self.block // max(1, d)))
        step = max(1, min(step, self.block // wide))
        nearest = np.empty((len(queries), wanted), np.int64)
        squared = np.full((len(queries), wanted), np.inf, np.float32)
        with torch.no_grad():
            given = torch.from_numpy(queries).to(device)
            for first in range(0, n, wide):
                data = torch.from_numpy(np.ascontiguousarray(rows[first : first + wide])).to(device)
                squares = (data * data).sum(1)
                few = min(wanted, len(data))
                for start in range(0, len(queries), step):
                    part = slice(start, start + step)
                    # The query's own norm moves all its distances alike.
                    near, who = torch.addmm(squares, given[part], data.T, alpha=-2.0).topk(few, dim=1, largest=False)
                    both = np.concatenate([squared[part], near.cpu().numpy()], 1)
                    known = np.concatenate([nearest[part], who.cpu().numpy() + first], 1)
                    order = np.argsort(both, axis=1, kind="stable")[:, :wanted]
                    squared[part] = np.take_along_axis(both, order, 1)
                    nearest[part] = np.take_along_axis(known, order, 1)
        return nearest


def name_of(search: str | NeighbourSearch) -> str:
    """Name by which `resolve` gives this search again.

    A search that is registered by no name goes by its own, or, where that is another's, by its settings.
    """
    if isinstance(search, str):
        return search
    registered = REGISTRY.names()
    for name in registered:
        known = REGISTRY.instance(name)
        if type(known) is type(search) and known == search:
            return name
    return repr(search) if search.name in {*registered, "auto"} else search.name


faiss, ivf, hnsw, torch = Faiss(), Faiss("ivf"), Faiss("hnsw"), Torch()


def resolve(search: str | NeighbourSearch) -> NeighbourSearch:
    """Search by name or instance, checked.

    "auto" is ``Faiss("auto")`` where FAISS is installed, and torch otherwise: all pairs up to
    n * n * d = `dataaudit.neighbours.faiss_search.ALL_PAIRS`, and cells with a measured recall beyond;
    benchmarks/scale/neighbours.py compares the two up to 100000 rows. What was chosen is recorded.

    Raises
    ------
    SettingError
        If the name is unknown, the object is no search, or this machine cannot run it.
    MissingPackageError
        If its package is not installed.
    """
    if isinstance(search, str) and search == "auto":
        try:
            require("faiss", "cpu", "search 'faiss'")
        except MissingPackageError:
            search = "torch"
        else:
            search = Faiss("auto")
    expected = "the name of a search, or one"
    resolved: NeighbourSearch = REGISTRY.resolve(search, NeighbourSearch, f"search={search!r}", expected, "auto")
    resolved.check()
    return resolved
