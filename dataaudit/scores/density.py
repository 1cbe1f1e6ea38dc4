"""Scores from kernel density (the paper's equations 3 to 5, figure 8 and appendix C), and the Parzen posterior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray, IntArray
from dataaudit.density.sums import DensityNeed, DensitySums
from dataaudit.evidence.base import Evidence
from dataaudit.representations.spaces import SPACES, Space
from dataaudit.scores.base import Scores, Uncertainty
from dataaudit.scores.epochs import at_epochs, checked_epochs

PAPER = "1x"
"""The paper's bandwidth: half the mean distance."""

_VALUES: dict[str, Callable[[DensitySums, IntArray], FloatArray]] = {
    "density": lambda sums, labels: sums.total / len(labels),
    "class_density": lambda sums, labels: sums.same / len(labels),
    "relative_density": lambda sums, labels: (2 * sums.same - sums.total) / len(labels),
    "parzen": lambda sums, labels: sums.parzen(labels),
}

_RANGES = {"density": (0.0, 1.0), "class_density": (0.0, 1.0), "relative_density": (-1.0, 1.0), "parzen": (0.0, 1.0)}

Z95 = 1.96
"""Standard errors on each side of a 95 % interval."""

_PHRASES = {
    "density": "mean kernel value with all other examples",
    "class_density": "mean kernel value, counting examples of the same label alone",
    "relative_density": "mean kernel value, counting examples of another label negatively",
    "parzen": "share of the same label in the kernel values (leave-one-out Parzen posterior)",
}


@dataclass(frozen=True)
class Density:
    """A kernel density score of one representation.

    With K(x, x') = exp(-||x - x'||^2 / h^2), over the other examples j of example i (Jiang, Zhang, Talwar, Mozer
    2021, equations 3 to 5; the self pair, a constant, is left out)::

        density           1/n sum K
        class_density     1/n sum [y_j = y_i] K
        relative_density  1/n sum (2 [y_j = y_i] - 1) K
        parzen            sum [y_j = y_i] K / sum K

    All four come from one pass over the pairs. benchmarks/paper/densities.py ranks representations, scores and
    bandwidths: half the paper's bandwidth ("0.5x") finds more label errors than the paper's, except among gradients,
    which hold their label already: take their plain density, the relative one and the posterior rank upside down.

    Parameters
    ----------
    representation
        "input", "hidden" (input of the last linear layer), "gradient" (of the last linear layer),
        "gradient_linear" (of every linear layer) or "gradient_sketch" (of all parameters, sketched to 4096
        values). Gradients are those of softmax cross-entropy.
    kind
        One of the four above.
    bandwidth
        h as a number, or a multiple of half the mean distance, which is the paper's rule ("1x").
    layer
        Name of the module whose input is the hidden representation; the last linear layer if None.
    epochs
        Epochs, from 1, after which the representation is taken; the score is the mean over them. The end of
        training if None.
    loss
        ``loss(logits [b, C], labels [b]) -> [b]`` in torch for "gradient_sketch"; softmax cross-entropy if None.
    name
        Column name; score and representation, with the options that are not the default, if None.

    Raises
    ------
    SettingError
        If an option is not as described.

    Examples
    --------
    >>> Density("hidden", "parzen", bandwidth="0.5x", epochs=[1, 3]).name
    'parzen/hidden@1,3 h=0.5x'
    """

    representation: str
    kind: str = "density"
    bandwidth: float | str = PAPER
    layer: str | None = None
    epochs: Sequence[int] | None = None
    loss: Callable[[Any, Any], Any] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        checks.choice(f"density score {self.kind!r}", self.kind, _VALUES, "a known one")
        object.__setattr__(self, "epochs", checked_epochs(self.epochs))
        object.__setattr__(self, "name", self.name or self._automatic_name())
        self._ordered()

    def _automatic_name(self) -> str:
        parts = [at_epochs(f"{self.kind}/{self.representation}", self.epochs)]
        if self.bandwidth != PAPER:
            parts.append(f"h={self.bandwidth}")
        if self.layer is not None:
            parts.append(f"layer={self.layer}")
        if self.loss is not None:
            parts.append(f"loss={getattr(self.loss, '__name__', type(self.loss).__name__)}")
        return " ".join(parts)

    def _ordered(self) -> list[DensityNeed]:
        return [
            DensityNeed(Space(self.representation, self.layer, epoch, self.loss), self.bandwidth)
            for epoch in (self.epochs if self.epochs is not None else (None,))
        ]

    @property
    def summary(self) -> str:
        """One line."""
        return f"{_PHRASES[self.kind]}; {SPACES[self.representation].summary}"

    @property
    def needs(self) -> frozenset[DensityNeed]:
        """Kernel sums, one a chosen epoch."""
        return frozenset(self._ordered())

    def score(self, evidence: Evidence) -> Scores:
        """Values [n], the mean over the chosen epochs; with their uncertainty where sums are estimates.

        The samples of all epochs are of the same rows: the standard error of the mean is taken to be the mean of
        the standard errors, which it is at most. The reliability is the squared estimated Spearman correlation with
        the exact ranking, the least over the epochs.
        """
        by_epoch = [evidence.densities[need] for need in self._ordered()]
        values = np.mean([_VALUES[self.kind](sums, evidence.labels) for sums in by_epoch], axis=0)
        errors = [sums.errors for sums in by_epoch if sums.errors is not None]
        if not errors:
            return Scores(values)
        stderr = np.mean([sums.stderr(self.kind) for sums in by_epoch], axis=0)
        agreement = min(one.agreement[self.kind] for one in errors)
        members = np.min([one.members for one in errors], axis=0)
        low, high = _RANGES[self.kind]
        lower, upper = np.clip(values - Z95 * stderr, low, high), np.clip(values + Z95 * stderr, low, high)
        return Scores(values, uncertainty=Uncertainty(stderr, lower, upper, members, agreement**2))


BUILT_IN = {f"{score}/{space}": Density(space, score) for space in SPACES for score in _VALUES}


def __getattr__(name: str) -> Density:
    if name in BUILT_IN:
        return BUILT_IN[name]
    raise AttributeError(name)
