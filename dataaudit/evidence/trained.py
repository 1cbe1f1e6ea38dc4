"""The model of an audit, kept for rows that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataaudit.common.types import AnyArray
from dataaudit.representations.learned import stays

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.learners.base import Fitted, Learner


class TrainedModel:
    """Model that was trained on all rows of a data set, or can be.

    Parameters
    ----------
    learner
        What trains.
    seed
        Of the audit.
    fitted
        The trained model; None where the audit trained none on all rows.
    as_passed
        Whether the model as it was passed is the trained one.
    hidden
        Its hidden representation of these rows, float32 [n, d], where the audit has computed it.
    """

    def __init__(
        self, learner: Learner, seed: int, fitted: Fitted | None, as_passed: bool, hidden: AnyArray | None = None
    ) -> None:
        self._learner, self._seed = learner, seed
        self._fitted, self._as_passed = fitted, as_passed
        self._hidden: AnyArray | None = None
        self.keep_hidden(hidden)

    def __getstate__(self) -> dict[str, Any]:
        """State for another process, which computes the hidden representation again."""
        return {**self.__dict__, "_hidden": None}

    @property
    def hidden(self) -> AnyArray | None:
        """Hidden representation of the audited rows, float32 [n, d], where it was kept; nobody writes to it."""
        return self._hidden

    def keep_hidden(self, rows: AnyArray | None) -> None:
        """Keep the hidden representation of the audited rows, unless it takes too much room or lies on disk."""
        if rows is not None and stays(rows):
            self._hidden = rows

    @property
    def described(self) -> str:
        """Name of the model."""
        return str(self._learner.description["model"])

    @property
    def allows_missing(self) -> bool:
        """True if inputs may hold NaN."""
        return self._learner.allows_missing

    @property
    def readable(self) -> bool:
        """True if it has layers that can be read."""
        return self._learner.readable

    @property
    def at_hand(self) -> bool:
        """True if it was trained on all rows already, or came trained."""
        return self._fitted is not None or self._as_passed

    def fitted(self, progress: bool = False) -> Fitted:
        """The model; trained on all rows, once, where the audit has trained it in folds only."""
        if self._fitted is None and self._as_passed:
            self._fitted = self._learner.untrained()
        elif self._fitted is None:
            rows = np.arange(len(self._learner.examples), dtype=np.int64)
            self._fitted = self._learner.fit(rows, self._seed, None, progress)
        return self._fitted

    def on(self, examples: Examples, progress: bool = False) -> Fitted:
        """The model for the rows of other examples, whose inputs have the same shape."""
        return self.fitted(progress).on(examples)
