"""The C-score of a nearest-neighbour learner, in closed form from one neighbour graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.errors import SettingError
from dataaudit.evidence.base import Evidence
from dataaudit.neighbours.graph import NeighbourNeed, Neighbours
from dataaudit.neighbours.subsets import default_depth, tail_of
from dataaudit.representations.spaces import SPACES, Space
from dataaudit.scores.base import Scores
from dataaudit.scores.epochs import at_epochs, checked_epochs

INCLUSIONS = ("bernoulli", "fixed")

MOST_VOTES = 25
"""The cost for many classes grows with the fifth power of the votes where examples beyond the depth have one."""


@dataclass(frozen=True)
class NeighbourCScore:
    """Expected accuracy on an example of the K-nearest-neighbour learner trained on random subsets without it.

    The C-score (Jiang, Zhang, Talwar, Mozer 2021, equation 2) of that learner, exactly: nothing is trained or sampled.
    With m_r = 1 if the r-th nearest other example has the label, and each example kept with probability s, it is for
    K = 1::

        sum_r s (1-s)^(r-1) m_r          the integral over s:  sum_r m_r / (r (r+1))

    given that the subset is not empty. For K > 1 the plurality of the K nearest counts; tied votes as 1 / number of
    tied classes; fewer than K in a subset all vote. Equal distances are in random order.

    What lies beyond the depth counts by the shares of classes there, which are known; the audit's settings record
    `tail`, the probability that such an example votes: no score is off by more. For K = 1 and the integral it is
    1 / (depth + 1).

    Parameters
    ----------
    representation
        "input" or "hidden" (input of the last linear layer).
    k
        Neighbours that vote, at most 25; benchmarks/holdout/closed_form.py measures what they cost.
    ratio
        Subset ratio between 0 and 1, a list of them (the score is the mean), or "integral" over all.
    inclusion
        "bernoulli" (each other example is kept with probability `ratio`) or "fixed" (`ratio` times n are drawn,
        rounded).
    depth
        Neighbours that are searched; if None, as many as leave .01 % of the votes beyond, at most 100 for k = 1 and
        200 otherwise.
    layer
        Name of the module whose input is the hidden representation; the last linear layer if None.
    epochs
        Epochs, from 1, after which the representation is taken; the score is the mean over them. The end of
        training if None.
    name
        Column name; score and representation, with the options that are not the default, if None.

    Raises
    ------
    SettingError
        If an option is not as described.

    Examples
    --------
    >>> NeighbourCScore("hidden", k=5, ratio=0.3, epochs=[1, 3]).name
    'knn_c_score/hidden@1,3 k=5 ratio=0.3'
    """

    representation: str
    k: int = 1
    ratio: float | Sequence[float] | str = "integral"
    inclusion: str = "bernoulli"
    depth: int | None = None
    layer: str | None = None
    epochs: Sequence[int] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        checks.whole("k", self.k, 1, "pass k=1", most=MOST_VOTES, expected=f"a whole number from 1 to {MOST_VOTES}")
        checks.choice(f"inclusion {self.inclusion!r}", self.inclusion, INCLUSIONS, "a known one")
        object.__setattr__(self, "ratio", _checked(self.ratio))
        object.__setattr__(self, "epochs", checked_epochs(self.epochs))
        object.__setattr__(self, "name", self.name or self._automatic_name())
        self._ordered()

    def _automatic_name(self) -> str:
        parts = [at_epochs(f"knn_c_score/{self.representation}", self.epochs)]
        if self.k != 1:
            parts.append(f"k={self.k}")
        if self.ratio != "integral":
            parts.append("ratio=" + ",".join(map(str, np.atleast_1d(self.ratio).tolist())))
        if self.inclusion != "bernoulli":
            parts.append(f"inclusion={self.inclusion}")
        if self.depth is not None:
            parts.append(f"depth={self.depth}")
        if self.layer is not None:
            parts.append(f"layer={self.layer}")
        return " ".join(parts)

    def _ordered(self) -> list[NeighbourNeed]:
        depth = default_depth(self.k, self.ratio) if self.depth is None else self.depth
        return [
            NeighbourNeed(Space(self.representation, self.layer, epoch), depth)
            for epoch in (self.epochs if self.epochs is not None else (None,))
        ]

    @property
    def summary(self) -> str:
        """One line."""
        voters = "nearest neighbour" if self.k == 1 else f"vote of {self.k} nearest neighbours"
        return f"accuracy of the {voters} in random subsets, in closed form; {SPACES[self.representation].summary}"

    @property
    def needs(self) -> frozenset[NeighbourNeed]:
        """Neighbours, once a chosen epoch."""
        return frozenset(self._ordered())

    def described(self, graph: Neighbours) -> dict[str, Any]:
        """Settings that an audit records beside the graph; JSON values."""
        n = len(graph.indices)
        ratio = list(self.ratio) if isinstance(self.ratio, tuple) else self.ratio
        tail, votes = tail_of(n - 1, graph.depth, self.k, self.ratio, self.inclusion)
        return {"k": int(self.k), "ratio": ratio, "inclusion": self.inclusion, "tail": tail, "votes_beyond": votes}

    def score(self, evidence: Evidence) -> Scores:
        """Values [n] between 0 and 1, the mean over the chosen epochs."""
        from dataaudit.neighbours.closed_form import c_scores

        values = [
            c_scores(evidence.neighbours[need], evidence.labels, int(self.k), self.ratio, self.inclusion)
            for need in self._ordered()
        ]
        return Scores(np.mean(values, axis=0))


def _checked(ratio: Any) -> float | tuple[float, ...] | str:
    """A ratio as a float, several as a tuple."""
    if isinstance(ratio, str) and ratio == "integral":
        return ratio
    try:
        ratios = np.asarray(ratio, np.float64)
    except (TypeError, ValueError):
        ratios = np.array([])
    inside = ratios.size and ratios.ndim <= 1 and bool(((ratios > 0) & (ratios < 1)).all())
    if isinstance(ratio, (str, bool)) or not inside:
        raise SettingError(
            f"ratio={ratio!r}", "a number between 0 and 1, a list of them, or 'integral'", "pass ratio='integral'"
        )
    return tuple(ratios.tolist()) if ratios.ndim else float(ratios)


BUILT_IN = {f"knn_c_score/{space}": NeighbourCScore(space) for space, kind in SPACES.items() if kind.searchable}


def __getattr__(name: str) -> NeighbourCScore:
    if name in BUILT_IN:
        return BUILT_IN[name]
    raise AttributeError(name)
