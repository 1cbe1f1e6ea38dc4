"""What a call has found so far: complete parts of the evidence, for the audit that Ctrl-C leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataaudit.evidence.agreement import measured
from dataaudit.pipeline.evaluations import Evaluations, spent
from dataaudit.pipeline.repeats import Shown

if TYPE_CHECKING:
    from dataaudit.dynamics.recorder import Recorder
    from dataaudit.dynamics.summary import Predictions
    from dataaudit.pipeline.spaces import SpaceCollector


@dataclass
class Underway:
    """What `dataaudit.evidence.base.collect` has begun and found.

    Attributes
    ----------
    trains
        Whether a torch module is trained on all rows by this call.
    evaluating
        Evaluation passes, where there are any.
    looks
        Complete passes of evaluation where `evaluating` is None.
    crowds
        Densities and neighbours.
    runs
        What further training runs show that are complete.
    augmented, looked
        Share of the labels that the trained model gives to views that it was not trained on, where there are any; and
        whether that was looked at.
    heldout, left_out, ways
        As in `dataaudit.evidence.base.Evidence`.
    """

    trains: bool = False
    evaluating: Evaluations | None = None
    looks: int = 0
    runs: list[Shown] = field(default_factory=list)
    crowds: SpaceCollector | None = None
    augmented: float | None = None
    looked: bool = False
    heldout: Predictions | None = None
    left_out: Predictions | None = None
    ways: dict[str, str] = field(default_factory=dict)

    def epochs(self, recorder: Recorder) -> int:
        """Complete epochs of the first training run, recorded or looked at."""
        return max(recorder.epochs, 0 if self.evaluating is None else self.evaluating.epochs)

    def passes(self, epochs: int) -> float | None:
        """What `epochs` of training, the evaluations and further runs cost; None where no torch module is trained."""
        if not self.trains:
            return None
        looks = self.looks if self.evaluating is None else self.evaluating.passes
        return spent(epochs, looks) + sum(run.passes for run in self.runs)

    def parts(self, recorder: Recorder, recorded: bool) -> dict[str, Any]:
        """Everything that is complete, as `dataaudit.evidence.base.Evidence` takes it.

        Parameters
        ----------
        recorder
            Holds dynamics and final predictions.
        recorded
            Whether it is the caller's own; else predictions of some rows are a pass that was interrupted.
        """
        dynamics, predictions = recorder.dynamics(), recorder.predictions()
        if predictions is not None and not recorded and (predictions.predicted < 0).any():
            predictions = None
        found: dict[str, Any] = {}
        if self.crowds is not None:
            found = {name: getattr(self.crowds, name) for name in ("densities", "neighbours", "around")}
        evaluations = None if self.evaluating is None else self.evaluating.partial_audit()
        if self.runs:
            run = Shown(dynamics, evaluations, found.get("around")).with_(self.runs, recorder.labels)
            dynamics, evaluations = (None if dynamics is None else run.dynamics), run.evaluations
            found["around"] = run.around
        return {
            **found,
            "dynamics": dynamics,
            "predictions": predictions,
            "heldout": self.heldout,
            "left_out": self.left_out,
            "evaluations": evaluations,
            "agreement": measured(
                recorder.labels, dynamics, predictions, self.heldout, self.augmented, complete=recorded or self.looked
            ),
            "passes": self.passes(self.epochs(recorder)),
            "ways": self.ways,
        }
