"""Weights that stay the same through training: drop, trust less, balance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataaudit.common.types import FloatArray
from dataaudit.curriculum.base import ScoredExamples, Strategy, check_share, needed_probability, needed_rate, weighed
from dataaudit.curriculum.sampling import scaled
from dataaudit.errors import DataError


@dataclass(frozen=True)
class DropLeastRegular:
    """Leave out a share of the examples, the least regular ones.

    Parameters
    ----------
    share
        Of the examples that have a score, at least 0 and below 1; None for the audit's estimate of wrong labels. At
        least one example stays.

    Raises
    ------
    SettingError
        If `share` is not as described.

    Notes
    -----
    Pruning by a score. Label errors are among the least regular examples, but so are rare and hard ones: where data
    are few and clean, leaving these out hurts most (Sorscher, Geirhos, Shekhar, Ganguli and Morcos, *Beyond neural
    scaling laws*, NeurIPS 2022).
    """

    share: float | None = 0.1
    name = "drop_least_regular"
    summary = "without the least regular share of the examples"

    def __post_init__(self) -> None:
        if self.share is not None:
            check_share("DropLeastRegular", "share", self.share, zero=True, one=False)

    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example: 0 for those dropped, 1 for the others; never falls with the score."""
        share = needed_rate(self.name, examples) if self.share is None else self.share
        order = examples.easiest_first()
        weight = np.full(len(examples), np.nan)
        weight[order] = 1.0
        weight[order[max(1, len(order) - round(share * len(order))) :]] = 0.0
        return weight


@dataclass(frozen=True)
class DownweightSuspects:
    """Weigh every example by the probability that its label is right: 1 - `Audit.error_probability`.

    Notes
    -----
    The expected loss over the clean examples, where the probabilities are right: importance reweighting after Liu and
    Tao, *Classification with noisy labels by importance reweighting* (TPAMI 2016), with the audit's posterior.
    """

    name = "suspects"
    summary = "every example by the probability that its label is right"

    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example, 0 to 1; never rises with its probability of error."""
        return 1.0 - needed_probability(self.name, examples)


@dataclass(frozen=True)
class Balanced:
    """Give each class that has examples the same total weight.

    Parameters
    ----------
    inner
        Strategy, by name or instance, that weighs the examples within each class, which then knows no others: a
        curriculum takes the easiest of each class. None weighs them alike.

    Raises
    ------
    SettingError
        If `inner` is no strategy.

    Notes
    -----
    Weights by the inverse frequency of the class (King and Zeng, *Logistic regression in rare events data*, Political
    Analysis 2001). Classes weigh the same over the examples that `inner` knows something of. The others are NaN, a
    whole class of them as well, and what becomes of them is said by ``unscored=`` of `Audit.weights`, as for any
    strategy: with "mean" they weigh what the known ones of all classes do on average, on top of the total of their
    class; with "drop" the classes of which something is known stay balanced.
    """

    inner: str | Strategy | None = None
    name = "balanced"
    summary = "each class the same in total; within a class alike, or by another strategy (inner=)"

    def __post_init__(self) -> None:
        self._inner()

    def _inner(self) -> Strategy | None:
        from dataaudit.curriculum.weights import resolve

        return None if self.inner is None else resolve(self.inner, {})

    def weigh(self, examples: ScoredExamples, epoch: int | None, total_epochs: int | None) -> FloatArray:
        """Weigh every example; what is known adds up to the same in every class."""
        inner = self._inner()
        order = np.argsort(examples.labels, kind="stable")
        starts = np.flatnonzero(np.diff(examples.labels[order], prepend=-2))
        weight = np.empty(len(examples))
        for members in np.split(order, starts[1:]):
            own = np.ones(len(members))
            if inner is not None:
                own = scaled(weighed(inner, examples.among(members), epoch, total_epochs))
            if examples.labels[members[0]] < 0:
                own[:] = np.nan
            known = ~np.isnan(own)
            total = own[known].sum()
            if inner is not None and known.any() and not total > 0:
                raise DataError(
                    f"weights by {inner.name!r} that are all zero in class number {examples.labels[members[0]]}",
                    "some weight in every class",
                    "leave inner= out, or leave the class out",
                )
            weight[members] = own / total if known.any() else np.nan
        return weight
