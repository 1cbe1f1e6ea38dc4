"""Laws of what looks at pairs of rows: density engines and neighbour searches."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.density.base import BlockEngine, Context, DensityEngine, silent
from dataaudit.density.exact import ReferenceEngine
from dataaudit.density.sums import KINDS, DensitySums, SumErrors
from dataaudit.neighbours.base import GraphIndex, NeighbourSearch
from dataaudit.representations.base import Features, GradientFactors
from dataaudit_kernels.agreement import spearman


class EngineContract(ABC):
    """Laws of a `dataaudit.density.base.DensityEngine`, checked against the float64 oracle."""

    tolerance = 1e-4
    """Largest relative error of a sum that is no estimate."""

    estimates_from: int | None = None
    """Rows from which on some sums are estimates; None for an engine whose sums are always exact."""

    @abstractmethod
    def engine(self) -> DensityEngine:
        """Return the engine under test, on a machine that can run it."""

    def _sums(self, features: Features, labels: IntArray, h: float, advance: Any = silent) -> DensitySums:
        """Sums of few examples, which are exact, compared with the oracle's."""
        sums = self.engine().sums(features, labels, h, Context(advance=advance))
        wanted = ReferenceEngine().sums(features, labels, h)
        for ours, theirs in ((sums.total, wanted.total), (sums.same, wanted.same)):
            assert ours.shape == labels.shape
            assert ours.dtype == np.float64
            np.testing.assert_allclose(ours, theirs, rtol=self.tolerance, atol=1e-30 * len(labels))
        assert json.loads(json.dumps(sums.settings)) == sums.settings
        assert (sums.errors is None) == (self.estimates_from is None)
        if sums.errors is not None:
            self._check_form(sums.errors, len(labels))
            assert not sums.errors.other.any()
            assert not sums.errors.same.any()
        return sums

    @staticmethod
    def _check_form(errors: SumErrors, n: int) -> None:
        for stderr in (errors.other, errors.same):
            assert stderr.shape == (n,)
            assert (stderr >= 0).all()
        assert errors.members.shape == (n,)
        assert set(errors.agreement) == set(KINDS)

    def test_a_label_far_from_its_class_has_a_sum_of_its_own(self) -> None:
        """A row amid others, whose class is so far that the sum over it alone is below the range of float32."""
        x, labels = np.array([[0.0], [1.0], [30.0], [32.0], [34.0]], np.float32), np.array([0, 1, 0, 0, 0])
        wanted = ReferenceEngine().sums(x, labels, 2.0)
        np.testing.assert_allclose(self.engine().sums(x, labels, 2.0).same, wanted.same, rtol=self.tolerance)

    def test_it_names_itself(self) -> None:
        """A name, and it runs here."""
        engine = self.engine()
        assert isinstance(engine, DensityEngine)
        engine.check()
        assert engine.name
        assert engine.depth >= 0

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
        layers = [
            GradientFactors(
                rng.normal(size=(65, p)).astype(np.float32), rng.normal(size=(65, q)).astype(np.float32), bias
            )
            for p, q, bias in ((3, 17, True), (5, 4, False))
        ]
        for some in (layers[:1], layers[1:], layers):
            self._sums(some, rng.integers(3, size=65), 6.0)

    def test_estimates_and_their_errors(self) -> None:
        """Over the seeds, errors are as large as sums are off, and so is the estimated disagreement of the ranking."""
        if self.estimates_from is None:
            return
        rng = np.random.default_rng(4)
        n, h = self.estimates_from, 3.0
        labels = rng.integers(2, size=n)
        rows = (rng.normal(size=(2, 6))[labels] + rng.normal(size=(n, 6))).astype(np.float32)
        exact, apart, misranked = ReferenceEngine().sums(rows, labels, h), [], []
        for seed in range(8):
            sums = self.engine().sums(rows, labels, h, Context(seed))
            assert sums.errors is not None
            self._check_form(sums.errors, n)
            assert ((sums.errors.members > 0) & (sums.errors.members < n)).all()
            for ours, theirs, stderr in (
                (sums.total - sums.same, exact.total - exact.same, sums.errors.other),
                (sums.same, exact.same, sums.errors.same),
            ):
                known = stderr == 0
                np.testing.assert_allclose(ours[known], theirs[known], rtol=self.tolerance)
                apart.append((ours - theirs)[~known] / stderr[~known])
            misranked.append((1 - sums.errors.agreement["density"], 1 - spearman(sums.total, exact.total)))
        # Errors of rows that share a sample move together.
        assert 0.6 < np.sqrt(np.mean(np.concatenate(apart) ** 2)) < 1.6
        seen, real = np.mean(misranked, axis=0)
        assert 0.5 * real < seen < 2 * real

    def test_sums_over_ranges_and_between_them_add_up(self) -> None:
        """Of an engine for blocks."""
        engine = self.engine()
        if not isinstance(engine, BlockEngine):
            return
        rng = np.random.default_rng(5)
        rows, labels = rng.normal(size=(100, 9)).astype(np.float32), rng.integers(3, size=100)
        pinned = engine.pinned(rows, 1)
        a, b = slice(None, 37), slice(37, None)
        added = np.zeros((2, 100))
        for part in (a, b):
            sums = pinned.sums(rows[part], labels[part], 2.0)
            added[:, part] = sums.total, sums.same
        between = pinned.block_sums(rows[a], labels[a], rows[b], labels[b], 2.0, None)
        for part, of_part in zip((a, b), between, strict=True):
            assert np.shape(of_part) == added[:, part].shape
            added[:, part] += of_part
        wanted = ReferenceEngine().sums(rows, labels, 2.0)
        np.testing.assert_allclose(added, [wanted.total, wanted.same], rtol=self.tolerance)

    def test_the_same_bits_twice(self) -> None:
        """Equal arguments give equal bits, and are not changed."""
        rng = np.random.default_rng(2)
        n = self.estimates_from or 100
        rows, labels = rng.normal(size=(n, 9)).astype(np.float32), rng.integers(3, size=n)
        rows.flags.writeable = labels.flags.writeable = False
        first, second = (self.engine().sums(rows, labels, 2.0, Context(1)) for _ in range(2))
        np.testing.assert_array_equal(first.total, second.total)
        np.testing.assert_array_equal(first.same, second.same)

    def test_progress_adds_up_to_one(self) -> None:
        """Shares of the work."""
        rng, shares = np.random.default_rng(3), list[float]()
        self._sums(rng.normal(size=(200, 4)).astype(np.float32), rng.integers(3, size=200), 1.0, shares.append)
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
        search = self.search()
        assert isinstance(search, NeighbourSearch)
        search.check()
        assert search.name
        index = search.open(self._rows(30, 2), 3)
        assert index.exact == (self.recall == 1.0)
        assert json.loads(json.dumps(index.settings)) == index.settings

    def test_it_finds_the_nearest(self) -> None:
        """Distinct rows, none nearer left out, for odd sizes and every depth."""
        for n, d, depth in ((1, 1, 1), (2, 3, 2), (63, 20, 5), (63, 4, 63), (257, 33, 30)):
            rows = self._rows(n, d)
            wide = rows.astype(np.float64)
            apart = ((wide[:, None] - wide[None]) ** 2).sum(-1)
            edge = np.sort(apart, axis=1)[:, depth - 1, None]
            room = 1e-5 * ((wide**2).sum(1)[:, None] + (wide**2).sum(1).max())
            for indices in self._answers(rows, depth):
                assert indices.shape == (n, depth)
                assert indices.dtype == np.int64
                assert indices.min() >= (0 if self.recall == 1.0 else -1)
                assert indices.max() < n
                assert all(len(set(row[row >= 0].tolist())) == (row >= 0).sum() for row in indices)
                distances = np.take_along_axis(apart, np.maximum(indices, 0), 1)
                assert ((indices >= 0) & (distances <= edge + room)).mean() >= self.recall
                # Nearest first, to rounding.
                with np.errstate(invalid="ignore"):
                    assert not (np.diff(np.where(indices >= 0, distances, np.inf), axis=1) < -room).any()

    def _answers(self, rows: AnyArray, depth: int) -> list[IntArray]:
        """Rows near each, as queries and, where the index has a graph, by that."""
        index = self.search().open(rows, depth)
        queried = index(rows, depth)
        if not isinstance(index, GraphIndex):
            return [queried]
        every = np.arange(len(rows))
        mixed = np.random.default_rng(0).permutation(every)
        found = index.neighbours(every, depth)
        np.testing.assert_array_equal(index.neighbours(mixed, max(1, depth // 2)), found[mixed, : max(1, depth // 2)])
        return [queried, found]

    def test_the_same_indices_twice(self) -> None:
        """Equal arguments give equal indices, and are not changed."""
        rows = self._rows(200, 9)
        before = rows.copy()
        for first, second in zip(self._answers(rows, 12), self._answers(rows, 12), strict=True):
            np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(rows, before)
