"""Position of a pass in a sequence that all ranks share, and one rank's part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dataaudit.common import checks
from dataaudit.common.types import FloatArray
from dataaudit.errors import DataError, SettingError


def as_numbers(what: str, values: Any, action: str) -> FloatArray:
    """Copy `values` into a float64 array of any shape, or raise a `DataError`."""
    try:
        if hasattr(values, "detach") and hasattr(values, "cpu"):
            values = values.detach().cpu().double().numpy()
        return np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} that are no numbers ({error})", "one number for every example", action) from error


def check_whole(name: str, value: Any, least: int, below: int | None = None) -> int:
    """`value` as an int, or a `SettingError`."""
    limits = f"at least {least}" if below is None else f"{least} to below {below}"
    most = None if below is None else below - 1
    return checks.whole(name, value, least, f"pass {name}={least}", most=most, expected=f"a whole number, {limits}")


def check_seed(seed: Any) -> int:
    """A seed that a key of the generator can hold."""
    return check_whole("seed", seed, 0, 2**64)


class Passes:
    """Passes over a sequence, one an epoch, split between ranks by turns.

    Rank r of W takes the positions r, r + W, r + 2 W, ...; the sequence goes on from its beginning until all ranks have
    equally many, or with `drop_last` ends before. `reached` counts what all ranks together have been handed in the pass
    begun last; `start` is where the next one begins: 0, or where `load` said.
    """

    def __init__(self, num_replicas: int, rank: int, drop_last: bool) -> None:
        self.num_replicas = check_whole("num_replicas", num_replicas, 1)
        self.rank = check_whole("rank", rank, 0, self.num_replicas)
        self.drop_last = checks.flag("drop_last", drop_last, "pass drop_last=True to cut the rest off")
        self.epoch = self.reached = self.start = self._began = 0

    def turn(self, epoch: int) -> None:
        """Go to an epoch; another than before starts from the beginning."""
        epoch = check_whole("epoch", epoch, 0, 2**64)
        if epoch != self.epoch:
            self.epoch, self.start, self._began, self.reached = epoch, 0, 0, 0

    def length(self, count: int) -> int:
        """Positions of each rank in a whole pass over `count`."""
        return count // self.num_replicas if self.drop_last else -(-count // self.num_replicas)

    def positions(self, count: int) -> Iterator[int]:
        """This rank's positions in a sequence of `count`, from where `load` said, once, or the beginning."""
        start, self.start = min(self.start, count), 0
        self.reached = self._began = start
        return self._walk(start, count)

    def _walk(self, start: int, count: int) -> Iterator[int]:
        step = self.num_replicas
        for turn in range(self.length(count - start)):
            first = start + turn * step
            self.reached = min(first + step, count)
            yield (first + self.rank) % count

    def state(self, position: int | None, count: int) -> dict[str, int]:
        """Epoch and position in a sequence of `count`.

        `position` counts what this rank has used since the pass was begun, or resumed by `load`: ranks may have been
        others before that.
        """
        if position is None:
            return {"epoch": self.epoch, "reached": min(self.reached, count)}
        most = self.length(count - self._began)
        position = check_whole("position", position, 0)
        if position > most:
            raise SettingError(
                f"position={position} in a pass that has {most} {'more' if self._began else 'in all'} for this rank",
                f"0..{most}, counted since this pass was begun or resumed",
                "count what this rank has used from 0 in every epoch, and again after load_state_dict",
            )
        return {"epoch": self.epoch, "reached": min(self._began + position * self.num_replicas, count)}

    def load(self, state: dict[str, Any], count: int) -> None:
        """Restore what `state` gave, of any number of ranks, in a sequence of `count`."""
        epoch = check_whole("epoch", state["epoch"], 0, 2**64)
        self.start = self._began = self.reached = check_whole("reached", state["reached"], 0, count + 1)
        self.epoch = epoch


def same_settings(state: Any, own: dict[str, Any], needed: Sequence[str]) -> None:
    """Raise unless a state was taken from a sampler with the settings `own`, and says `needed` as well."""
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
