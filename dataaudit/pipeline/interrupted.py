"""Ctrl-C in the middle of a call, and what can be kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataaudit.common.guest import visiting
from dataaudit.errors import DataError

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training; what was recorded so far can be kept.

    Parameters
    ----------
    epochs
        Number of complete epochs before the interruption.
    keep
        Makes the audit of what is complete, or None when nothing is.
    runs
        Number of complete holdout runs.
    """

    def __init__(self, epochs: int, keep: Any = None, runs: int = 0) -> None:
        counts = [f"{epochs} complete epochs"] if epochs else []
        counts += [f"{runs} complete holdout runs"] if runs else []
        when = f"interrupted after {' and '.join(counts)}" if counts else "interrupted"
        super().__init__(f"{when}; {'nothing was complete' if keep is None else '.audit() keeps what was complete'}")
        self.epochs = epochs
        self.runs = runs
        self._keep = keep

    def audit(self) -> Audit:
        """Audit of the complete epochs, and of all else that was complete.

        Raises
        ------
        DataError
            If no epoch was complete.
        """
        if self._keep is None:
            raise DataError(
                "an interruption before the first epoch was complete",
                "at least one complete epoch or holdout run to score",
                "run score again and let one finish",
            )
        with visiting():
            audit: Audit = self._keep()
        return audit
