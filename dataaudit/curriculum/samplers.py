"""Samplers that draw examples by weight, the same sequence for any number of workers and ranks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np
import torch

from dataaudit.common import checks
from dataaudit.common.fingerprints import fingerprint_of
from dataaudit.common.types import FloatArray
from dataaudit.curriculum.epoch_position import (
    ResumableSampler,
    as_numbers,
    check_seed,
    check_source,
    check_whole,
    same_settings,
)
from dataaudit.curriculum.rank_check import same_everywhere
from dataaudit.curriculum.sampling import draw
from dataaudit.errors import DataError, SettingError, rows


class _WeightedSampler(ResumableSampler[int]):
    """Base of both samplers, which differ in where the ranks come from."""

    @abstractmethod
    def __init__(
        self,
        weights: Any,
        num_samples: int | None,
        replacement: bool,
        seed: int,
        dataset: Sized | None,
        num_replicas: int,
        rank: int,
        cut_off: bool,
    ) -> None:
        super().__init__(num_replicas, rank, cut_off)
        self.replacement = checks.flag("replacement", replacement, "pass replacement=False for distinct")
        self.seed = check_seed(seed)
        self._requested = None if num_samples is None else check_whole("num_samples", num_samples, 1)
        check_source(weights, "weights")
        self._source: Callable[[int], Any] | None = weights if callable(weights) else None
        self._n = None if dataset is None else len(dataset)
        self._take(*self._checked(weights if self._source is None else self._source(0), 0))

    def _checked(self, weights: Any, epoch: int) -> tuple[FloatArray, int]:
        """Weights of an epoch, and how many examples they draw."""
        values = as_numbers("weights", weights, "pass audit.weights(strategy)")
        if values.ndim != 1 or len(values) == 0 or self._n not in (None, len(values)):
            raise DataError(
                f"weights of shape {values.shape}",
                "shape (n,)" if self._n is None else f"shape ({self._n},), one for every example",
                "pass the weights of an audit of the same rows (audit.rows names those that were audited)",
            )
        bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
        if len(bad):
            raise DataError(
                f"a weight of {values[bad[0]]} in {rows(bad)}", "finite weights of at least 0", "put 0 in their place"
            )
        able = int(np.count_nonzero(values))
        if able == 0:
            raise DataError("weights that are all zero", "some example with weight", "give one of them a weight")
        if not self.replacement and self._requested is not None and self._requested > able:
            raise DataError(
                f"num_samples={self._requested} distinct examples of {able} that have weight (epoch {epoch})",
                f"at most {able}",
                [f"pass num_samples={able} or less", "leave num_samples= out", "pass replacement=True"],
            )
        values.flags.writeable = False
        return values, self._requested or (len(values) if self.replacement else able)

    def _take(self, weights: FloatArray, num_samples: int) -> None:
        self.weights, self.num_samples, self._n = weights, num_samples, len(weights)

    @property
    def _count(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch: new draws, and new weights where they are a function of it.

        The epoch that it is at changes nothing, so that a pass resumed by `load_state_dict` goes on. In a process group
        of `DistributedCurriculumSampler` all ranks call it.

        Raises
        ------
        SettingError
            If `epoch` is no whole number of at least 0.
        DataError
            If the new weights cannot be drawn by; or, on every rank alike, if ranks would not draw the same sequence
            from the same position.
        """
        epoch = check_whole("epoch", epoch, 0, 2**64)
        # Weights that are refused leave the sampler at the epoch where it was.
        self._take(*self._for_epoch(epoch))
        super().set_epoch(epoch)

    def _for_epoch(self, epoch: int) -> tuple[FloatArray, int]:
        """Weights of an epoch that all ranks draw by, and how many examples."""
        if self._source is None or epoch == self.epoch:
            return self.weights, self.num_samples
        return self._checked(self._source(epoch), epoch)

    def __iter__(self) -> Iterator[int]:
        """One pass: positions in the data set."""
        positions = self._positions()
        sequence = draw(self.weights, self.num_samples, self.replacement, self.seed, self.epoch)
        return (int(sequence[position]) for position in positions)

    def state_dict(self, position: int | None = None) -> dict[str, Any]:
        """Position of the pass begun last; see `ResumableSampler.state_dict`."""
        weights = None if self._source is None else torch.from_numpy(self.weights.copy())
        return {**super().state_dict(position), "weights_now": weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave, as `ResumableSampler.load_state_dict` does.

        Weights that are a function of the epoch come from the state: a function may give others by now.
        """
        same_settings(state, self._settings(), ("epoch", "reached", "weights_now"))
        drawn = self.weights, self.num_samples
        if self._source is not None:
            if not isinstance(state["weights_now"], torch.Tensor):
                raise DataError(
                    f"a state with weights_now={state['weights_now']!r}",
                    "the weights of the epoch, which are a function of it",
                    "load what state_dict() gave, unchanged",
                )
            drawn = self._checked(state["weights_now"], state["epoch"])
        self._resume(state, drawn[1])
        self._take(*drawn)

    def _settings(self) -> dict[str, Any]:
        by_epoch = self._source is not None
        return {
            "version": 1,
            "n": self._n,
            # Without replacement it may change with the weights, unless it was given.
            "num_samples": self._requested if by_epoch and not self.replacement else self.num_samples,
            "replacement": self.replacement,
            "seed": self.seed,
            "drop_last": self._cut_off,
            "weights": None if by_epoch else fingerprint_of(self.weights),
        }


class CurriculumSampler(_WeightedSampler):
    """Draws examples by weight, for a ``DataLoader(dataset, sampler=...)``.

    The sequence of an epoch is a function of the weights, the seed and the epoch, whatever the number of workers.
    Without `set_epoch` every pass is that of epoch 0. A loader that ``accelerate`` prepared counts passes from 0 and
    tells them to the sampler; to begin or resume at another epoch, call the loader's own ``set_epoch``. In several
    processes such a loader needs the same weights in each, which nothing compares there; see
    `DistributedCurriculumSampler`.

    Without replacement the length of a pass is the number of examples that have weight, so that with weights by epoch
    (a curriculum that grows) it changes from epoch to epoch. A loop, a learning rate's schedule or a Trainer that
    counts steps once, before the first epoch, then counts wrong. For a fixed length keep replacement=True, whose passes
    are all of n examples, or give a `num_samples` that every epoch can fill.

    Parameters
    ----------
    weights
        Array [n] of at least 0, as `Audit.weights` gives it, or a function from the number of the epoch to one, as
        `Audit.schedule` gives it. Need not add up to anything.
    num_samples
        Examples of a pass; None for n with replacement, and without for all that have weight in that epoch.
    replacement
        Whether an example can come more than once in a pass. True keeps the number of steps while a curriculum has
        few examples.
    seed
        0 to below 2**64.
    dataset
        Data set that will be drawn from; its length is compared with that of the weights.

    Attributes
    ----------
    weights
        Of this epoch, float64 [n].
    num_samples, replacement, seed, epoch
        As above.

    Raises
    ------
    SettingError
        If a setting is not as described, or `weights` is a strategy, which cannot be drawn by without an audit.
    DataError
        If weights are not finite, negative, all zero or of another length than the data set, or more distinct
        examples are asked for than have weight.

    Notes
    -----
    Without replacement by the keys of Efraimidis and Spirakis, from a counter-based generator; see
    `dataaudit.curriculum.sampling`. Memory: 8 bytes an example, 8 a draw of the pass under way, and
    as it begins 24 more an example or a draw, whichever are more.

    Examples
    --------
    >>> sampler = CurriculumSampler([0.0, 1.0, 1.0, 2.0], replacement=False)
    >>> sorted(sampler), len(sampler)
    ([1, 2, 3], 3)
    >>> first = list(sampler)
    >>> sampler.set_epoch(1)
    >>> steps = iter(sampler)
    >>> begun = [next(steps)]
    >>> other = CurriculumSampler([0.0, 1.0, 1.0, 2.0], replacement=False)
    >>> other.load_state_dict(sampler.state_dict())
    >>> begun + list(other) == list(sampler)
    True
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int | None = None,
        *,
        replacement: bool = True,
        seed: int = 0,
        dataset: Sized | None = None,
    ) -> None:
        super().__init__(weights, num_samples, replacement, seed, dataset, 1, 0, False)


