"""Two calls in two threads: each gives what it gives alone, and random generators are left as they were."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.faults.base import FINE, Case, Outcome, bare
from benchmarks.faults.calls import CALLS, Result, differs
from benchmarks.faults.saves import in_threads
from dataaudit.errors import DataAuditError


@cache
def alone(name: str, seed: int) -> Result:
    """Result of a call that nothing runs beside."""
    return CALLS[name](seed)


def trials(name: str, rng: np.random.Generator, count: int, folder: Path) -> Iterator[Outcome]:
    """Pairs of a call with itself by another seed, and with every other kind."""
    names = list(CALLS)
    for trial in range(count):
        pair = [(name, 0), (name if trial % 3 == 0 else names[trial % len(names)], 1)]
        expected = [alone(*one) for one in pair]
        state = torch.get_rng_state()
        found: dict[int, Result | Exception] = {}

        def run(number: int, pair: list[tuple[str, int]] = pair, found: dict[int, Result | Exception] = found) -> None:
            which, seed = pair[number]
            try:
                found[number] = CALLS[which](seed)
            except Exception as error:  # Judged below, in order.
                found[number] = error

        in_threads([partial(run, 0), partial(run, 1)], [0.0, float(rng.random() * 0.02)])
        kept = torch.equal(state, torch.get_rng_state())
        yield _verdict([found[0], found[1]], expected, " beside ".join(one for one, _ in pair), kept)


def _verdict(found: list[Result | Exception], expected: list[Result], pair: str, kept: bool) -> Outcome:
    refused = ""
    for result, wanted in zip(found, expected, strict=True):
        if isinstance(result, DataAuditError):
            refused = str(result)
        elif isinstance(result, Exception):
            return Outcome("bare", f"{pair}: {bare(result).detail}")
        elif other := differs(result, wanted):
            return Outcome("silent", f"{pair}: another {other} than alone")
    if not kept:
        return Outcome("lost", f"{pair}: the state of torch's generator")
    return Outcome("refused", refused) if refused else FINE


def cases() -> list[Case]:
    """Cases of every call."""
    return [Case("threads", name, 20, 2, partial(trials, name)) for name in CALLS]
