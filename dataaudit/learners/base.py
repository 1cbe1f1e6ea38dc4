"""What trains: the protocol that torch and scikit-learn learners keep."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from dataaudit.common.types import IntArray

if TYPE_CHECKING:
    from dataaudit.data.examples import Examples
    from dataaudit.learners.layout import Layout

SMALLEST = sys.float_info.epsilon
"""Probability below which a logit is cut off, as scikit-learn's log_loss does."""


class BatchBuilder(Protocol):
    """How the rows of a data set become what a torch model takes; picklable."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Examples that may run through the model at a time in evaluation."""

    @property
    @abstractmethod
    def notes(self) -> list[str]:
        """What a reader of the audit should know."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest of what the inputs depend on beside the data set."""

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """How images are turned; settled by `prepare`."""

    @abstractmethod
    def on(self, examples: Examples) -> BatchBuilder:
        """The same way for the rows of another data set with inputs of the same kind."""

    @abstractmethod
    def prepare(self) -> None:
        """Look at the data set once, before any training."""

    @abstractmethod
    def attach(self, module: Any) -> None:
        """Have a copy of the model take one tensor of `batch` and return its logits."""

    @abstractmethod
    def batch(self, indices: IntArray) -> Any:
        """Inputs of the rows `indices`: one tensor [b, ...], on the CPU."""


class Recording(Protocol):
    """The part of `dataaudit.Recorder` that a learner talks to while it trains."""

    @abstractmethod
    def update(self, indices: Any, logits: Any, labels: Any) -> None:
        """Record a batch."""

    @abstractmethod
    def end_epoch(self) -> None:
        """Close an epoch."""

    @abstractmethod
    def discard_epoch(self) -> None:
        """Forget the epoch that was interrupted."""


class Fitted(Protocol):
    """A trained model."""

    @abstractmethod
    def logits(self, indices: IntArray) -> Any:
        """Logits (log-probabilities up to a constant a row) of the rows `indices`, float [b, C]."""


Watch: TypeAlias = Callable[[int, Fitted], None]
"""Called after an epoch with its number, from 1, and the model as it then is."""


class Learner(Protocol):
    """A model with its way of training, bound to one data set.

    Laws
    ----
    - ``fit`` starts from the same state every time: the same (indices, seed) give the same result, and the
      caller's model object is never changed.
    - ``fit`` visits every row of `indices` once an epoch when it records.
    """

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What goes into the audit's settings: model, recipe, device, precision, notes. JSON values only."""

    @property
    @abstractmethod
    def epochs(self) -> int:
        """Number of epochs that `fit` records; 0 for a learner without epochs."""

    @property
    @abstractmethod
    def evaluations(self) -> int:
        """After how many of the last epochs of `fit` all rows are evaluated, as evidence of its own; 0 for none."""

    @property
    @abstractmethod
    def views(self) -> tuple[Any, ...]:
        """How rows look in each of these: None as they are, others as ``logits(rows, view)`` shows them."""

    @abstractmethod
    def unseen_view(self, seed: int) -> Any:
        """How rows look that keep their labels and were not trained on: tells memorising; None where no view does."""

    @property
    @abstractmethod
    def allows_missing(self) -> bool:
        """Whether the model takes NaN as a missing value."""

    @abstractmethod
    def check(self, seed: int) -> None:
        """Raise `ModelError` unless the model fits the data set's inputs and classes; trains nothing."""

    @abstractmethod
    def already_fits(self, seed: int) -> float | None:
        """Accuracy before the first step where it shows training on these data, otherwise None."""

    @abstractmethod
    def from_scratch(self) -> Learner:
        """Learner whose `fit` never starts from weights that may have seen the data, unless they were asked for."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest that two learners share which train alike, 32 hexadecimal digits; whatever the data set."""

    @abstractmethod
    def untrained(self) -> Fitted:
        """The model as it was passed."""

    @abstractmethod
    def fit(
        self,
        indices: IntArray,
        seed: int,
        recorder: Recording | None,
        progress: bool,
        watch: Watch | None = None,
    ) -> Fitted:
        """Train on the rows `indices`; report every epoch to `recorder` if there is one.

        `watch` sees the model after every epoch that ends while it trains, and changes nothing about the result.
        """
