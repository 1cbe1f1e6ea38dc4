"""What an item of the paper comes to: rows, a figure, values beside the published ones, laws and a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Verdict = Literal["holds", "does not hold", "cannot be told here"]


class NotMade(Exception):
    """An item that these data cannot give; its message is the one sentence that says why."""


@dataclass(frozen=True)
class Compared:
    """One of our values beside the published one, if there is one."""

    what: str
    ours: float
    published: float | None = None
    within: float | None = None
    """Largest difference that counts as reproduced; None where data, network or runs are not the paper's."""

    @property
    def reproduced(self) -> bool:
        """False only where a limit was set and is passed."""
        return self.within is None or self.published is None or abs(self.ours - self.published) <= self.within


@dataclass(frozen=True)
class Law:
    """A claim of the paper, tested: a number whose sign decides, with its interval."""

    claim: str
    verdict: Verdict
    measured: str
    """What the number is."""
    value: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    why: str = ""
    """Why it cannot be told, or what limits the verdict."""

    @classmethod
    def above(cls, claim: str, measured: str, interval: tuple[float, float, float], why: str = "") -> Law:
        """Law that holds where the whole 95 % interval (value, lower, upper) lies above 0."""
        value, lower, upper = interval
        verdict: Verdict = "holds" if lower > 0 else "does not hold" if upper < 0 else "cannot be told here"
        return cls(claim, verdict, measured, value, lower, upper, why)

    @classmethod
    def untold(cls, claim: str, why: str) -> Law:
        """Law that these data cannot test."""
        return cls(claim, "cannot be told here", "", why=why)


@dataclass
class Result:
    """An item on one data set."""

    item: str
    data: str
    sentence: str
    rows: Sequence[dict[str, Any]] = ()
    draw: Callable[[Path], None] | None = None
    """Writes the figure to a path."""
    compared: Sequence[Compared] = ()
    laws: Sequence[Law] = ()
    made: bool = True
    seconds: float = 0.0
    """Processor seconds, of child processes too."""
    files: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, without rows and drawing, which have files of their own."""
        return {
            "item": self.item,
            "data": self.data,
            "sentence": self.sentence,
            "made": self.made,
            "seconds": round(self.seconds, 1),
            "files": self.files,
            "compared": [asdict(one) for one in self.compared],
            "laws": [asdict(law) for law in self.laws],
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Result:
        """Read what `to_dict` gave."""
        parts = {"compared": [Compared(**one) for one in fields["compared"]]}
        return cls(**(fields | parts | {"laws": [Law(**law) for law in fields["laws"]]}))
