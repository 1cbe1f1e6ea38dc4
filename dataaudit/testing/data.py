"""Laws of data sets."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from dataaudit.data.examples import Examples
from dataaudit.data.inspection import inspect
from dataaudit.data.kinds import is_table


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
        for position, row in enumerate(order):
            alone = examples.read(np.array([row]))
            if is_table(together):
                assert together.iloc[[position]].reset_index(drop=True).equals(alone.reset_index(drop=True))
            else:
                np.testing.assert_array_equal(together[position], alone[0])

    def test_it_can_be_inspected_twice(self) -> None:
        """With the same fingerprint."""
        assert inspect(self.examples()).fingerprint == inspect(self.examples()).fingerprint

    def test_a_row_can_be_shown(self) -> None:
        """For human eyes."""
        assert self.examples().show(0) is not None
