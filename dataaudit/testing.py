"""Contract suites: subclass one, return your part, and pytest checks the laws it must keep.

::

    from dataaudit.testing import ScorerContract

    class TestMyScorer(ScorerContract):
        def scorer(self):
            return MyScorer()
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dataaudit.data.examples import Examples, inspect
from dataaudit.density.base import DensityNeed, DensitySums
from dataaudit.density.engines import DensityEngine
from dataaudit.density.engines import reference as REFERENCE
from dataaudit.dynamics.recorder import Recorder
from dataaudit.evidence import Evidence, Need
from dataaudit.learners.base import Learner
from dataaudit.neighbours.base import NeighbourNeed, Neighbours
from dataaudit.neighbours.search import NeighbourSearch
from dataaudit.representations.base import Factors, Represented
from dataaudit.scoring.base import Scorer
from dataaudit.types import AnyArray, IntArray


def example_evidence(
    n: int = 63,
    classes: int = 4,
    epochs: int = 5,
    seed: int = 0,
    needs: Collection[Need | DensityNeed | NeighbourNeed] = (),
) -> Evidence:
    """Evidence of a made-up training run, with every part present and one example never seen in training.

    Densities and neighbours are there for those of `needs` that ask for one; the last example has no neighbour within
    reach of a density, and the neighbours of the first are all at one distance.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    recorder, heldout = Recorder(n, classes), Recorder(n, classes)
    logits = rng.normal(size=(epochs, n, classes)) + 2.0 * np.eye(classes)[labels]
    for epoch in range(epochs):
        seen = rng.permutation(n - 1)
        recorder.update(seen, torch.tensor(logits[epoch][seen]), labels[seen])
        recorder.end_epoch()
    densities, neighbours = {}, {}
    for need in needs:
        if isinstance(need, DensityNeed):
            same = rng.random(n) * (np.bincount(labels)[labels] - 1)
            total = same + rng.random(n) * n
            total[-1] = same[-1] = 0.0
            densities[need] = DensitySums(total, same, {"bandwidth": 1.0, "out_of_reach": 1})
        elif isinstance(need, NeighbourNeed):
            apart = np.array([rng.permutation(n - 1) + 1 for _ in range(n)])[:, : need.depth]
            distances = np.sort(rng.random(apart.shape), axis=1)
            distances[0] = 0.0
            graph = Neighbours((apart + np.arange(n)[:, None]) % n, distances, {"depth": apart.shape[1], "cut_ties": 0})
            neighbours[need] = graph
    everything = np.arange(n)
    recorder.evaluate(everything, torch.tensor(logits[-1]), labels)
    heldout.evaluate(everything, torch.tensor(logits[0]), labels)
    return Evidence(
        labels=labels,
        class_names=tuple(f"class {c}" for c in range(classes)),
        dynamics=recorder.dynamics(),
        predictions=recorder.predictions(),
        heldout=heldout.predictions(),
        densities=densities,
        neighbours=neighbours,
    )


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
        assert all(isinstance(need, (Need, DensityNeed, NeighbourNeed)) for need in scorer.needs)

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
        asked = (*evidence.densities.values(), *evidence.neighbours.values())
        for part in (evidence.dynamics, evidence.predictions, evidence.heldout, *asked):
            for value in vars(part).values():
                if isinstance(value, np.ndarray):
                    value.flags.writeable = False
        first, second = self.scorer().score(evidence), self.scorer().score(evidence)
        np.testing.assert_array_equal(first.values, second.values)

    def test_it_reads_only_what_it_needs(self) -> None:
        """Parts of the evidence that are not in `needs` may be missing."""
        scorer = self.scorer()
        others = (DensityNeed("input", 0.123), NeighbourNeed("input", depth=3))
        evidence = example_evidence(needs=[*scorer.needs, *(need for need in others if need not in scorer.needs)])
        absent: dict[str, Any] = {need.value: None for need in Need if need not in scorer.needs}
        for part in ("densities", "neighbours"):
            absent[part] = {need: found for need, found in getattr(evidence, part).items() if need in scorer.needs}
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
        import json

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


class SearchContract(ABC):
    """Laws of a `dataaudit.neighbours.search.NeighbourSearch`, checked against all distances in float64."""

    recall = 1.0
    """Least share of the true neighbours that are found; less than 1 for an approximate search alone."""

    @abstractmethod
    def search(self) -> NeighbourSearch:
        """Return the search under test, on a machine that can run it."""

    @staticmethod
    def _rows(n: int, d: int) -> AnyArray:
        rng = np.random.default_rng(n)
        rows = rng.normal(size=(n, d)).astype(np.float32)
        # A third of the rows are duplicates, and one lies far out.
        rows[: n // 3] = rows[rng.integers(n, size=n // 3)]
        rows[-1] *= 100
        return rows

    def test_it_describes_itself(self) -> None:
        """A name, settings that are JSON, and it runs here."""
        import json

        search = self.search()
        assert isinstance(search, NeighbourSearch)
        search.check()
        assert search.name
        assert search.exact == (self.recall == 1.0)
        settings = search.describe(np.zeros((30, 2), np.float32))
        assert json.loads(json.dumps(settings)) == settings

    def test_it_finds_the_nearest(self) -> None:
        """Distinct rows, none nearer left out, for odd sizes and every depth."""
        for n, d, depth in ((1, 1, 1), (2, 3, 2), (63, 20, 5), (63, 4, 63), (257, 33, 30)):
            rows, done = self._rows(n, d), list[int]()
            found = self.search().find(rows, depth, done.append)
            assert found.shape == (n, depth)
            assert found.dtype == np.int64
            assert sum(done) == n
            assert found.min() >= (0 if self.recall == 1.0 else -1)
            assert found.max() < n
            assert all(len(set(row[row >= 0].tolist())) == (row >= 0).sum() for row in found)
            wide = rows.astype(np.float64)
            apart = ((wide[:, None] - wide[None]) ** 2).sum(-1)
            edge = np.sort(apart, axis=1)[:, depth - 1, None]
            room = 1e-5 * ((wide**2).sum(1)[:, None] + (wide**2).sum(1).max())
            near = (found >= 0) & (np.take_along_axis(apart, np.maximum(found, 0), 1) <= edge + room)
            assert near.mean() >= self.recall

    def test_the_same_indices_twice(self) -> None:
        """Equal arguments give equal indices, and are not changed."""
        rows = self._rows(200, 9)
        before = rows.copy()
        first, second = (self.search().find(rows, 12, lambda rows: None) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(rows, before)


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

    def test_its_description_is_json(self) -> None:
        """Settings are saved as JSON."""
        import json

        description = self.learner().description
        assert json.loads(json.dumps(description, allow_nan=False)) == description
        assert {"model", "recipe", "device", "precision", "engine", "notes"} == set(description)


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
    "EngineContract",
    "ExamplesContract",
    "LearnerContract",
    "ScorerContract",
    "SearchContract",
    "example_evidence",
]
