"""One rank's part of a sequence that all ranks share, and where in it a pass has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dataaudit.errors import DataError, SettingError


def check_whole(name: str, value: Any, least: int, below: int | None = None) -> int:
    """`value` as an int, or a `SettingError`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (below is not None and value >= below):
        limits = f"at least {least}" if below is None else f"{least} to below {below}"
        raise SettingError(f"{name}={value!r}", f"a whole number, {limits}", f"pass {name}={least}")
    return int(value)


def check_seed(seed: Any) -> int:
    """A seed that a key of the generator can hold."""
    return check_whole("seed", seed, 0, 2**64)


class Passes:
    """Passes over a sequence, one an epoch, split between ranks by turns.

    Rank r of W takes the places r, r + W, r + 2 W, ...; the sequence goes on from its beginning until all ranks have
    equally many, or with `drop_last` ends before.

    Attributes
    ----------
    epoch
        Number of the epoch.
    reached
        How much of the sequence all ranks together have been handed in the pass begun last.
    """

    def __init__(self, num_replicas: int, rank: int, drop_last: bool) -> None:
        self.num_replicas = check_whole("num_replicas", num_replicas, 1)
        self.rank = check_whole("rank", rank, 0, self.num_replicas)
        if not isinstance(drop_last, bool):
            raise SettingError(f"drop_last={drop_last!r}", "True or False", "pass drop_last=True to cut the rest off")
        self.drop_last = drop_last
        self.epoch = 0
        self.reached = 0
        self._start = 0

    def turn(self, epoch: int) -> bool:
        """Go to an epoch; whether it is another than before, which starts from the beginning."""
        epoch = check_whole("epoch", epoch, 0, 2**64)
        if epoch == self.epoch:
            return False
        self.epoch, self._start, self.reached = epoch, 0, 0
        return True

    def length(self, count: int) -> int:
        """Places of each rank in a whole pass over `count`."""
        return count // self.num_replicas if self.drop_last else -(-count // self.num_replicas)

    def places(self, count: int) -> Iterator[int]:
        """This rank's places in a sequence of `count`, from where `load` said, once, or the beginning."""
        start, self._start = min(self._start, count), 0
        self.reached = start
        return self._walk(start, count)

    def _walk(self, start: int, count: int) -> Iterator[int]:
        step = self.num_replicas
        for turn in range(self.length(count - start)):
            place = start + turn * step
            self.reached = min(place + step, count)
            yield (place + self.rank) % count

    def state(self, position: int | None) -> dict[str, int]:
        """Epoch and place in the sequence; `position` is how many of its own places this rank has used."""
        reached = self.reached
        if position is not None:
            reached = check_whole("position", position, 0) * self.num_replicas
        return {"epoch": self.epoch, "reached": reached}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, of any number of ranks."""
        self.epoch = check_whole("epoch", state["epoch"], 0, 2**64)
        self._start = self.reached = check_whole("reached", state["reached"], 0)


def same_settings(state: Any, own: dict[str, Any], names: Sequence[str]) -> None:
    """Raise unless a state was taken from a sampler with the settings `names` of `own`."""
    theirs = {name: state.get(name) for name in names} if isinstance(state, dict) else {}
    differ = [name for name in names if theirs.get(name) != own[name]] if theirs else list(names)
    if differ:
        raise DataError(
            "a state of " + (", ".join(f"{name}={theirs[name]!r}" for name in differ) if theirs else repr(state)),
            ", ".join(f"{name}={own[name]!r}" for name in differ),
            "make the sampler with the arguments of the one whose state_dict() was saved",
        )
