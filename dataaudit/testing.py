"""Contract suites: subclass one, return your part, and pytest checks the laws it must keep.

::

    from dataaudit.testing import ScorerContract

    class TestMyScorer(ScorerContract):
        def scorer(self):
            return MyScorer()
"""

from __future__ import annotations

import json
import os
import random
import signal
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataaudit.data.examples import Examples, inspect
from dataaudit.density.base import DensityNeed, DensitySums
from dataaudit.density.engines import DensityEngine
from dataaudit.density.engines import reference as REFERENCE
from dataaudit.dynamics.recorder import Recorder
from dataaudit.evidence import Evidence, Need
from dataaudit.holdout.base import Failure, Group, HoldoutBackend, Outcome
from dataaudit.holdout.plan import Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.tally import Tally, integrated
from dataaudit.learners.base import Learner
from dataaudit.representations.base import Factors, Represented
from dataaudit.scoring.base import Scorer
from dataaudit.types import IntArray


def example_evidence(
    n: int = 63,
    classes: int = 4,
    epochs: int = 5,
    seed: int = 0,
    needs: Collection[Need | DensityNeed] = (),
) -> Evidence:
    """Evidence of a made-up training run, with every part present and one example never seen in training.

    Densities are there for those of `needs` that ask for one; the last example has no neighbour within reach.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    recorder, heldout = Recorder(n, classes), Recorder(n, classes)
    logits = rng.normal(size=(epochs, n, classes)) + 2.0 * np.eye(classes)[labels]
    for epoch in range(epochs):
        seen = rng.permutation(n - 1)
        recorder.update(seen, torch.tensor(logits[epoch][seen]), labels[seen])
        recorder.end_epoch()
    densities = {}
    for need in needs:
        if isinstance(need, DensityNeed):
            same = rng.random(n) * (np.bincount(labels)[labels] - 1)
            total = same + rng.random(n) * n
            total[-1] = same[-1] = 0.0
            densities[need] = DensitySums(total, same, {"bandwidth": 1.0, "out_of_reach": 1})
    everything = np.arange(n)
    recorder.evaluate(everything, torch.tensor(logits[-1]), labels)
    estimates = _example_holdouts(labels, seed)
    heldout.evaluate(everything, torch.tensor(logits[0]), labels)
    return Evidence(
        labels=labels,
        class_names=tuple(f"class {c}" for c in range(classes)),
        dynamics=recorder.dynamics(),
        predictions=recorder.predictions(),
        heldout=heldout.predictions(),
        densities=densities,
        holdout=estimates.scores(),
        holdout_integral=integrated([estimates, estimates]),
    )


def _example_holdouts(labels: IntArray, seed: int) -> Tally:
    """Six made-up holdout runs that never hold out the last example."""
    rng, tally = np.random.default_rng([seed, 1]), Tally(len(labels), seed)
    for number in range(6):
        held = rng.random(len(labels)) < 0.5
        held[-1] = False
        outcome = Outcome(rng.random(held.sum()) < 0.7, rng.random(held.sum()))
        tally.add(Record.of(Run(0.5, number), held, outcome))
    return tally


class ScorerContract(ABC):
    """Laws of a `dataaudit.scoring.base.Scorer`."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """Return the scorer under test."""

    def test_it_describes_itself(self) -> None:
        """Name, one line, and known needs."""
        scorer = self.scorer()
        assert isinstance(scorer, Scorer)
        assert scorer.name
        assert scorer.name.strip() == scorer.name
        assert scorer.summary
        assert "\n" not in scorer.summary
        assert all(isinstance(need, (Need, DensityNeed)) for need in scorer.needs)

    def test_values_are_one_finite_number_an_example(self) -> None:
        """float64 [n], never infinite, for many and for few examples."""
        for n, classes in ((2, 2), (63, 4), (257, 3)):
            scorer = self.scorer()
            scores = scorer.score(example_evidence(n, classes, needs=scorer.needs))
            for values in (scores.values, scores.ties):
                if values is not None:
                    assert values.shape == (n,)
                    assert values.dtype == np.float64
                    assert not np.isinf(values).any()

    def test_it_is_pure(self) -> None:
        """Equal evidence gives equal scores, and read-only evidence will do."""
        evidence = example_evidence(needs=self.scorer().needs)
        for part in (evidence.dynamics, evidence.predictions, evidence.heldout, *evidence.densities.values()):
            for value in vars(part).values():
                if isinstance(value, np.ndarray):
                    value.flags.writeable = False
        first, second = self.scorer().score(evidence), self.scorer().score(evidence)
        np.testing.assert_array_equal(first.values, second.values)

    def test_it_reads_only_what_it_needs(self) -> None:
        """Parts of the evidence that are not in `needs` may be missing."""
        scorer = self.scorer()
        evidence = example_evidence(needs={*scorer.needs, DensityNeed("input", 0.123)})
        absent: dict[str, Any] = {need.value: None for need in Need if need not in scorer.needs}
        absent["densities"] = {need: sums for need, sums in evidence.densities.items() if need in scorer.needs}
        np.testing.assert_array_equal(scorer.score(replace(evidence, **absent)).values, scorer.score(evidence).values)


class EngineContract(ABC):
    """Laws of a `dataaudit.density.engines.DensityEngine`, checked against the float64 oracle."""

    tolerance = 1e-4
    """Largest relative error of a sum."""

    @abstractmethod
    def engine(self) -> DensityEngine:
        """Return the engine under test, on a machine that can run it."""

    def _sums(self, represented: Represented, labels: IntArray, h: float) -> list[float]:
        shares: list[float] = []
        found = self.engine().sums(represented, labels, h, shares.append)
        wanted = REFERENCE.sums(represented, labels, h, lambda share: None)
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours.shape == labels.shape
            assert ours.dtype == np.float64
            np.testing.assert_allclose(ours, theirs, rtol=self.tolerance, atol=1e-30 * len(labels))
        return shares

    def test_it_describes_itself(self) -> None:
        """A name, settings that are JSON, and it runs here."""
        engine = self.engine()
        assert isinstance(engine, DensityEngine)
        engine.check()
        assert engine.name
        settings = engine.describe(np.zeros((3, 2), np.float32))
        assert json.loads(json.dumps(settings)) == settings

    def test_rows(self) -> None:
        """Odd sizes, duplicates, a class of one and far rows."""
        rng = np.random.default_rng(0)
        for n, d in ((1, 1), (2, 3), (63, 20), (130, 33)):
            rows, labels = rng.normal(size=(n, d)).astype(np.float32), rng.integers(3, size=n)
            rows[n // 2] = rows[0]
            labels[-1] = 7
            rows[-1] += 1e3
            self._sums(rows, labels, 0.7 * np.sqrt(d))

    def test_gradients(self) -> None:
        """Factors of one layer and of several, with bias and without."""
        rng = np.random.default_rng(1)
        made = [
            Factors(rng.normal(size=(65, p)).astype(np.float32), rng.normal(size=(65, q)).astype(np.float32), bias)
            for p, q, bias in ((3, 17, True), (5, 4, False))
        ]
        for layers in (made[:1], made[1:], made):
            self._sums(layers, rng.integers(3, size=65), 6.0)

    def test_the_same_bits_twice(self) -> None:
        """Equal arguments give equal bits, and are not changed."""
        rng = np.random.default_rng(2)
        rows, labels = rng.normal(size=(100, 9)).astype(np.float32), rng.integers(3, size=100)
        rows.flags.writeable = labels.flags.writeable = False
        first, second = (self.engine().sums(rows, labels, 2.0, lambda share: None) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_progress_adds_up_to_one(self) -> None:
        """Shares of the work."""
        rng = np.random.default_rng(3)
        shares = self._sums(rng.normal(size=(200, 4)).astype(np.float32), rng.integers(3, size=200), 1.0)
        assert abs(sum(shares) - 1.0) < 1e-6


class LearnerContract(ABC):
    """Laws of a `dataaudit.learners.base.Learner`."""

    @abstractmethod
    def learner(self) -> Learner:
        """Return a fresh learner bound to a small data set (at most a few hundred rows)."""

    @abstractmethod
    def labels(self) -> IntArray:
        """Return the labels of that data set."""

    def test_it_fits_and_predicts(self) -> None:
        """Finite logits [b, C] for any rows in any order."""
        learner, labels = self.learner(), self.labels()
        learner.check(0)
        fitted = learner.fit(np.arange(len(labels)), 0, None, False)
        logits = np.asarray(fitted.logits(np.array([3, 0, 3])))
        assert logits.shape == (3, labels.max() + 1)
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(logits[0], logits[2], rtol=1e-6, atol=1e-6)

    def test_the_same_seed_gives_the_same_result(self) -> None:
        """Bit for bit, whatever was drawn from global generators in between."""
        rows = np.arange(len(self.labels()))
        learner = self.learner()
        first = np.asarray(learner.fit(rows, 7, None, False).logits(rows))
        np.random.random(3)  # noqa: NPY002 (the global generator is what this law is about)
        torch.rand(3)
        second = np.asarray(learner.fit(rows, 7, None, False).logits(rows))
        np.testing.assert_array_equal(first, second)

    def test_it_leaves_global_generators_alone(self) -> None:
        """Python's, NumPy's and torch's global states stay where they were."""
        before = (random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state())  # noqa: NPY002
        self.learner().fit(np.arange(len(self.labels())), 0, None, False)
        assert before[0] == random.getstate()
        now: Any = np.random.get_state(legacy=False)  # noqa: NPY002
        np.testing.assert_equal(before[1], now)
        assert torch.equal(before[2], torch.get_rng_state())

    def test_it_records_every_row_every_epoch(self) -> None:
        """As many epochs as it promises, or none."""
        learner, labels = self.learner(), self.labels()
        recorder = Recorder(len(labels), int(labels.max()) + 1)
        learner.fit(np.arange(len(labels)), 0, recorder if learner.epochs else None, False)
        dynamics = recorder.dynamics()
        assert (0 if dynamics is None else dynamics.epochs) == learner.epochs
        if dynamics is not None:
            assert (dynamics.seen == learner.epochs).all()

    def test_its_identity_is_stable(self) -> None:
        """Equal for equal learners, also after training, and when it starts from scratch as it does anyway."""
        learner = self.learner()
        before = learner.from_scratch().identity
        assert len(before) == 32
        learner.fit(np.arange(len(self.labels())), 0, None, False)
        assert learner.from_scratch().identity == before == self.learner().from_scratch().identity

    def test_its_description_is_json(self) -> None:
        """Settings are saved as JSON."""
        description = self.learner().description
        assert json.loads(json.dumps(description, allow_nan=False)) == description
        assert {"model", "recipe", "device", "precision", "engine", "notes"} == set(description)


