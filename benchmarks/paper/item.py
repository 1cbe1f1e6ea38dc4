"""An item of the paper: one of its figures or tables, or a question around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.paper.result import Result
from benchmarks.paper.setting import Data, Setting


def no_cost(setting: Setting, data: Data) -> float:
    """For an item that draws what others computed."""
    return 0.0


@dataclass(frozen=True)
class Item:
    """How one item is made of a data set, and what it costs there."""

    name: str
    title: str
    shows: str
    """What the paper's own figure or table shows."""
    make: Callable[[Setting, Data], Result]
    cost: Callable[[Setting, Data], float] = no_cost
    """Processor seconds on this machine, estimated before anything starts."""
    after: tuple[str, ...] = ()
    """Items whose trainings it shares: made with it where they are not there yet."""
    scored: bool = True
    """Whether it takes C-scores, which have to be estimated where none are published."""
    also: tuple[str, ...] = ()
    """Further figures that are the same of other data."""
