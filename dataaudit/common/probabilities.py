"""Class probabilities of many examples, within bounded memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from dataaudit.common.types import AnyArray, BoolArray, FloatArray, IntArray

DENSE_ELEMENTS = 2**24
"""Largest n x C of which every probability is kept (64 MiB)."""

SLOTS = 8
"""Classes kept of an example beyond that: its likeliest, and its own label."""

BLOCK_ELEMENTS = 2**21
"""Largest n x C that is worked on in one piece (16 MiB a float64 array)."""

PART_ELEMENTS = 2**17
"""Probabilities worked on at a time beyond that (1 MiB): the work on a table takes a small part of its own memory."""


class ProbabilityBlocks(Protocol):
    """Probabilities of the classes for n examples, read block by block."""

    @abstractmethod
    def dense(self, rows: slice) -> FloatArray:
        """Probabilities float64 [b, C] of a block of rows; rows add up to 1."""


def blocks(n: int, classes: int) -> Iterator[slice]:
    """Blocks of rows of which [b, C] fits in `BLOCK_ELEMENTS` where [n, C] does, and in `PART_ELEMENTS` where not."""
    size = max(1, (BLOCK_ELEMENTS if n * classes <= BLOCK_ELEMENTS else PART_ELEMENTS) // classes)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def spread(classes: AnyArray | None, values: AnyArray, total: int) -> FloatArray:
    """Probabilities float64 [b, total] of rows of which the `classes` [b, s], -1 where unused, have `values` [b, s].

    Other classes share what is left of a row's mass; a row without any mass is uniform. None: all classes, in order.
    """
    dense = given = np.maximum(np.nan_to_num(values.astype(np.float64)), 0.0)
    if classes is not None:
        kept = classes >= 0
        rest = np.maximum(1.0 - np.where(kept, given, 0.0).sum(1), 0.0) / np.maximum(total - kept.sum(1), 1)
        dense = np.repeat(rest[:, None], total, 1)
        row, slot = np.nonzero(kept)
        dense[row, classes[row, slot]] = given[row, slot]
    mass = dense.sum(1, keepdims=True)
    return np.where(mass > 0, dense / np.where(mass > 0, mass, 1.0), 1.0 / total)


def softmax(logits: FloatArray) -> FloatArray:
    """Rows that add up to 1."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


@dataclass(frozen=True)
class ClassProbabilities:
    """Probabilities of all C = `total` classes, or of the likeliest few.

    `values` are float32 [n, s], of the `classes` int32 [n, s]; None where s = C and all are kept in order.
    """

    values: AnyArray
    classes: AnyArray | None
    total: int

    @classmethod
    def empty(cls, n: int, total: int, dense_elements: int = DENSE_ELEMENTS) -> ClassProbabilities:
        """Room for n examples, every class while n x C is at most `dense_elements`."""
        if n * total <= dense_elements or total <= SLOTS:
            return cls(np.zeros((n, total), np.float32), None, total)
        return cls(np.zeros((n, SLOTS), np.float32), np.full((n, SLOTS), -1, np.int32), total)

    def put(self, rows: slice | IntArray, probabilities: FloatArray, labels: IntArray) -> None:
        """Store probabilities [b, C] of `rows`, whose own labels [b] are kept whatever their probability."""
        if self.classes is None:
            self.values[rows] = probabilities
            return
        top = np.argpartition(-probabilities, SLOTS - 1, axis=1)[:, :SLOTS]
        order = np.argsort(-np.take_along_axis(probabilities, top, 1), axis=1, kind="stable")
        top = np.take_along_axis(top, order, 1)
        absent = ~(top == labels[:, None]).any(1)
        top[absent, -1] = labels[absent]
        self.classes[rows] = top
        self.values[rows] = np.take_along_axis(probabilities, top, 1)

    def among(self, rows: IntArray) -> ClassProbabilities:
        """Those of some rows."""
        return replace(self, values=self.values[rows], classes=None if self.classes is None else self.classes[rows])

    def __len__(self) -> int:
        """Number of examples n."""
        return len(self.values)

    def dense(self, rows: slice) -> FloatArray:
        """Probabilities float64 [b, C] of a block of rows."""
        return spread(None if self.classes is None else self.classes[rows], self.values[rows], self.total)


@dataclass(frozen=True)
class Averaged:
    """Mean of several sources' probabilities, weighted by numbers above 0."""

    parts: tuple[ProbabilityBlocks, ...]
    weights: tuple[float, ...]

    def dense(self, rows: slice) -> FloatArray:
        """Probabilities float64 [b, C] of a block of rows."""
        total = sum(weight * part.dense(rows) for part, weight in zip(self.parts, self.weights, strict=True))
        return np.asarray(total / sum(self.weights))


@dataclass(frozen=True)
class CombinedProbabilities:
    """Probabilities of the classes of n examples by several sources together.

    Attributes
    ----------
    probabilities
        By all sources.
    outside
        By those alone that never saw the example's label; None without any.
    known
        Examples that something is known about, bool [n].
    contradicted
        Labels instead of which all sources that never saw them (all there are, where each did) name one and the same
        other class, bool [n].
    weights
        Exponents of the sources, by name.
    """

    probabilities: ClassProbabilities
    outside: ClassProbabilities | None
    known: BoolArray
    contradicted: BoolArray
    weights: Mapping[str, float] = field(default_factory=dict)

    def among(self, rows: IntArray) -> CombinedProbabilities:
        """Those of some rows."""
        probabilities = self.probabilities.among(rows)
        outside = probabilities if self.outside is self.probabilities else self.outside and self.outside.among(rows)
        return replace(
            self,
            probabilities=probabilities,
            outside=outside,
            known=self.known[rows],
            contradicted=self.contradicted[rows],
        )
