"""Execution of a plan: runs in the store are read, those missing are carried out, and all are counted.

runs of all ratios  -> those in the store                 store.read, checked against the plan
                    -> those missing: groups              backend.map(job, groups)
                       failed groups once more
records, one by one -> tallies                            O(n) memory
runs="auto"         -> more rounds until reliable
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataaudit.common.progress import Advance, progress_bar
from dataaudit.errors import AuditWarning, ModelError, StorageError
from dataaudit.holdout.base import BatchedFitPredict, Failure, FitPredict, Group
from dataaudit.holdout.job import Job, grouped
from dataaudit.holdout.plan import Plan, Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.settings import FIRST, Holdout
from dataaudit.holdout.store import DamagedRecordError, Store
from dataaudit.holdout.summary import HoldoutScores
from dataaudit.holdout.tally import Tally, integrated, runs_needed

HOPELESS = 10
"""Failures before any success after which no more runs are tried."""


@dataclass
class Execution:
    """Runs of a plan at rising subset ratios, and their tallies so far.

    `watched` are the scores that runs="auto" is to make reliable: by name, their ratios and field of `HoldoutScores`.
    """

    fit_predict: FitPredict
    plan: Plan
    holdout: Holdout
    ratios: Sequence[float]
    progress: bool
    watched: Mapping[str, tuple[Sequence[float], str]]
    tallies: dict[float, Tally] = field(default_factory=dict)
    resumed: int = 0
    damaged: list[str] = field(default_factory=list)
    failed: dict[Group, Failure] = field(default_factory=dict)
    parted: list[Failure] = field(default_factory=list)
    stopped: str = ""

    def __post_init__(self) -> None:
        related = 2 if self.plan.design == "nested" else 1
        units = self.plan.task.count(self.plan.n)
        self.tallies = {ratio: Tally(units, self.plan.seed, related) for ratio in self.ratios}

    def open(self, belongs: Mapping[str, Any]) -> None:
        """Begin the store, if there is one, and try it where a run is missing; `belongs` as in `Store.open`."""
        store = self.holdout.record_store
        if store is None:
            return
        store.open(belongs)
        runs = self._numbered(0, FIRST if self.holdout.runs == "auto" else self._count)
        if len(store.runs(runs)) < len(runs):
            store.try_writing()

    @property
    def _count(self) -> int:
        """Number of runs of each ratio, where it is fixed."""
        return int(self.holdout.runs or self.holdout.folds or 200)

    @property
    def _at_once(self) -> int:
        """Number of runs that are trained at once."""
        return self.fit_predict.at_once if isinstance(self.fit_predict, BatchedFitPredict) else 1

    def _numbered(self, first: int, end: int) -> list[Run]:
        """Runs `first` to `end` - 1 of every ratio."""
        return [Run(ratio, number) for number in range(first, end) for ratio in self.ratios]

    def carry_out(self) -> None:
        """Carry out or read all runs."""
        store = self.holdout.record_store
        if self.holdout.runs == "auto":
            self._until_reliable(store)
        else:
            self._run(store, 0, self._count)
        if not self._any():
            self._give_up(list(self.failed.values()))
        if self.failed:
            numbers = ", ".join(str(run.number) for group in list(self.failed)[:5] for run in group[:1])
            warnings.warn(
                f"{len(self.failed)} holdout runs failed twice and do not count (run {numbers}); their tracebacks are "
                "in audit.settings['holdout']['failed']",
                AuditWarning,
                stacklevel=2,
            )

    def scores(self, ratios: Sequence[float]) -> HoldoutScores:
        """Estimates of one ratio, or the mean over several."""
        tallies = [self.tallies[ratio] for ratio in ratios]
        return tallies[0].scores() if len(tallies) == 1 else integrated(tallies)

    def _until_reliable(self, store: Store | None) -> None:
        budget, target = self.holdout.budget, self.holdout.reliability
        done, end = 0, min(FIRST, budget)
        while True:
            self._run(store, done, end)
            done = end
            name, reliable = self._least_reliable()
            reached = f"reliability {reliable:.4f} of {name}"
            if reliable >= target:
                self.stopped = f"{reached} reached {target:g} after {done} runs"
                return
            if done >= budget:
                self.stopped = f"budget of {budget} runs spent at {reached}, short of {target:g}"
                return
            needed = runs_needed(done, reliable, target)
            # The prediction is rough at first: never more than double, never less than a tenth more.
            end = int(min(max(np.ceil(done * 1.1), min(needed, 2 * done)), budget))

    def _least_reliable(self) -> tuple[str, float]:
        """Name and reliability of the watched score that is known worst."""
        known = {}
        for name, (ratios, field_name) in self.watched.items():
            scores = self.scores(ratios)
            reliable = scores.reliability if field_name == "values" else scores.probability_reliability
            known[name] = -1.0 if np.isnan(reliable) else reliable
        worst = min(known, key=lambda name: known[name])
        return worst, known[worst]

    def _run(self, store: Store | None, first: int, end: int) -> None:
        """Read or carry out runs `first` to `end` - 1 of every ratio."""
        runs = self._numbered(first, end)
        kind = "folds" if self.plan.design == "folds" else "holdout runs"
        with progress_bar(kind, len(runs), self.progress) as advance:
            missing = runs if store is None else self._read(store, runs, advance)
            job = Job(self.fit_predict, self.plan, store)
            failures = self._map(job, grouped(self.plan, missing, self._at_once), advance)
            # What failed together is tried one by one: a single run may have spoiled the others.
            again = [group for failure in failures for group in grouped(self.plan, failure.runs)]
            self.parted += [failure for failure in failures if not self._smallest(failure.runs)]
            for failure in self._map(job, again, advance):
                self.failed[failure.runs] = failure
                advance(len(failure.runs))

    def _read(self, store: Store, runs: list[Run], advance: Advance) -> list[Run]:
        """Count the runs that are in the store, and return those that are not."""
        names = store.runs(runs)
        missing = []
        for run in runs:
            record = self._sound(store, run, names.get(run, []))
            if record is None:
                missing.append(run)
                continue
            self.tallies[run.ratio].add(record)
            self.resumed += 1
            advance(1)
        return missing

    def _sound(self, store: Store, run: Run, names: list[str]) -> Record | None:
        """First sound record of `run`; damaged ones are noted and put aside."""
        for name in names:
            try:
                record = store.read(name, self.plan.task.count(self.plan.n))
                if record is None:
                    continue
                if record.run != run or not np.array_equal(record.held_out, np.packbits(self.plan.held_out(run))):
                    raise DamagedRecordError(f"{name}, a record of another run", "this run's", "make it again")
            except DamagedRecordError as error:
                self.damaged.append(f"{name}: {error.arrived}")
                store.put_aside(name)
                continue
            return record
        return None

    def _map(self, job: Job, groups: list[Group], advance: Advance) -> list[Failure]:
        """Carry out groups of runs, and return those that failed."""
        failures: list[Failure] = []
        if not groups:
            return failures
        with closing(self.holdout.carrier.map(job, groups)) as results:
            for group, result in results:
                if isinstance(result, Failure):
                    if result.stored:
                        raise StorageError(
                            f"a store that cannot be written: {result.traceback.strip().splitlines()[-1]}",
                            "room for a record",
                            "mend the disk and call again: what is stored is kept",
                        )
                    failures.append(result)
                    if len(failures) >= HOPELESS and self._smallest(group) and not self._any():
                        self._give_up(failures)
                    continue
                for record in result:
                    self.tallies[record.run.ratio].add(record)
                advance(len(group))
        return failures

    def _smallest(self, group: Group) -> bool:
        """Test whether a group of runs cannot be tried in parts."""
        return len(grouped(self.plan, group)) == 1

    def _any(self) -> bool:
        """True as soon as a run is complete."""
        return any(tally.runs for tally in self.tallies.values())

    def _give_up(self, failures: list[Failure]) -> None:
        first = failures[0].traceback.rstrip()
        raise ModelError(
            f"{len(failures)} failed runs and none that did not fail, the first with\n{first}\n",
            "a model that trains on a subset of these data",
            "mend what the traceback names",
        )

    def describe(self) -> dict[str, Any]:
        """Settings for an audit, JSON values."""
        store = self.holdout.record_store
        settings: dict[str, Any] = {
            "plan": self.plan.describe(),
            "runs": {f"{ratio:g}": tally.runs for ratio, tally in self.tallies.items()},
            "at_once": self._at_once,
            "backend": {"name": self.holdout.carrier.name, **self.holdout.carrier.describe()},
            "store": None if store is None else store.url,
            "read_from_store": self.resumed,
            "damaged_records": self.damaged,
            "failed_at_once": [_described(failure) for failure in self.parted],
            "failed": [_described(failure) for failure in self.failed.values()],
            "runs_missing_a_class": self._missing_a_class(),
        }
        return settings | ({"stopped": self.stopped} if self.stopped else {})

    def notes(self) -> list[str]:
        """Sentences that a reader of the audit should see first."""
        missing = self._missing_a_class()
        damaged = f"{len(self.damaged)} damaged records were found in the store and made again"
        failed = f"{len(self.failed)} holdout runs failed twice and do not count"
        together = sum(len(failure.runs) for failure in self.parted)
        parted = (
            f"{together} holdout runs failed when they were trained at once, and were tried one by one; tracebacks are "
            "in audit.settings['holdout']['failed_at_once']"
        )
        without = f"{missing} runs trained without one of the classes, whose examples then counted as wrong"
        notes = (
            (self.stopped, self.stopped),
            (self.damaged, damaged),
            (self.parted, parted),
            (self.failed, failed),
            (missing, without),
        )
        return [note for holds, note in notes if holds]

    def _missing_a_class(self) -> int:
        return sum(tally.missing_classes for tally in self.tallies.values())


def _described(failure: Failure) -> dict[str, Any]:
    return {"runs": [list(run) for run in failure.runs], "traceback": failure.traceback}