class DistributedCurriculumSampler(_WeightedSampler):
    """One rank's part of what `CurriculumSampler` draws.

    Rank r of W gets the examples r, r + W, r + 2 W, ... of the one sequence. Every rank draws the whole sequence, so
    that weights must be the same on all. In a process group of W processes `set_epoch` compares them, so that every
    rank has to call it: digests of 16 bytes travel, once an epoch.

    Weights that come from the losses of the training under way differ between ranks, for each has seen its own share
    of the rows. Gather the record first: ``SmallLoss(lambda: dataaudit.gather_recorder(recorder))``, with epochs closed
    by ``recorder.end_epoch(group=...)``, goes by the losses of all ranks on each of them.

    Parameters
    ----------
    weights, num_samples, replacement, seed, dataset
        As for `CurriculumSampler`; `num_samples` counts the examples of all ranks.
    num_replicas, rank
        Number of ranks W and this one, 0..W - 1; None to ask ``torch.distributed``.
    drop_last
        What happens where W does not divide the sequence: False repeats its beginning, as torch's
        ``DistributedSampler`` does, True leaves its end out. All ranks have the same length either way.

    Attributes
    ----------
    weights
        Of this epoch, float64 [n].
    num_samples, replacement, seed, epoch, num_replicas, rank
        As above.

    Raises
    ------
    SettingError, DataError
        As `CurriculumSampler`; or if the ranks are not as described, or unknown.

    Notes
    -----
    A state says how far all ranks are, and may be loaded on another number of them. Memory as for
    `CurriculumSampler`, on every rank.

    Examples
    --------
    >>> weights = [0.0, 1.0, 1.0, 2.0]
    >>> ranks = [DistributedCurriculumSampler(weights, 6, num_replicas=2, rank=rank) for rank in (0, 1)]
    >>> [index for pair in zip(*ranks) for index in pair] == list(CurriculumSampler(weights, 6))
    True
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int | None = None,
        num_replicas: int | None = None,
        rank: int | None = None,
        *,
        replacement: bool = True,
        seed: int = 0,
        dataset: Sized | None = None,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            num_replicas, rank = _from_process_group(num_replicas, rank)
        self._compared: int | None = None
        super().__init__(weights, num_samples, replacement, seed, dataset, num_replicas, rank, drop_last)
        self.num_replicas, self.rank = self._replicas, self._rank

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave, as `CurriculumSampler.load_state_dict`; all ranks load the same."""
        super().load_state_dict(state)
        self._compared = None

    def _for_epoch(self, epoch: int) -> tuple[FloatArray, int]:
        moves, own = epoch != self.epoch, super()._for_epoch
        if not moves and self._compared == epoch:
            return self.weights, self.num_samples
        settings = (self.replacement, self.seed, self._cut_off, epoch, 0 if moves else self._start)
        drawn = same_everywhere(lambda: own(epoch), settings, self.num_replicas)
        self._compared = epoch
        return drawn


def _from_process_group(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    """Number of ranks and own rank; the process group's where not given."""
    from torch import distributed

    if not distributed.is_available() or not distributed.is_initialized():
        raise SettingError(
            f"num_replicas={num_replicas}, rank={rank} without a process group",
            "both, or an initialised one",
            "pass num_replicas=2, rank=0, for example, or call torch.distributed.init_process_group first",
        )
    return (
        distributed.get_world_size() if num_replicas is None else num_replicas,
        distributed.get_rank() if rank is None else rank,
    )
