"""Searches that come with the library, by name, and their choice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.registry import Registry
from dataaudit.common.types import AnyArray, IntArray
from dataaudit.errors import MissingPackageError, SettingError, require
from dataaudit.neighbours.base import FunctionIndex, NeighbourSearch
from dataaudit.neighbours.faiss_search import Faiss, gpus
from dataaudit.neighbours.rows import Rows

__all__ = ["Auto", "Faiss", "NeighbourSearch", "Torch", "describe", "names"]

ALL_PAIRS = 4e11
"""Largest n * n * d of which "auto" compares all pairs, by benchmarks/scale/neighbours.py."""

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


FEWEST, MOST = 128, 1024
"""Queries of a product."""


@contextmanager
def full_products() -> Iterator[None]:
    """Torch multiplies float32 in full for a while, also where the caller allows fewer bits for a network's sake."""
    import torch

    products = torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None)
    if all(hasattr(one, "fp32_precision") for one in products):
        # Whatever the caller has set it by: this reads and writes what lies below.
        before = [one.fp32_precision for one in products]  # type: ignore[union-attr]
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


def _set_precisions(products: Any, precisions: list[str]) -> None:
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
                    near, who = _smallest(apart, few, strides)
                    if wide >= n:
                        nearest[part] = who.cpu().numpy()
                        continue
                    both = np.concatenate([squared[part], near.cpu().numpy()], 1)
                    known = np.concatenate([nearest[part], who.cpu().numpy() + first], 1)
                    order = np.argsort(both, axis=1, kind="stable")[:, :wanted]
                    squared[part] = np.take_along_axis(both, order, 1)
                    nearest[part] = np.take_along_axis(known, order, 1)
        return nearest


def _smallest(values: Any, k: int, strides: int) -> tuple[Any, Any]:
    """The `k` smallest of each row of a tensor [b, n], ascending, and where they are; n is a multiple of `strides`.

    Columns that lie n / strides apart make a group. The smallest lie in the k groups of the smallest minima: a minimum
    costs a pass that no selection has to make, and few groups are selected from.
    """
    b, groups = len(values), values.shape[1] // strides
    if groups <= k:
        return values.topk(k, dim=1, largest=False)  # type: ignore[no-any-return]
    grouped = values.view(b, strides, groups)
    chosen = grouped.amin(1).topk(k, dim=1, largest=False, sorted=False)[1]
    inside = grouped.gather(2, chosen[:, None].expand(b, strides, k)).view(b, strides * k)
    found, where = inside.topk(k, dim=1, largest=False)
    return found, where // k * groups + chosen.gather(1, where % k)


@dataclass(frozen=True)
class Auto:
    """Search by size: all pairs where that takes seconds, `beyond` where it does not.

    All pairs are compared by torch, whose products on the CPU are faster than FAISS's (benchmarks/scale/neighbours.py),
    and by FAISS where it has a CUDA device. Without FAISS all pairs are compared, however many there are.

    Parameters
    ----------
    all_pairs
        Largest n * n * d of which all pairs are compared, by benchmarks/scale/neighbours.py.
    beyond
        Search of more.

    Raises
    ------
    SettingError
        If an option is not as described.
    """

    all_pairs: float = ALL_PAIRS
    beyond: Faiss = field(default_factory=lambda: Faiss("ivf"))
    name: str = "auto"

    def __post_init__(self) -> None:
        checks.number(
            "all_pairs", self.all_pairs, 0, math.inf, "left", "a number of at least 0", "leave out all_pairs="
        )
        if not isinstance(self.beyond, Faiss):
            raise SettingError(f"beyond={self.beyond!r}", "a search by FAISS", "leave out beyond=")

    def check(self) -> None:
        """Nothing is needed but torch."""

    def open(self, rows: Rows, depth: int) -> FunctionIndex:
        """As `dataaudit.neighbours.base.NeighbourSearch.open`, by the search that its settings name."""
        chosen = self._chosen(*rows.shape)
        index = chosen.open(rows, depth)
        return FunctionIndex(index.exact, {"search": chosen.name, **index.settings, "choice": "auto"}, index)

    def _chosen(self, n: int, d: int) -> Faiss | Torch:
        try:
            devices = gpus(require("faiss", "cpu", "search 'faiss'"))
        except MissingPackageError:
            return Torch()
        if float(n) * n * d > self.all_pairs:
            return self.beyond
        return Faiss() if devices else Torch()


def name_of(search: str | NeighbourSearch) -> str:
    """Name by which `resolve` gives this search again.

    A search that is registered by no name goes by its own, or, where that is another's, by its settings.
    """
    if isinstance(search, str):
        return search
    if search == Auto():
        return "auto"
    registered = REGISTRY.names()
    for name in registered:
        known = REGISTRY.instance(name)
        if type(known) is type(search) and known == search:
            return name
    return repr(search) if search.name in {*registered, "auto"} else search.name


faiss, ivf, hnsw, torch = Faiss(), Faiss("ivf"), Faiss("hnsw"), Torch()


def resolve(search: str | NeighbourSearch) -> NeighbourSearch:
    """Search by name or instance, checked.

    "auto" is `Auto`: all pairs up to n * n * d = `ALL_PAIRS`, and cells with a measured recall beyond, where FAISS is
    installed. What was chosen is recorded.

    Raises
    ------
    SettingError
        If the name is unknown, the object is no search, or this machine cannot run it.
    MissingPackageError
        If its package is not installed.
    """
    if isinstance(search, str) and search == "auto":
        search = Auto()
    expected = "the name of a search, or one"
    resolved: NeighbourSearch = REGISTRY.resolve(search, NeighbourSearch, f"search={search!r}", expected, "auto")
    resolved.check()
    return resolved
