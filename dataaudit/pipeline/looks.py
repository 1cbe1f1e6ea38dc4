"""Looks at the model of a call beyond its first check, each taken at most once, whichever sources need it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import cast

from dataaudit.errors import ModelError
from dataaudit.learners.base import Learner
from dataaudit.learners.weights import RESET
from dataaudit.pipeline.evidence_sources.evaluations import own_generator
from dataaudit.representations.collect import TorchModel, readers
from dataaudit.representations.spaces import Space


class Layers:
    """Representations in the layers of a `learner`'s model, for a data set of `n` examples."""

    def __init__(self, learner: Learner, n: int, seed: int) -> None:
        self.learner, self._n, self._seed = learner, n, seed
        self._known: set[Space] = set()

    def check(self, spaces: Iterable[Space]) -> None:
        """Raise `ModelError` unless the model has every one of `spaces`, at its last epoch if not at another."""
        wanted = [space for space in dict.fromkeys(replace(space, epoch=None) for space in spaces)]
        wanted = [space for space in wanted if space not in self._known]
        if wanted:
            with own_generator(self._seed):
                readers(cast("TorchModel", self.learner.untrained()), wanted, self._n, self._seed)
            self._known |= set(wanted)


class FreshStart:
    """The learner whose every fit starts afresh, for models that must not have seen an example.

    Parameters
    ----------
    passed
        The learner of the call, which was checked.
    known_share
        Share of the labels that the model gives as it was passed, where that shows training on them; None elsewhere.
    seed
        Of the call.
    """

    def __init__(self, passed: Learner, known_share: float | None, seed: int) -> None:
        self.learner, self._known_share, self._seed = passed.from_scratch(), known_share, seed
        self._is_passed = self.learner is passed
        self._checked = self._is_passed

    def check(self) -> None:
        """Raise `ModelError` unless the model can start afresh."""
        if not self._checked:
            self.learner.check(self._seed)
            self._checked = True

    @cached_property
    def _seen(self) -> float | None:
        # Only a model that fits as passed can when it is reset, by its buffers.
        return (
            self._known_share if self._known_share is None or self._is_passed else self.learner.already_fits(self._seed)
        )

    def check_unseen(self, purpose: str) -> None:
        """Raise `ModelError` if the model would start from weights that have seen these labels."""
        if self._seen is not None:
            raise ModelError(
                f"a model that already classifies {self._seen:.1%} of these labels correctly, {purpose}",
                "weights that have not seen these labels",
                RESET,
            )