@dataclass(frozen=True)
class _Numbered:
    """A job that answers with its group's first number, or dies on its way there."""

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


class BackendContract(ABC):
    """Laws of a `dataaudit.holdout.base.HoldoutBackend`."""

    workers_die = True
    """Whether runs are carried out in processes whose death the backend survives."""

    @abstractmethod
    def backend(self) -> HoldoutBackend:
        """Return the backend under test, on a machine that can run it; one that starts a dead group again."""

    def _map(self, job: _Numbered, count: int = 7) -> dict[Group, Any]:
        groups: list[Group] = [(Run(0.5, number),) for number in range(count)]
        found = list(self.backend().map(job, groups))
        assert sorted(group for group, _ in found) == groups
        return dict(found)

    def test_it_describes_itself(self) -> None:
        """A name, settings that are JSON, and it runs here."""
        backend = self.backend()
        assert isinstance(backend, HoldoutBackend)
        backend.check()
        assert backend.name
        assert json.loads(json.dumps(backend.describe())) == backend.describe()

    def test_every_group_once(self) -> None:
        """With what the job made of it; none at all if there are none."""
        assert all(result == group[0].number for group, result in self._map(_Numbered()).items())
        assert self._map(_Numbered(), count=0) == {}

    def test_a_dead_worker_costs_its_own_group_only(self, tmp_path: Path) -> None:
        """Which is made again."""
        if self.workers_die:
            found = self._map(_Numbered(str(tmp_path)))
            assert all(result == group[0].number for group, result in found.items())
            assert len(list(tmp_path.iterdir())) == 1

    def test_a_group_that_always_kills_its_worker_is_given_up(self, tmp_path: Path) -> None:
        """As a failure that says so; the others are made."""
        if self.workers_die:
            for group, result in self._map(_Numbered(str(tmp_path), most=100)).items():
                if group[0].number == 3:
                    assert isinstance(result, Failure)
                    assert result.runs == group
                    assert "died" in result.traceback
                else:
                    assert result == group[0].number

    def test_it_can_be_left_early(self) -> None:
        """Closing the iterator stops the workers."""
        groups: list[Group] = [(Run(0.5, number),) for number in range(20)]
        results: Any = self.backend().map(_Numbered(), groups)
        next(results)
        results.close()
        assert self._map(_Numbered(), count=2)


