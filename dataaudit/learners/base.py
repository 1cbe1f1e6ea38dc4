"""Learners: models and how they are trained, bound to a data set."""

from __future__ import annotations

import copy
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

import numpy as np

from dataaudit.common.types import IntArray
from dataaudit.data.examples import Examples
from dataaudit.data.kinds import is_tensor
from dataaudit.errors import ModelError, rows
from dataaudit.holdout.base import FitPredict, Outcome

if TYPE_CHECKING:
    from dataaudit.learners.layout import Layout

SMALLEST = sys.float_info.epsilon
"""Probability below which a logit is cut off, as scikit-learn's log_loss does."""


class BatchBuilder(Protocol):
    """Builder of a torch model's inputs from the rows of a data set; picklable."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Examples that may run through the model at a time in evaluation."""

    @property
    @abstractmethod
    def notes(self) -> list[str]:
        """Notes for a reader of the audit."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest of all that the inputs depend on beside the data set."""

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """Turn of the images; settled by `prepare`."""

    @abstractmethod
    def on(self, examples: Examples) -> BatchBuilder:
        """The same builder for another data set with inputs of the same kind."""

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
    """Part of `dataaudit.Recorder` that a learner calls while it trains."""

    @abstractmethod
    def update(self, indices: Any, logits: Any, labels: Any) -> None:
        """Record a batch."""

    @abstractmethod
    def end_epoch(self) -> None:
        """Close an epoch."""

    @abstractmethod
    def discard_epoch(self) -> None:
        """Forget the epoch that was interrupted."""


class Fitted(ABC):
    """A trained model."""

    @abstractmethod
    def logits(self, indices: IntArray, view: Any = None) -> Any:
        """Logits (log-probabilities up to a constant a row) of the rows `indices`, float [b, C].

        Rows are seen as `view`, one of the learner's `views`, shows them; as they are if it is None.
        """

    @abstractmethod
    def on(self, examples: Examples) -> Fitted:
        """The same model for the rows of another data set with inputs of the same shape."""


Watch: TypeAlias = Callable[[int, Fitted], None]
"""Called after an epoch with its number, from 1, and the model as it then is."""


class Learner(ABC):
    """A model and how it is trained, bound to one data set.

    What a learner can do beyond training and predicting has a default here, which says that it cannot.

    Laws
    ----
    - ``fit`` starts from the same state every time: the same (indices, seed) give the same result, and the
      caller's model object is never changed.
    - ``fit`` visits every row of `indices` once an epoch when it records.
    """

    examples: Examples
    """The data set."""
    readable: bool = False
    """True if its models are torch modules, whose layers can be read."""
    fresh: bool = False
    """True if a factory makes the model, which then cannot be a trained one."""
    comes_trained: bool = False
    """True if a training loop left the model: nothing trains it further, and it may be frozen."""
    reads_tokens: bool = False
    """True if the inputs are positions in a table of embeddings; settled by `check`."""
    staged: bool = False
    """True if epochs are stages of boosting."""
    ridge_alpha: float | None = None
    """Penalty of ridge regression on the inputs as they are; None for any other model."""

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Settings for the audit: model, recipe, device, precision, engine, notes. JSON values only."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest that two learners share which train alike, 32 hexadecimal digits; whatever the data set."""

    @abstractmethod
    def check(self, seed: int) -> None:
        """Raise `ModelError` unless the model fits the data set's inputs and classes; trains nothing."""

    @abstractmethod
    def untrained(self) -> Fitted:
        """The model as it was passed."""

    @abstractmethod
    def fit(
        self, indices: IntArray, seed: int, recorder: Recording | None, progress: bool, watch: Watch | None = None
    ) -> Fitted:
        """Train on the rows `indices`; report every epoch to `recorder` if there is one.

        `watch` sees the model after every epoch that ends while it trains, and changes nothing about the result.
        """

    @property
    def epochs(self) -> int:
        """Number of epochs that `fit` records; 0 for a learner without epochs."""
        return 0

    @property
    def evaluations(self) -> int:
        """Number of the last epochs of `fit` after which all rows are evaluated, as evidence of its own."""
        return 0

    @property
    def views(self) -> tuple[Any, ...]:
        """Looks of a row in each evaluation: None as it is, others as ``logits(rows, view)`` shows it."""
        return (None,)

    def unseen_view(self, seed: int) -> Any:
        """Look of rows that keep their labels and were not trained on: tells memorising; None where no view does."""
        return None

    @property
    def allows_missing(self) -> bool:
        """True if the model takes NaN as a missing value."""
        return False

    @property
    def work(self) -> int | None:
        """Numbers that training looks at for an example, roughly; None for a model of unknown cost."""
        return None

    def already_fits(self, seed: int) -> float | None:
        """Accuracy before the first step where it shows training on these data, otherwise None."""
        return None

    def from_scratch(self) -> Learner:
        """Learner whose `fit` starts from weights that may have seen the data only where the recipe says so."""
        return self

    def on(self, examples: Examples) -> Self:
        """The same learner, bound to another data set with inputs of the same kind and the same classes."""
        other = copy.copy(self)
        other.examples = examples
        return other

    def fit_predict(self) -> FitPredict:
        """Function that trains on some rows and predicts others, for holdout runs; picklable where model and data are.

        For learners whose every fit starts afresh; see `from_scratch`.
        """
        return LearnerFitPredict(self)


ROWS = 4096
"""Rows that are predicted at a time."""


def outcome_of(examples: Examples, indices: IntArray, outputs: Any) -> Outcome:
    """Outcome of the rows `indices` from a model's outputs [b, C]; a `ModelError` if logits are NaN or infinite."""
    logits = np.asarray(outputs.cpu() if is_tensor(outputs) else outputs, np.float64)
    bad = ~np.isfinite(logits).all(axis=1)
    if bad.any():
        raise ModelError(
            f"NaN or infinite logits in {rows(examples.original(indices[bad]))}",
            "finite ones",
            "lower the recipe's learning_rate",
        )
    right, share = examples.task.outcome(logits, examples.labels[indices])
    return Outcome(right, share.astype(np.float32))


@dataclass(frozen=True)
class LearnerFitPredict:
    """A `FitPredict` of any learner: one fit a run."""

    learner: Learner

    def __call__(self, train: IntArray, held_out: IntArray, seed: int) -> Outcome:
        """Train and predict as `FitPredict`."""
        fitted, examples = self.learner.fit(train, seed, None, False), self.learner.examples
        blocks = [held_out[start : start + ROWS] for start in range(0, len(held_out), ROWS)]
        parts = [outcome_of(examples, block, fitted.logits(block)) for block in blocks]
        return Outcome(*(np.concatenate(values) for values in zip(*parts, strict=True)))
