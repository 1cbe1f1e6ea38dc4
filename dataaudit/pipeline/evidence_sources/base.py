"""Source of evidence: the protocol, and what all sources of one call share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common import guest
from dataaudit.common.timing import Timer
from dataaudit.common.types import IntArray
from dataaudit.scores.base import Scorer
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION


@dataclass(frozen=True)
class Run:
    """Shared state of one call.

    Attributes
    ----------
    labels
        Given labels, int64 [n].
    class_names
        Names of the classes [C].
    seed, progress
        As in `dataaudit.score`.
    timer
        Seconds by stage.
    notes
        For a reader of the audit, by what was planned.
    task
        What a label is.
    set_aside
        Settings of the caller's process that the library replaced while it worked.
    """

    labels: IntArray
    class_names: tuple[str, ...]
    seed: int
    progress: bool
    timer: Timer
    notes: tuple[str, ...] = ()
    task: Task = CLASSIFICATION
    set_aside: list[str] = field(default_factory=guest.set_aside)

    @property
    def classes(self) -> int:
        """Number of classes C."""
        return len(self.class_names)

    @property
    def rows(self) -> IntArray:
        """Positions of all examples, int64 [n]."""
        return np.arange(len(self.labels), dtype=np.int64)


@dataclass(frozen=True)
class Record:
    """Settings, as JSON values, and notes of an audit."""

    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def with_(self, other: Record) -> Record:
        """This record and another."""
        return Record({**self.settings, **other.settings}, [*self.notes, *other.notes])


class Source(ABC):
    """One kind of evidence.

    Laws
    ----
    - ``check`` raises before anything is trained if ``collect`` could not succeed.
    - ``parts`` gives what is complete, at any time: what is there already before ``collect``, all after it, and of an
      interrupted ``collect`` whatever an audit can be made of.
    """

    provides: frozenset[Any] = frozenset()
    """Needs of further kinds that it meets: keys of ``others``."""
    trains: bool = False
    """True if it trains the model of the call."""

    @property
    def epochs(self) -> int:
        """Complete epochs of training."""
        return 0

    @property
    def runs(self) -> int:
        """Complete holdout runs."""
        return 0

    def check(self) -> None:
        """Raise if this evidence cannot be had; trains nothing."""
        return

    @abstractmethod
    def collect(self) -> None:
        """Compute the evidence."""

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Return complete fields of `Evidence`, by name; mappings of several sources are united."""

    def record(self, scorers: Sequence[Scorer]) -> Record:
        """Return what an audit says of this evidence, of which `scorers` read parts."""
        return Record()