class ExamplesContract(ABC):
    """Laws of `dataaudit.data.examples.Examples`."""

    @abstractmethod
    def examples(self) -> Examples:
        """Return a data set of at least four rows."""

    def test_labels_are_positions(self) -> None:
        """int64 [n] within the class names, and the same at every access."""
        examples = self.examples()
        assert examples.labels.shape == (len(examples),)
        assert examples.labels.dtype == np.int64
        assert examples.labels.min() >= 0
        assert examples.labels.max() < len(examples.class_names)
        assert all(isinstance(name, str) for name in examples.class_names)
        np.testing.assert_array_equal(examples.labels, examples.labels)

    def test_rows_come_in_the_order_asked_for(self) -> None:
        """Repeats included, equal to reading them one by one."""
        examples = self.examples()
        order = np.array([3, 0, 3, 1])
        together = examples.read(order)
        assert len(together) == 4
        for place, row in enumerate(order):
            alone = examples.read(np.array([row]))
            if hasattr(together, "columns"):
                assert together.iloc[[place]].reset_index(drop=True).equals(alone.reset_index(drop=True))
            else:
                np.testing.assert_array_equal(together[place], alone[0])

    def test_it_can_be_inspected_twice(self) -> None:
        """With the same fingerprint."""
        assert inspect(self.examples()).fingerprint == inspect(self.examples()).fingerprint

    def test_a_row_can_be_shown(self) -> None:
        """For human eyes."""
        assert self.examples().show(0) is not None


__all__ = [
    "BackendContract",
    "EngineContract",
    "ExamplesContract",
    "LearnerContract",
    "ScorerContract",
    "example_evidence",
]
