"""Evidence that scorers read, each part computed once however many scorers need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dataaudit.common.probabilities import Averaged, CombinedProbabilities, ProbabilityBlocks
from dataaudit.common.types import IntArray
from dataaudit.density.sums import DensityNeed, DensitySums
from dataaudit.evidence.agreement import Agreement
from dataaudit.evidence.trained import TrainedModel
from dataaudit.neighbours.graph import NeighbourNeed, Neighbours
from dataaudit.neighbours.labels import NeighbourLabelsNeed

if TYPE_CHECKING:
    from dataaudit.dynamics.summary import Dynamics, Predictions
    from dataaudit.holdout.summary import HoldoutScores
    from dataaudit.neighbours.labels import NeighbourLabels

LEFT_OUT, BROUGHT = "ridge regression, each left out", "brought along"
STAGES, EPOCHS = "boosting stages", "epochs"
SAME = "each the same"
"""Methods of sources, in `Evidence.methods`."""


class Need(StrEnum):
    """A part of the evidence that a scorer asks for."""

    DYNAMICS = "dynamics"
    """Training dynamics: one training run."""
    PREDICTIONS = "predictions"
    """One evaluation pass of the trained model."""
    EVALUATIONS = "evaluations"
    """Evaluation passes after the last epochs of a training run, of examples as they are and mirrored."""
    CROSS_VALIDATION = "heldout"
    """Predictions of models that did not train on the example: three folds, or leave-one-out in closed form."""
    RIDGE_LOO = "left_out"
    """Predictions of ridge regression on the inputs, each example's from all the others, beside a model's."""
    CONSENSUS = "combined"
    """Probabilities of the classes by all that says something: dynamics, held-out predictions, neighbours."""
    SUBSET_RUNS = "holdout"
    """Runs on random subsets of one ratio."""
    SUBSET_RUNS_INTEGRAL = "holdout_integral"
    """Runs on random subsets of several ratios."""


SPACE_NEEDS = (DensityNeed, NeighbourNeed, NeighbourLabelsNeed)
"""Needs that lie in a representation."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the scorers of one call need; parts that none needs are None.

    Attributes
    ----------
    labels
        Given labels, int64 [n].
    class_names
        Names of the classes [C].
    dynamics, predictions, heldout
        See `dataaudit.dynamics.summary`.
    evaluations
        Means over the evaluation passes of the last epochs, where the recipe makes any; see `Dynamics`.
    agreement
        How many labels the model agrees with, trained on them and not.
    passes
        What the training run of a torch model on all rows cost: 1 a training pass, a third an evaluation.
    others
        Evidence of further kinds, by what was requested.
    densities, neighbours
        Kernel sums and neighbour graphs by need.
    left_out
        Predictions of ridge regression on the inputs, beside a model that is none.
    holdout, holdout_integral
        Estimates from holdout runs of one subset ratio, and averaged over several.
    neighbour_labels
        Labels of the nearest neighbours.
    combined
        Probabilities of the classes by all sources together.
    model
        What was trained on all rows, or can be, for rows not seen; no scorer reads it.
    methods
        How sources came about, by name: "dynamics", "heldout", "ridge"; JSON values. "repeats" where further training
        runs were no others.
    """

    labels: IntArray
    class_names: tuple[str, ...]
    dynamics: Dynamics | None = None
    predictions: Predictions | None = None
    heldout: Predictions | None = None
    left_out: Predictions | None = None
    densities: Mapping[DensityNeed, DensitySums] = field(default_factory=dict)
    neighbours: Mapping[NeighbourNeed, Neighbours] = field(default_factory=dict)
    holdout: HoldoutScores | None = None
    holdout_integral: HoldoutScores | None = None
    neighbour_labels: NeighbourLabels | None = None
    combined: CombinedProbabilities | None = None
    model: TrainedModel | None = None
    methods: Mapping[str, str] = field(default_factory=dict)
    evaluations: Dynamics | None = None
    agreement: Agreement | None = None
    passes: float | None = None
    others: Mapping[Any, Any] = field(default_factory=dict)

    @property
    def run(self) -> ProbabilityBlocks | None:
        """Probabilities of the classes by the training run: every pass by what it says, whatever kind it is of."""
        parts = [part for part in (self.dynamics, self.evaluations) if part is not None]
        if not parts:
            return None
        weights = tuple(float((part.epoch_weights**2).sum()) for part in parts)
        if not any(weights):
            weights = tuple(float(part.epochs) for part in parts)
        return Averaged(tuple(part.informed for part in parts), weights)

    def has(self, need: Any) -> bool:
        """True if that part is there."""
        part = getattr(self, field_of(need))
        return need in part if isinstance(part, Mapping) else part is not None


def field_of(need: Any) -> str:
    """Field of `Evidence` that holds what is needed."""
    if isinstance(need, NeighbourLabelsNeed):
        return "neighbour_labels"
    if isinstance(need, NeighbourNeed):
        return "neighbours"
    if isinstance(need, DensityNeed):
        return "densities"
    return need.value if isinstance(need, Need) else "others"
