"""Task: what a label is, and what an output of a model says about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.common.types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from torch import Tensor

MARGIN, CONFIDENCE, MAX_CONFIDENCE, EL2N, LOSS, CORRECT, PREDICTED = range(7)
"""Columns of `Task.measure`."""


MISSING, DAMAGED = -1, -2
"""In place of a label that is not there, and of one that cannot be right."""


class Task(ABC):
    """Kind of labels.

    An audit counts units: what can be right or wrong by itself, and has a score. A unit is an example where each has
    one label, a pair of example and label where there are several, or a token of a text. Of a few outcomes (the
    classes; yes or no) one is the unit's label, a number from 0. All units of an example stand together, in the order
    of examples: a task whose examples have different numbers of units knows how many each has.

    ``labels`` below are those of b examples as ``encode`` gives them, ``[b, *label_shape]``; ``logits`` [b, C] are a
    model's outputs for these examples, and u is the number of their units.

    Laws
    ----
    - All methods are pure, and those that take tensors work on the tensors' device without waiting for it.
    - ``units`` of different examples are different, and those of all n examples are 0..u-1 in order.
    - ``unit_labels``, ``measure``, ``outcome`` and ``groups`` give one row a unit, in the order of ``units``.
    - A unit is correct where its likeliest outcome is its label, and then its margin is at least 0.
    - ``measure`` and ``outcome`` agree on what is correct and, to float32, on the label's probability.
    - ``aggregate`` of equal values gives that value.

    `dataaudit.testing.TaskContract` checks them. A package registers tasks in the entry-point group
    ``dataaudit.tasks``.
    """

    name: str
    """Name, for settings and states."""
    label_shape: tuple[int, ...] = ()
    """Shape of one example's label."""

    @abstractmethod
    def encode(
        self, values: Any, names: tuple[str, ...] | None = None, lenient: bool = False
    ) -> tuple[IntArray, tuple[str, ...]]:
        """Turn a label column into labels int64 ``[n, *label_shape]``, and the names of the C logits.

        Parameters
        ----------
        values
            As a caller has them.
        names
            Names that the data set declares; None where they follow from the values.
        lenient
            Whether a label that cannot be right becomes `DAMAGED`; otherwise it is an error. One that is missing is
            `MISSING` either way.

        Raises
        ------
        DataError
            If labels are of the wrong kind, there are none, or there is nothing to tell apart.
        """

    @abstractmethod
    def units(self, examples: Any) -> Any:
        """Positions of the units of the examples at positions `examples` [b], int64 [u]: an array or a tensor."""

    @abstractmethod
    def unit_labels(self, labels: Any) -> Any:
        """Label of every unit, int64 [u]: an array or a tensor."""

    @abstractmethod
    def outcomes(self, classes: int) -> int:
        """Number of outcomes of a unit, where a model gives `classes` logits."""

    @abstractmethod
    def loss(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Loss to train by, a scalar; `smoothing` is the share of the target that is spread over all outcomes."""

    @abstractmethod
    def measure(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Measure one forward pass.

        Returns
        -------
        values
            float32 [u, 7], by the columns above: logit of the label minus the largest other; probability of the label;
            largest probability; norm of (probabilities - one-hot label); loss, nats; 1 where correct, else 0; the
            predicted outcome.
        probabilities
            Of the outcomes, float32 [u, outcomes].
        """

    @abstractmethod
    def outcome(self, logits: FloatArray, labels: IntArray) -> tuple[BoolArray, FloatArray]:
        """Say whether each unit's label is predicted, bool [u], and its probability, float64 [u]."""

    @abstractmethod
    def groups(self, labels: IntArray) -> IntArray | None:
        """Groups of units that count as alike, int64 [u] from 0: those of one class; None where there are none."""

    @abstractmethod
    def aggregate(self, values: FloatArray) -> FloatArray:
        """Scores of the n examples, float64 [n], from those of all units [u]; higher = more regular for both."""

    @abstractmethod
    def feeds(self, part: str) -> bool:
        """Tell whether a part of the evidence, a field of `dataaudit.evidence.base.Evidence`, can be had of units."""

    def count(self, n: int) -> int:
        """Number of units of n examples."""
        return len(self.units(np.arange(n)))

    def unit_mask(self, examples: BoolArray) -> BoolArray:
        """Mask of the units of the examples in a mask [n], bool [u]."""
        mask = np.zeros(self.count(len(examples)), bool)
        mask[self.units(np.flatnonzero(examples))] = True
        return mask
