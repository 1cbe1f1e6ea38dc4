"""Densities and neighbours among the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dataaudit.data.inspection import TABLE
from dataaudit.errors import DataError, ModelError
from dataaudit.pipeline.evidence_sources.base import Record, Source
from dataaudit.pipeline.evidence_sources.call import WITH_DATA, Call
from dataaudit.pipeline.evidence_sources.space_collector import Inputs, SpaceCollector
from dataaudit.pipeline.subject import Subject
from dataaudit.scores.base import Scorer


class InputSpaces(Source):
    """Densities and neighbours among the inputs."""

    def __init__(self, spaces: SpaceCollector, inputs: Inputs | None, subject: Subject) -> None:
        self._spaces, self._inputs, self._subject = spaces, inputs, subject

    def check(self) -> None:
        """Raise `ModelError` without a data set, and `DataError` where rows that are no table's have gaps."""
        if self._inputs is None:
            raise ModelError("a Recorder without its data set, for a score of inputs", "the inputs", WITH_DATA)
        seen = self._subject.inspection
        if seen is not None and seen.gaps and seen.dtype != TABLE:
            raise DataError(
                f"missing values in {seen.gaps}", "inputs without gaps, for distances between them", self._filled()
            )

    def _filled(self) -> list[str]:
        """Advice on gaps: only models are scored without distances, and without either rows can be dropped."""
        if self._subject.learner is not None:
            return ["fill or drop those rows", "pass scorers='heldout_confidence', which the model alone gives"]
        return ["fill those rows", *(["pass on_bad_rows='drop'"] if self._subject.recorder is None else [])]

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
        yield InputSpaces(call.among, call.inputs, call.subject)
