"""Samplers that draw examples by weight, the same sequence for any number of workers and ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from dataaudit.curriculum.base import Strategy
from dataaudit.curriculum.draws import draw
from dataaudit.curriculum.passes import Passes, check_seed, check_whole, same_settings
from dataaudit.errors import DataError, SettingError, rows
from dataaudit.fingerprints import fingerprint_of
from dataaudit.types import FloatArray

SETTINGS = ("version", "n", "num_samples", "replacement", "seed", "weights")
"""What must be the same in a state that is loaded."""


class _WeightedSampler(Sampler[int], ABC):
    """What both samplers do; they differ in where the ranks come from."""

    @abstractmethod
    def __init__(
        self,
        weights: Any,
        num_samples: int | None,
        replacement: bool,
        seed: int,
        dataset: Sized | None,
        passes: Passes,
    ) -> None:
        super().__init__()
        if not isinstance(replacement, bool):
            raise SettingError(f"replacement={replacement!r}", "True or False", "pass replacement=False for distinct")
        self.replacement = replacement
        self.seed = check_seed(seed)
        self._asked = None if num_samples is None else check_whole("num_samples", num_samples, 1)
        if isinstance(weights, (str, Strategy)) or (callable(weights) and isinstance(weights, type)):
            raise SettingError(
                f"weights={weights!r}",
                "an array [n], or a function from the epoch's number to one",
                "pass audit.weights(strategy), or audit.schedule(strategy, total_epochs=10)",
            )
        self._source: Callable[[int], Any] | None = weights if callable(weights) else None
        self._passes = passes
        self._n = None if dataset is None else len(dataset)
        self._take(weights if self._source is None else self._source(0))

    def _take(self, weights: Any) -> None:
        """Check the weights of this epoch and keep them."""
        found = np.array(weights, np.float64)
        if found.ndim != 1 or len(found) == 0 or self._n not in (None, len(found)):
            raise DataError(
                f"weights of shape {found.shape}",
                "shape (n,)" if self._n is None else f"shape ({self._n},), one for every example",
                "pass the weights of an audit of the same rows (audit.rows names those that were audited)",
            )
        bad = np.flatnonzero(~np.isfinite(found) | (found < 0))
        if len(bad):
            raise DataError(
                f"a weight of {found[bad[0]]} in {rows(bad)}", "finite weights of at least 0", "mend these weights"
            )
        able = int(np.count_nonzero(found))
        if able == 0:
            raise DataError("weights that are all zero", "some example with weight", "give at least one a weight")
        if not self.replacement and self._asked is not None and self._asked > able:
            raise DataError(
                f"num_samples={self._asked} distinct examples of {able} that have weight (epoch {self.epoch})",
                f"at most {able}",
                "ask for fewer, leave num_samples out, or pass replacement=True",
            )
        self._n = len(found)
        self.num_samples = self._asked or (len(found) if self.replacement else able)
        found.flags.writeable = False
        self.weights: FloatArray = found

    @property
    def epoch(self) -> int:
        """Number of the epoch, as `set_epoch` was told; 0 at first."""
        return self._passes.epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch: new draws, and new weights where they are a function of it.

        Told the epoch that it is at, it changes nothing, so that a pass resumed by `load_state_dict` goes on.

        Raises
        ------
        SettingError
            If `epoch` is no whole number of at least 0.
        DataError
            If the new weights cannot be drawn by.
        """
        if self._passes.turn(epoch) and self._source is not None:
            self._take(self._source(self.epoch))

    def __len__(self) -> int:
        """Number of examples of a whole pass, the same on every rank."""
        return self._passes.length(self.num_samples)

    def __iter__(self) -> Iterator[int]:
        """One pass: positions in the data set."""
        places = self._passes.places(self.num_samples)
        sequence = draw(self.weights, self.num_samples, self.replacement, self.seed, self.epoch)
        return (int(sequence[place]) for place in places)

    def state_dict(self, position: int | None = None) -> dict[str, Any]:
        """Say where the pass begun last has come, as numbers, strings and a tensor.

        ``torch.load(..., weights_only=True)`` reads it back.

        Parameters
        ----------
        position
            Number of examples of this pass that this rank has trained on since its beginning. If None, what was drawn
            from the sampler: the same with ``num_workers=0``, but workers draw ahead.
        """
        return {
            **self._settings(),
            **self._passes.state(position),
            "weights_now": None if self._source is None else torch.from_numpy(self.weights.copy()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave, on any number of ranks: the next pass is the rest of that one.

        Weights that are a function of the epoch come from the state, for what they are made of may have changed since
        that epoch began.

        Raises
        ------
        DataError
            If it was taken from a sampler with other arguments.
        """
        same_settings(state, self._settings(), [name for name in SETTINGS if name != "num_samples" or self._asked])
        self._passes.load(state)
        if self._source is not None:
            self._take(state["weights_now"].numpy())

    def _settings(self) -> dict[str, Any]:
        fixed = None if self._source is not None else fingerprint_of(self.weights)
        values = (1, self._n, self.num_samples, self.replacement, self.seed, fixed)
        return dict(zip(SETTINGS, values, strict=True))


class CurriculumSampler(_WeightedSampler):
    """Draws examples by weight, for a ``DataLoader(dataset, sampler=...)``.

    The sequence of an epoch is a function of the weights, the seed and the epoch, whatever the number of workers.
    Without `set_epoch` every pass is that of epoch 0. A loader that ``accelerate`` prepared counts passes from 0 and
    tells them to the sampler; to begin or resume at another epoch, call the loader's own ``set_epoch``.

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
    `dataaudit.curriculum.draws`. Memory: 8 bytes an example, 8 a draw, and during a draw 24 and 16 more.

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
        super().__init__(weights, num_samples, replacement, seed, dataset, Passes(1, 0, False))


class DistributedCurriculumSampler(_WeightedSampler):
    """One rank's part of what `CurriculumSampler` draws.

    Rank r of W gets the examples r, r + W, r + 2 W, ... of the one sequence. Every rank draws the whole sequence, so
    that weights must be the same on all.

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
        passes = Passes(num_replicas, rank, drop_last)
        self.num_replicas, self.rank = passes.num_replicas, passes.rank
        super().__init__(weights, num_samples, replacement, seed, dataset, passes)


def _from_process_group(num_replicas: int | None, rank: int | None) -> tuple[int, int]:
    """What is not given, from the process group that torch has."""
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
