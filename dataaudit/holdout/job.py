"""One group of runs from plan to records, in any process."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from dataaudit.common.guest import visiting
from dataaudit.common.types import BoolArray, IntArray
from dataaudit.errors import StorageError
from dataaudit.holdout.base import BatchedFitPredict, Failure, FitPredict, Group, NestedFitPredict, Outcome
from dataaudit.holdout.plan import Plan, Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.store import Store


@dataclass(frozen=True)
class Job:
    """Work that every worker is handed: records go to the store, if there is one, and are returned."""

    fit_predict: FitPredict
    plan: Plan
    store: Store | None

    def __call__(self, runs: Group) -> list[Record] | Failure:
        """Carry out `runs`, or say why they failed; their records are in the store before they are returned."""
        records: list[Record] = []
        try:
            with visiting(worker=True):
                for record in self._records(runs):
                    if self.store is not None:
                        self.store.write(record)
                    records.append(record)
        except StorageError:
            return Failure(runs, traceback.format_exc(), stored=True)
        except KeyboardInterrupt:
            raise
        except BaseException:  # A model's code raises whatever it likes, or exits; the driver retries and reports it.
            return Failure(runs, traceback.format_exc())
        return records

    def _records(self, runs: Group) -> Iterator[Record]:
        if self.plan.design == "nested":
            yield from self._nested(runs)
        elif len(runs) == 1:
            yield self._single(runs[0])
        else:
            yield from self._together(runs)

    def _together(self, runs: Group) -> Iterator[Record]:
        assert isinstance(self.fit_predict, BatchedFitPredict)
        plan, by_size = self.plan, dict[int, list[Run]]()
        for run in runs:
            rows = plan.train(run)
            if self._one_label(rows):
                yield self._single(run)
            else:
                by_size.setdefault(len(rows), []).append(run)
        for alike in by_size.values():
            held_out = [plan.held_out(run) for run in alike]
            train, rest = ([np.flatnonzero(held == side) for held in held_out] for side in (False, True))
            outcomes = self.fit_predict.together(train, rest, [plan.training_seed(run) for run in alike])
            for each in zip(alike, held_out, outcomes, strict=True):
                yield self._record(*each)

    def _one_label(self, train: IntArray) -> bool:
        labels = self.plan.labels[train]
        return bool((labels == labels[0]).all())

    def _single(self, run: Run) -> Record:
        plan, held_out = self.plan, self.plan.held_out(run)
        train, rest = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        labels, answers = plan.labels[train], plan.labels[rest]
        if self._one_label(train):
            # Nothing to tell apart: whatever trained on one label alone predicts it.
            only = plan.task.unit_labels(np.broadcast_to(labels[0], answers.shape))
            right = plan.task.unit_labels(answers) == only
            outcome = Outcome(right, right.astype(np.float32))
        else:
            outcome = self.fit_predict(train, rest, plan.training_seed(run))
        return self._record(run, held_out, outcome)

    def _nested(self, runs: Group) -> Iterator[Record]:
        assert isinstance(self.fit_predict, NestedFitPredict)
        forward = Run(runs[0].ratio, runs[0].number - runs[0].number % 2)
        sizes = sorted({self.plan.size(run.ratio) for run in runs})
        nested = self.fit_predict.nested(self.plan.order(forward), sizes)
        outcomes = {(direction, size): outcome for direction, size, outcome in nested}
        for run in runs:
            outcome = outcomes[run.number % 2, self.plan.size(run.ratio)]
            yield self._record(run, self.plan.held_out(run), outcome)

    def _record(self, run: Run, held_out: BoolArray, outcome: Outcome) -> Record:
        """Record of the units of the examples `held_out`, with the number of classes without a unit to train on."""
        held, groups = self.plan.task.unit_mask(held_out), self.plan.task.groups(self.plan.labels)
        missing = 0
        if groups is not None:
            counts = np.bincount(groups)
            missing = int(((np.bincount(groups[~held], minlength=len(counts)) == 0) & (counts > 0)).sum())
        return Record.of(run, held, outcome, missing)


def grouped(plan: Plan, runs: Sequence[Run], at_once: int = 1) -> list[Group]:
    """Runs that are carried out together: all of a permutation if nested, otherwise `at_once` of a ratio."""
    if plan.design == "nested":
        ordered = sorted(runs, key=lambda run: (run.number // 2, run))
        return [tuple(group) for _, group in groupby(ordered, key=lambda run: run.number // 2)]
    if at_once == 1:
        return [(run,) for run in runs]
    alike = [list(group) for _, group in groupby(sorted(runs), key=lambda run: run.ratio)]
    return [tuple(group[start : start + at_once]) for group in alike for start in range(0, len(group), at_once)]
