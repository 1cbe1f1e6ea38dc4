"""From an audit to training: what every example should weigh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dataaudit.audit.exports import Exports
from dataaudit.common.guest import settled
from dataaudit.curriculum.base import ScoredExamples, Strategy
from dataaudit.errors import SettingError


class TrainingWeights(Exports):
    """Part of `dataaudit.Audit` by which scores drive training."""

    def weights(
        self,
        strategy: str | Strategy = "suspects",
        epoch: int | None = None,
        total_epochs: int | None = None,
        *,
        by: str | None = None,
        unscored: Literal["mean", "drop", "raise"] = "mean",
        normalise: bool = True,
        dataset: Any = None,
        **options: Any,
    ) -> NDArray[np.float32]:
        """Weigh every example for training: as ``sample_weight``, a factor of its loss, or a sampler's weights.

        Parameters
        ----------
        strategy
            A name of ``dataaudit.strategies.names()``, or an instance, such as ``dataaudit.SmallLoss(recorder)``.
        epoch, total_epochs
            The epoch to come, 0..total_epochs - 1, and their number. Strategies that change with the epoch need them;
            the others give the same weights in every epoch.
        by
            Score that orders the examples; `default` if None. "suspects" goes by the probability of error, and
            "self_paced" and "small_loss" by losses.
        unscored
            What becomes of examples of which the strategy knows nothing (a NaN score, never seen): "mean", they weigh
            what the others do on average, neither favoured nor punished; "drop", nothing; "raise", an error names
            them.
        normalise
            Whether to scale the weights to a mean of 1, so that the learning rate keeps its meaning; otherwise they
            are on the strategy's scale, which is 0 to 1 for all built-in ones but "balanced".
        dataset
            The data set to train on, whose rows, labels and fingerprint are compared with the audited one's. One that
            needs options is passed as ``dataaudit.data.as_examples(dataset, label=..., ...)``.
        **options
            Settings of a strategy that is given by name.

        Returns
        -------
        float32 [n]
            In the order of `rows`, at least 0; computed afresh, from this audit and the arguments (and the recorder
            of a strategy that has one) alone. Higher = trained on more.

        Raises
        ------
        SettingError
            If a setting is not allowed, or the epochs that the strategy needs are missing.
        DataError
            If no example has weight, nothing is known of any, `dataset` is not the audited one, or a recorder is of
            other examples.
        ModelError
            If the audit has nothing that the strategy goes by.

        Notes
        -----
        Memory: about 40 bytes an example for a moment. Each strategy's class in `dataaudit.strategies`
        names its source; those whose order comes from scores cost a sort.

        Examples
        --------
        >>> import dataaudit
        >>> rows = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]])
        >>> audit = dataaudit.score(None, (rows, list("aaabbb")), "parzen/input", progress=False)
        >>> audit.weights("drop_least_regular", share=0.5).tolist()
        [2.0, 2.0, 0.0, 0.0, 0.0, 2.0]
        """
        from dataaudit.curriculum.weights import check_moment, resolve, weights

        name = self._named(by)
        check_moment(epoch, total_epochs)
        with settled():
            chosen = resolve(strategy, options)
            if dataset is not None:
                self._recognised(dataset, None, None, None, None)
            scored = self._scored(name)
            return weights(chosen, scored, epoch, total_epochs, unscored=unscored, normalise=normalise)

    def schedule(
        self, strategy: str | Strategy, total_epochs: int, **settings: Any
    ) -> Callable[[int], NDArray[np.float32]]:
        """Return the function that gives the weights of each epoch, as the samplers take it.

        Parameters
        ----------
        strategy, total_epochs
            As in `weights`.
        **settings
            Of `weights`, and options of the strategy.

        Returns
        -------
        function
            From the number of an epoch, 0..total_epochs - 1, to the weights float32 [n].

        Raises
        ------
        SettingError, DataError, ModelError
            As `weights`, for the first epoch; what concerns later ones is raised then.

        Examples
        --------
        >>> import dataaudit
        >>> rows = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]])
        >>> audit = dataaudit.score(None, (rows, list("aaabbb")), "parzen/input", progress=False)
        >>> weights = audit.schedule("easy_to_hard", total_epochs=3)
        >>> (weights(0) > 0).sum(), (weights(2) > 0).sum()
        (np.int64(2), np.int64(6))
        """
        from dataaudit.curriculum.weights import resolve

        if total_epochs is None:
            raise SettingError("total_epochs=None", "the number of epochs to come", "pass total_epochs=10")
        own = ("by", "unscored", "normalise", "dataset")
        kept = {name: value for name, value in settings.items() if name in own}
        chosen = resolve(strategy, {name: value for name, value in settings.items() if name not in own})
        self.weights(chosen, 0, total_epochs, **kept)
        # The data set was recognised once; it need not be read in every epoch.
        kept.pop("dataset", None)
        return lambda epoch: self.weights(chosen, epoch, total_epochs, **kept)

    def _scored(self, name: str) -> ScoredExamples:
        errors, dynamics = self.label_errors, self.dynamics
        values = self.columns[name]
        losses = None
        if dynamics is not None:
            losses = np.full(len(values), np.nan)
            np.divide(dynamics.cumulative_loss, dynamics.seen, out=losses, where=dynamics.seen > 0)
        return ScoredExamples(
            scores=values,
            ties=self.ties.get(name, np.zeros(len(values))),
            labels=self.labels,
            error_probability=None if errors is None or not errors.known else errors.probability,
            noise_rate=None if errors is None or not errors.known else errors.rate,
            unknown="" if errors is None else errors.unknown,
            losses=losses,
        )
