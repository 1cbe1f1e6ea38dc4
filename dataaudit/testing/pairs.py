"""Laws of what looks at pairs of rows: density engines and neighbour searches."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod

import numpy as np

from dataaudit.common.types import AnyArray, IntArray
from dataaudit.density.engines import DensityEngine
from dataaudit.density.engines import reference as REFERENCE
from dataaudit.neighbours.protocol import NeighbourSearch
from dataaudit.representations.base import Features, GradientFactors


class EngineContract(ABC):
    """Laws of a `dataaudit.density.engines.DensityEngine`, checked against the float64 oracle."""

    tolerance = 1e-4
    """Largest relative error of a sum."""

    @abstractmethod
    def engine(self) -> DensityEngine:
        """Return the engine under test, on a machine that can run it."""

    def _sums(self, represented: Features, labels: IntArray, h: float) -> list[float]:
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
            GradientFactors(
                rng.normal(size=(65, p)).astype(np.float32), rng.normal(size=(65, q)).astype(np.float32), bias
            )
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
            found = self.search().open(rows, depth)(rows, depth)
            assert found.shape == (n, depth)
            assert found.dtype == np.int64
            assert found.min() >= (0 if self.recall == 1.0 else -1)
            assert found.max() < n
            assert all(len(set(row[row >= 0].tolist())) == (row >= 0).sum() for row in found)
            wide = rows.astype(np.float64)
            apart = ((wide[:, None] - wide[None]) ** 2).sum(-1)
            edge = np.sort(apart, axis=1)[:, depth - 1, None]
            room = 1e-5 * ((wide**2).sum(1)[:, None] + (wide**2).sum(1).max())
            near = (found >= 0) & (np.take_along_axis(apart, np.maximum(found, 0), 1) <= edge + room)
            assert near.mean() >= self.recall
            # Nearest first, to rounding.
            told = np.where(found >= 0, np.take_along_axis(apart, np.maximum(found, 0), 1), np.inf)
            with np.errstate(invalid="ignore"):
                assert not (np.diff(told, axis=1) < -room).any()

    def test_the_same_indices_twice(self) -> None:
        """Equal arguments give equal indices, and are not changed."""
        rows = self._rows(200, 9)
        before = rows.copy()
        first, second = (self.search().open(rows, 12)(rows, 12) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(rows, before)
