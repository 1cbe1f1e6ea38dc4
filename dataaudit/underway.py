"""What a call has found so far: complete parts of the evidence, for the audit that Ctrl-C leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataaudit.agreement import measured
from dataaudit.evaluations import Evaluations, spent

if TYPE_CHECKING:
    from dataaudit.crowds import Crowds
    from dataaudit.dynamics.recorder import Recorder
    from dataaudit.dynamics.summary import Predictions


@dataclass
class Underway:
    """What `dataaudit.evidence.collect` has begun and found.

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
    further
        What further training runs cost, in passes.
    heldout, left_out, ways
        As in `dataaudit.evidence.Evidence`.
    """

    trains: bool = False
    evaluating: Evaluations | None = None
    looks: int = 0
    further: float = 0.0
    crowds: Crowds | None = None
    heldout: Predictions | None = None
    left_out: Predictions | None = None
    ways: dict[str, str] = field(default_factory=dict)

    def epochs(self, recorder: Recorder) -> int:
        """Complete epochs of training, recorded or looked at."""
        return max(recorder.epochs, 0 if self.evaluating is None else self.evaluating.epochs)

    def passes(self, epochs: int) -> float | None:
        """What `epochs` of training and the evaluations cost; None where no torch module is trained."""
        if not self.trains:
            return None
        return self.further + spent(epochs, self.looks if self.evaluating is None else self.evaluating.passes)

    def parts(self, recorder: Recorder, recorded: bool) -> dict[str, Any]:
        """Everything that is complete, as `dataaudit.evidence.Evidence` takes it.

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
        return {
            **found,
            "dynamics": dynamics,
            "predictions": predictions,
            "heldout": self.heldout,
            "left_out": self.left_out,
            "evaluations": None if self.evaluating is None else self.evaluating.so_far(),
            "agreement": measured(recorder.labels, dynamics, predictions, self.heldout, None),
            "passes": self.passes(self.epochs(recorder)),
            "ways": self.ways,
        }
