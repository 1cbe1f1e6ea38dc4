"""All sources of evidence, in the order in which they are collected; a new kind is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dataaudit.pipeline.evidence_sources import (
    cross_validation,
    input_spaces,
    predictions,
    recording,
    ridge_loo,
    subset_runs,
    training,
)
from dataaudit.pipeline.evidence_sources.base import Source
from dataaudit.pipeline.evidence_sources.call import Call

SOURCES: tuple[Callable[[Call], Iterable[Source]], ...] = (
    predictions.make,
    input_spaces.make,
    recording.make,
    training.make,
    cross_validation.make,
    ridge_loo.make,
    subset_runs.make,
)
"""Each makes what a call needs of one kind: nothing, one source, or several."""
