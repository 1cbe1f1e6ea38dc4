"""Laws of holdout backends."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dataaudit.holdout.base import Failure, Group, HoldoutBackend
from dataaudit.holdout.plan import Run


@dataclass(frozen=True)
class _Numbered:
    """Job that answers with its group's first number, or dies before it."""

    deaths: str | None = None
    """Folder in which deaths are counted; None for a job that lives."""
    most: int = 1
    """Deaths of a group whose number is 3."""

    def __call__(self, group: Group) -> int:
        number = group[0].number
        if self.deaths is not None and number == 3:
            died = len(list(Path(self.deaths).iterdir()))
            if died < self.most:
                (Path(self.deaths) / str(died)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return number


@dataclass(frozen=True)
class _Mortal:
    """Job whose worker dies a while after each answer."""

    def __call__(self, group: Group) -> int:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return group[0].number


@dataclass(frozen=True)
class _Traced:
    """Job that takes a tenth of a second and leaves a file."""

    folder: str

    def __call__(self, group: Group) -> int:
        time.sleep(0.1)
        (Path(self.folder) / str(group[0].number)).touch()
        return group[0].number


class BackendContract(ABC):
    """Laws of a `dataaudit.holdout.base.HoldoutBackend`."""

    workers_die = True
    """True for a backend that survives the death of the processes that carry out its runs."""

    @abstractmethod
    def backend(self) -> HoldoutBackend:
        """Return the backend under test, on a machine that can run it; one that starts a dead group again."""

    def _map(self, job: _Numbered, count: int = 7) -> dict[Group, Any]:
        groups: list[Group] = [(Run(0.5, number),) for number in range(count)]
        results = list(self.backend().map(job, groups))
        assert sorted(group for group, _ in results) == groups
        return dict(results)

    def _skip_where_workers_live(self) -> None:
        if not self.workers_die:
            pytest.skip("this backend runs in this process, or another decides what a death costs")

    def test_it_describes_itself(self) -> None:
        """A name, settings that are JSON, and it runs here."""
        backend = self.backend()
        assert isinstance(backend, HoldoutBackend)
        backend.check()
        assert backend.name
        assert json.loads(json.dumps(backend.describe())) == backend.describe()

    def test_every_group_once(self) -> None:
        """With the job's result; none at all if there are none."""
        assert all(result == group[0].number for group, result in self._map(_Numbered()).items())
        assert self._map(_Numbered(), count=0) == {}

    def test_a_dead_worker_costs_its_own_group_only(self, tmp_path: Path) -> None:
        """Which is started again."""
        self._skip_where_workers_live()
        results = self._map(_Numbered(str(tmp_path)))
        assert all(result == group[0].number for group, result in results.items())
        assert len(list(tmp_path.iterdir())) == 1

    def test_a_group_that_always_kills_its_worker_is_given_up(self, tmp_path: Path) -> None:
        """As a failure that says so; the others have results."""
        self._skip_where_workers_live()
        for group, result in self._map(_Numbered(str(tmp_path), most=100)).items():
            if group[0].number == 3:
                assert isinstance(result, Failure)
                assert result.runs == group
                assert "died" in result.traceback
            else:
                assert result == group[0].number

    def test_a_worker_that_dies_between_two_groups_costs_none(self) -> None:
        """It is replaced."""
        self._skip_where_workers_live()
        groups: list[Group] = [(Run(0.5, number),) for number in range(4)]
        results = {}
        for group, result in self.backend().map(_Mortal(), groups):
            results[group] = result
            time.sleep(0.6)
        assert results == {group: group[0].number for group in groups}

    def test_it_can_be_left_early(self, tmp_path: Path) -> None:
        """After closing the iterator no more groups are started, and the backend still works.

        Those that were on their way may still end: it is waited until none has ended for a second.
        """
        groups: list[Group] = [(Run(0.5, number),) for number in range(200)]
        results: Any = self.backend().map(_Traced(str(tmp_path)), groups)
        next(results)
        results.close()
        finished, before = len(list(tmp_path.iterdir())), -1
        while finished > before:
            time.sleep(1.0)
            finished, before = len(list(tmp_path.iterdir())), finished
        assert finished < len(groups) / 2
        assert self._map(_Numbered(), count=2)
