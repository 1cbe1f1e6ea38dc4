"""Samplers whose passes are split between ranks and can be resumed, and the checks of their settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from torch.utils.data import Sampler

from dataaudit.common import checks
from dataaudit.common.types import FloatArray
from dataaudit.curriculum.base import Strategy
from dataaudit.errors import DataError, SettingError

T_co = TypeVar("T_co", covariant=True)


def as_numbers(what: str, values: Any, action: str) -> FloatArray:
    """Copy `values` into a float64 array of any shape, or raise a `DataError`."""
    try:
        if hasattr(values, "detach") and hasattr(values, "cpu"):
            values = values.detach().cpu().double().numpy()
        return np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} that are no numbers ({error})", "one number for every example", action) from error


def check_source(weights: Any, name: str) -> None:
    """Raise a `SettingError` for what has to be turned into weights by an audit first."""
    if isinstance(weights, (str, Strategy, type)):
        raise SettingError(
            f"{name}={weights!r}",
            "an array [n], or a function from the epoch's number to one",
            "pass audit.weights(strategy), or audit.schedule(strategy, total_epochs=10)",
        )


def check_whole(name: str, value: Any, least: int, below: int | None = None) -> int:
    """`value` as an int, or a `SettingError`."""
    limits = f"at least {least}" if below is None else f"{least} to below {below}"
    most = None if below is None else below - 1
    return checks.whole(name, value, least, f"pass {name}={least}", most=most, expected=f"a whole number, {limits}")


def check_seed(seed: Any) -> int:
    """Seed that a key of the generator can hold, or a `SettingError`."""
    return check_whole("seed", seed, 0, 2**64)


class ResumableSampler(Sampler[T_co], ABC):
    """Passes over a sequence, one an epoch, split between ranks by turns; a pass can be resumed on other ranks.

    Rank r of W takes the positions r, r + W, r + 2 W, ...; the sequence goes on from its beginning until all ranks have
    equally many, or, cut off, ends before. `_reached` counts what all ranks together have been handed in the pass begun
    last; `_start` is where the next one begins: 0, or where `load_state_dict` set it.
    """

    @abstractmethod
    def __init__(self, num_replicas: int, rank: int, cut_off: bool) -> None:
        super().__init__()
        self._replicas = check_whole("num_replicas", num_replicas, 1)
        self._rank = check_whole("rank", rank, 0, self._replicas)
        self._cut_off = checks.flag("drop_last", cut_off, "pass drop_last=True to cut the rest off")
        self._epoch = self._reached = self._start = self._began = 0

    @property
    def epoch(self) -> int:
        """Number of the epoch, as `set_epoch` set it; 0 at first."""
        return self._epoch

    @property
    @abstractmethod
    def _count(self) -> int:
        """Length of the whole sequence of this epoch."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Settings that must be the same in a state that is loaded."""

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, from its beginning; the one that it is at changes nothing.

        Raises
        ------
        SettingError
            If `epoch` is no whole number of at least 0.
        """
        epoch = check_whole("epoch", epoch, 0, 2**64)
        if epoch != self._epoch:
            self._epoch, self._start, self._began, self._reached = epoch, 0, 0, 0

    def __len__(self) -> int:
        """Length of a whole pass, the same on every rank."""
        return self._length(self._count)

    def _length(self, count: int) -> int:
        return count // self._replicas if self._cut_off else -(-count // self._replicas)

    def _positions(self) -> Iterator[int]:
        """Positions of this rank in the sequence, from where `load_state_dict` set it, once, or the beginning."""
        count = self._count
        start, self._start = min(self._start, count), 0
        self._reached = self._began = start
        return self._walk(start, count)

    def _walk(self, start: int, count: int) -> Iterator[int]:
        for turn in range(self._length(count - start)):
            first = start + turn * self._replicas
            self._reached = min(first + self._replicas, count)
            yield (first + self._rank) % count

    def state_dict(self, position: int | None = None) -> dict[str, Any]:
        """Position of the pass begun last, as numbers, strings and at most a tensor.

        ``torch.load(..., weights_only=True)`` reads it back.

        Parameters
        ----------
        position
            Number of examples, or of batches where it draws these, that this rank has trained on since this pass was
            begun, or resumed by `load_state_dict`. If None, what was drawn from the sampler: the same in a plain loader
            with ``num_workers=0``, but workers draw ahead, and a loader that ``accelerate`` prepared reads one batch
            ahead without them too.

        Raises
        ------
        SettingError
            If `position` is no whole number from 0 to what the pass has for this rank.
        """
        if position is None:
            return {**self._settings(), "epoch": self._epoch, "reached": min(self._reached, self._count)}
        most = self._length(self._count - self._began)
        position = check_whole("position", position, 0)
        if position > most:
            raise SettingError(
                f"position={position} in a pass that has {most} {'more' if self._began else 'in all'} for this rank",
                f"0..{most}, counted since this pass was begun or resumed",
                "count what this rank has used from 0 in every epoch, and again after load_state_dict",
            )
        reached = min(self._began + position * self._replicas, self._count)
        return {**self._settings(), "epoch": self._epoch, "reached": reached}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave, on any number of ranks: the next pass is the rest of that one.

        Raises
        ------
        DataError
            If it was taken from a sampler with other arguments, or is not whole.
        """
        same_settings(state, self._settings(), ("epoch", "reached"))
        self._resume(state, self._count)

    def _resume(self, state: dict[str, Any], count: int) -> None:
        """Take over the epoch of a state, and its position in a sequence of `count`."""
        epoch = check_whole("epoch", state["epoch"], 0, 2**64)
        self._start = self._began = self._reached = check_whole("reached", state["reached"], 0, count + 1)
        self._epoch = epoch


def same_settings(state: Any, own: dict[str, Any], needed: Sequence[str]) -> None:
    """Raise unless a state was taken from a sampler with the settings `own`, and has `needed` as well."""
    lacking = [name for name in (*own, *needed) if name not in state] if isinstance(state, dict) else []
    if not isinstance(state, dict) or lacking:
        raise DataError(
            f"a state without {', '.join(map(repr, lacking))}" if lacking else f"a state of {state!r}",
            "what state_dict() of such a sampler gave, whole",
            "load what was saved of the sampler, not of the model or the loader",
        )
    differ = [name for name in own if state[name] != own[name]]
    if differ:
        raise DataError(
            "a state of " + ", ".join(f"{name}={state[name]!r}" for name in differ),
            ", ".join(f"{name}={own[name]!r}" for name in differ),
            "make the sampler with the arguments of the one whose state_dict() was saved",
        )
