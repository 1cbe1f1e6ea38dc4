"""Kernel sums of one representation: bandwidth, all pairs, and a record of how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dataaudit.common.progress import progress_bar
from dataaudit.common.types import IntArray
from dataaudit.density import bandwidth
from dataaudit.density.base import Context, DensityEngine
from dataaudit.density.engines import AutomaticEngine
from dataaudit.density.sums import DensityNeed, DensitySums
from dataaudit.errors import DataAuditError, DataError, parts_of
from dataaudit.neighbours.graph import Neighbours
from dataaudit.representations.base import Features, are_rows

STEPS = 1000


def density_sums(
    need: DensityNeed,
    features: Features,
    described: Mapping[str, Any],
    labels: IntArray,
    engine: DensityEngine,
    seed: int,
    progress: bool,
    graph: Neighbours | None = None,
) -> DensitySums:
    """Sums over all pairs for `need`, of a representation of which `described` is recorded.

    Rows in pieces are joined for engines that do not read them so; `graph` is for engines that take one. Raises
    `DataError` if the engine refuses the rows, or all are equal where the bandwidth comes from their distances.
    """
    if isinstance(engine, AutomaticEngine):
        engine = engine.choose(features)
    if are_rows(features) and not engine.reads_pieces:
        features = np.asarray(features)
    h = bandwidth.find(features, need.bandwidth, seed)
    done = 0.0
    with progress_bar(f"pairs in {need.space.name}", STEPS, progress) as advance:

        def share(part: float) -> None:
            nonlocal done
            advance(round((done + part) * STEPS) - round(done * STEPS))
            done += part

        try:
            sums = engine.sums(features, labels, h.value, Context(seed, graph, share))
        except DataAuditError:
            raise
        except ValueError as error:
            other = str(error), "rows and a bandwidth that it can sum over", "pass engine='auto'"
            arrived, expected, action = parts_of(error) or other
            raise DataError(
                f"{need.space.name!r} that engine {engine.name!r} refuses: {arrived}", expected, action
            ) from error
    settings = {
        "representation": need.space.name,
        **described,
        "epoch": need.space.epoch,
        "bandwidth": h.value,
        "bandwidth_stderr": h.stderr,
        "bandwidth_rule": need.bandwidth if isinstance(need.bandwidth, str) else "given",
        "engine": engine.name,
        **sums.settings,
        "out_of_reach": int(np.count_nonzero(sums.total == 0)),
    }
    return replace(sums, settings=settings)
