"""Laws of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pytest
import torch

from dataaudit.common.types import FloatArray, IntArray
from dataaudit.tasks.base import CONFIDENCE, CORRECT, EL2N, LOSS, MARGIN, MAX_CONFIDENCE, PREDICTED, Task


class TaskContract(ABC):
    """Laws of a `dataaudit.tasks.base.Task`."""

    classes: int
    """Number of logits of a model for `labels`."""

    @abstractmethod
    def task(self) -> Task:
        """Return the task under test; one that knows its examples, for those of `labels`."""

    @abstractmethod
    def labels(self) -> IntArray:
        """Return labels of at least four examples as ``encode`` gives them, not all alike."""

    def _logits(self, seed: int = 0) -> FloatArray:
        shape = len(self.labels()), self.classes
        return np.random.default_rng(seed).normal(size=shape).astype(np.float32).astype(np.float64)

    def _measured(self, seed: int = 0) -> tuple[FloatArray, FloatArray]:
        logits = torch.tensor(self._logits(seed), dtype=torch.float32)
        values, probabilities = self.task().measure(logits, torch.tensor(self.labels()))
        assert values.dtype == probabilities.dtype == torch.float32
        return values.double().numpy(), probabilities.double().numpy()

    def test_labels_are_encoded(self) -> None:
        """Labels that are encoded stay the same, int64."""
        task, labels = self.task(), self.labels()
        encoded, names = task.encode(labels.copy())
        np.testing.assert_array_equal(encoded, labels)
        assert encoded.dtype == np.int64
        assert encoded.shape == (len(labels), *task.label_shape)
        assert len(names) == self.classes
        assert all(isinstance(name, str) for name in names)

    def test_units_of_all_examples_stand_in_order(self) -> None:
        """0..u-1 for all examples, those of an example together, the same from arrays and tensors, repeats included."""
        task, n = self.task(), len(self.labels())
        units = task.units(np.arange(n))
        np.testing.assert_array_equal(units, np.arange(task.count(n)))
        chosen = np.array([2, 0, 3, 0])
        np.testing.assert_array_equal(
            task.units(chosen), np.concatenate([task.units(chosen[i : i + 1]) for i in range(4)])
        )
        np.testing.assert_array_equal(task.units(torch.tensor(chosen)).numpy(), task.units(chosen))
        mask = np.arange(n) % 2 == 0
        np.testing.assert_array_equal(np.flatnonzero(task.unit_mask(mask)), task.units(np.flatnonzero(mask)))

    def test_every_unit_has_a_label(self) -> None:
        """An outcome, the same from an array and a tensor."""
        task, labels = self.task(), self.labels()
        given = task.unit_labels(labels)
        assert given.shape == (task.count(len(labels)),)
        assert given.min() >= 0
        assert given.max() < task.outcomes(self.classes)
        np.testing.assert_array_equal(task.unit_labels(torch.tensor(labels)).numpy(), given)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_measurements_belong_together(self, seed: int) -> None:
        """Probabilities of the outcomes, and columns that follow from them and the label."""
        task = self.task()
        values, probabilities = self._measured(seed)
        given = np.asarray(task.unit_labels(self.labels()))
        rows = np.arange(len(given))
        assert values.shape == (len(given), 7)
        assert probabilities.shape == (len(given), task.outcomes(self.classes))
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(values[:, CONFIDENCE], probabilities[rows, given], atol=1e-6)
        np.testing.assert_allclose(values[:, MAX_CONFIDENCE], probabilities.max(1), atol=1e-6)
        error = probabilities - np.eye(probabilities.shape[1])[given]
        np.testing.assert_allclose(values[:, EL2N], np.linalg.norm(error, axis=1), atol=1e-5)
        np.testing.assert_allclose(values[:, LOSS], -np.log(probabilities[rows, given]), atol=1e-5)
        np.testing.assert_array_equal(values[:, PREDICTED], probabilities.argmax(1))
        np.testing.assert_array_equal(values[:, CORRECT] > 0, values[:, PREDICTED] == given)
        np.testing.assert_array_equal(values[:, MARGIN] > 0, values[:, CORRECT] > 0)

    def test_an_outcome_is_what_is_measured(self) -> None:
        """Correct where the measurement is, with its probability."""
        values, _ = self._measured()
        correct, probability = self.task().outcome(self._logits(), self.labels())
        assert correct.dtype == np.bool_
        np.testing.assert_array_equal(correct, values[:, CORRECT] > 0)
        np.testing.assert_allclose(probability, values[:, CONFIDENCE], atol=1e-6)

    def test_the_loss_trains(self) -> None:
        """Steps against its gradient raise what is measured of the labels, and smoothing changes it."""
        task, labels = self.task(), torch.tensor(self.labels())
        logits = torch.tensor(self._logits(), dtype=torch.float32, requires_grad=True)
        loss = task.loss(logits, labels)
        assert loss.shape == ()
        (slope,) = torch.autograd.grad(loss, logits)
        before, after = (task.measure(part.detach(), labels)[0] for part in (logits, logits - 0.1 * slope))
        assert float(after[:, LOSS].mean()) < float(before[:, LOSS].mean())
        assert not torch.isclose(task.loss(logits, labels, 0.2), loss)

    def test_groups_are_of_units(self) -> None:
        """Whole numbers from 0, or none at all; units of a group have one label."""
        groups, given = self.task().groups(self.labels()), np.asarray(self.task().unit_labels(self.labels()))
        if groups is None:
            assert not self.task().feeds("densities")
            return
        assert groups.shape == given.shape
        assert groups.min() >= 0
        assert all(len(np.unique(given[groups == group])) == 1 for group in np.unique(groups))

    def test_scores_of_units_become_scores_of_examples(self) -> None:
        """One an example, from its own units alone; equal values stay, and higher ones never lower it."""
        task, n = self.task(), len(self.labels())
        values = np.random.default_rng(0).normal(size=task.count(n))
        whole = task.aggregate(values)
        assert whole.shape == (n,)
        np.testing.assert_allclose(task.aggregate(np.full(task.count(n), 0.25)), 0.25)
        raised = values.copy()
        raised[task.units(np.array([1]))] += 1.0
        moved = task.aggregate(raised)
        assert moved[1] > whole[1]
        np.testing.assert_array_equal(np.delete(moved, 1), np.delete(whole, 1))

    def test_tensors_stay_on_their_device(self) -> None:
        """Nothing waits for values: tensors without any will do."""
        task, labels = self.task(), torch.tensor(self.labels(), device="meta")
        logits = torch.empty(len(labels), self.classes, device="meta")
        units = task.units(torch.arange(len(labels), device="meta"))
        for tensor in (units, task.unit_labels(labels), task.loss(logits, labels), *task.measure(logits, labels)):
            assert tensor.device.type == "meta"
        assert len(units) == task.count(len(labels))

    def test_nothing_is_changed(self) -> None:
        """Arguments stay as they are, and equal ones give equal results."""
        logits, labels = torch.tensor(self._logits(), dtype=torch.float32), torch.tensor(self.labels())
        before = logits.clone(), labels.clone()
        first, second = (self.task().measure(logits, labels) for _ in range(2))
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
        assert torch.equal(logits, before[0])
        assert torch.equal(labels, before[1])
