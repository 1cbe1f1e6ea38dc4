"""Ctrl-C in the middle of a call, and what can be kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataaudit.common.guest import visiting
from dataaudit.errors import DataError

if TYPE_CHECKING:
    from dataaudit.audit.base import Audit


def broken_off(epochs: int, runs: int) -> str:
    """After how many complete epochs and holdout runs a call was interrupted, in words."""
    counts = [f"{epochs} complete epochs"] if epochs else []
    counts += [f"{runs} complete holdout runs"] if runs else []
    return f"interrupted after {' and '.join(counts)}" if counts else "interrupted"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of a call; what was complete can be kept.

    Parameters
    ----------
    epochs
        Number of complete epochs before the interruption.
    keep
        Makes the audit of what is complete, or None when nothing is.
    runs
        Number of complete holdout runs.

    Examples
    --------
    >>> import dataaudit
    >>> try:
    ...     audit = dataaudit.score(None, ([[0.0], [0.1], [1.0], [1.1]], list("aabb")), "parzen/input", progress=False)
    ... except dataaudit.Interrupted as stopped:
    ...     audit = stopped.audit()
    >>> len(audit)
    4
    """

    def __init__(self, epochs: int, keep: Any = None, runs: int = 0) -> None:
        kept = "nothing was complete" if keep is None else ".audit() keeps what was complete"
        super().__init__(f"{broken_off(epochs, runs)}; {kept}")
        self.epochs = epochs
        self.runs = runs
        self._keep = keep

    def audit(self) -> Audit:
        """Audit of the complete epochs, and of all else that was complete.

        Raises
        ------
        DataError
            If nothing was.
        """
        if self._keep is None:
            raise DataError(
                "an interruption before the first epoch was complete, or anything else to score",
                "at least one complete epoch or holdout run",
                "run score again and let one finish",
            )
        with visiting():
            audit: Audit = self._keep()
        return audit
