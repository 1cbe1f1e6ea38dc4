"""How many label errors are left after a review, and when it is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common.types import FloatArray


@dataclass(frozen=True)
class Remaining:
    """Label errors that are left in a data set once the decisions about it are applied.

    Attributes
    ----------
    examples
        Number of rows that were audited and have a label.
    looked, drawn, skipped
        Rows that were decided; draws of the queue among its places so far; rows among these left unsure or blank, which
        count as wrong in `at_most`.
    found
        Errors among the rows that were decided: to be labelled anew or removed.
    left
        Estimated number of errors that are left.
    at_most
        Largest number of errors left, with 95 % confidence whenever the reviewer stops.
    looks, next_found
        Further looks, at the likeliest errors, and how many they are expected to find.
    until, enough
        Share of errors that may stay, and whether no more than that are left with that confidence.
    further
        Further looks, every other one drawn at random, after which it will be enough if all goes as expected: 0 where
        it is, None where more than 1600 are needed, or nothing was drawn yet.
    """

    examples: int
    looked: int
    drawn: int
    skipped: int
    found: int
    left: float
    at_most: int
    looks: int
    next_found: float
    until: float
    enough: bool
    further: int | None

    def __repr__(self) -> str:
        share = self.at_most / self.examples
        lines = [f"{self.looked} of {self.examples} labels were judged, and {self.found} found wrong"]
        if self.drawn:
            lines.append(f"at most {self.at_most} errors ({share:.2%}) are left, with 95 % confidence; estimated: ")
            lines[-1] += f"{self.left:.0f}"
            if not self.enough:
                lines.append(f"that is an upper bound and no count: {self.looked} looks cannot rule out so many")
                lines.append("more looks narrow it, by rows drawn at random: purpose 'estimate' draws all of its rows")
        else:
            lines.append("how many are left is not known: none of these rows was drawn at random")
        if self.skipped:
            lines.append(f"{self.skipped} rows of the queue were skipped or are unsure, and count as wrong")
        lines.append(f"the next {self.looks} looks at the likeliest errors would find about {self.next_found:.0f}")
        goal = f"at most {self.until:.2%} of the labels wrong"
        if self.enough:
            lines.append(f"that is enough for {goal}")
        elif self.further:
            lines.append(f"about {self.further} more looks, every other one drawn, are needed for {goal}")
        else:
            more = (
                "more than 1600 looks" if self.drawn else "look at a queue of `review`, which draws some rows at random"
            )
            lines.append(f"not enough yet for {goal}: {more}")
        return "\n".join(lines)


def remaining(record: Mapping[str, Any], examples: int, probability: FloatArray, until: float, looks: int) -> Remaining:
    """What is left by the `record` of a review and the probabilities [n] it led to, 0 or 1 of the rows decided."""
    found = int(record["wrong"])
    at_most = max(int(record["upper"]) - found, 0)
    undecided = np.sort(probability[(probability > 0) & (probability < 1)])
    enough = at_most <= until * examples
    ahead = [[0, at_most], *record["ahead"]]
    return Remaining(
        examples=examples,
        looked=int(record["looked"]),
        drawn=int(record["drawn"]),
        skipped=int(record["skipped"]),
        found=found,
        left=max(float(record["estimate"]) - found, 0.0),
        at_most=at_most,
        looks=looks,
        next_found=float(undecided[len(undecided) - min(looks, len(undecided)) :].sum()),
        until=until,
        enough=enough,
        further=next((int(number) for number, left in ahead if left <= until * examples), None),
    )
