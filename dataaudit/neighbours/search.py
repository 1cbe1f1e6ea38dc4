"""Searches that come with the library, by name, and their choice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dataaudit.common import checks
from dataaudit.common.registry import Registry
from dataaudit.errors import MissingPackageError, SettingError, require
from dataaudit.neighbours.base import FunctionIndex, NeighbourSearch
from dataaudit.neighbours.faiss_search import Faiss, gpus
from dataaudit.neighbours.pynndescent_search import MOST_CANDIDATES, PyNNDescent
from dataaudit.neighbours.rows import Rows
from dataaudit.neighbours.torch_search import Torch

__all__ = ["Auto", "Faiss", "NeighbourSearch", "PyNNDescent", "Torch", "describe", "names"]

ALL_PAIRS = 4e11
"""Largest n * n * d of which "auto" compares all pairs, by benchmarks/scale/neighbours.py."""

REGISTRY = Registry(
    "search",
    {
        **{name: f"dataaudit.neighbours.search:{name}" for name in ("faiss", "ivf", "pynndescent", "torch")},
        "ray": "dataaudit.cluster.search:RaySearch",
    },
    group="dataaudit.searches",
)
names, describe, __getattr__ = REGISTRY.names, REGISTRY.describe, REGISTRY.class_called


def __dir__() -> list[str]:
    return sorted([*__all__, *REGISTRY.classes()])


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


faiss, ivf, pynndescent, torch = Faiss(), Faiss("ivf"), PyNNDescent(), Torch()


def advice(settings: Mapping[str, Any]) -> str:
    """Advice for a higher recall than a search with those settings has."""
    used, most, option = {
        "ivf": (settings.get("probes"), settings.get("cells"), "Faiss('ivf', probes=...)"),
        "graph": (settings.get("max_candidates"), MOST_CANDIDATES, "PyNNDescent(max_candidates=...)"),
    }.get(settings.get("index", ""), (None, None, ""))
    if used is None or most is None or used >= most:
        return "pass search='torch', which compares all pairs"
    return f"pass {option} with more than {used} of at most {most}"


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
