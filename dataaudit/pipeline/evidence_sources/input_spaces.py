"""Densities and neighbours among the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dataaudit.errors import ModelError
from dataaudit.pipeline.evidence_sources.base import Record, Source
from dataaudit.pipeline.evidence_sources.call import WITH_DATA, Call
from dataaudit.pipeline.evidence_sources.space_collector import Inputs, SpaceCollector
from dataaudit.scores.base import Scorer


class InputSpaces(Source):
    """Densities and neighbours among the inputs."""

    def __init__(self, spaces: SpaceCollector, inputs: Inputs | None) -> None:
        self._spaces, self._inputs = spaces, inputs

    def check(self) -> None:
        """Raise `ModelError` without a data set."""
        if self._inputs is None:
            raise ModelError("a Recorder without its data set, for a score of inputs", "the inputs", WITH_DATA)

    def collect(self) -> None:
        """Compute them."""
        assert self._inputs is not None
        self._spaces.take_inputs(self._inputs.rows)

    def parts(self) -> dict[str, Any]:
        """Densities, neighbours, and labels around each example."""
        return self._spaces.parts()

    def record(self, scorers: Sequence[Scorer]) -> Record:
        """Record of engine and search."""
        return self._spaces.record(scorers)


def make(call: Call) -> Iterator[Source]:
    """Source of what is requested among the inputs."""
    if call.among.needs:
        yield InputSpaces(call.among, call.inputs)
