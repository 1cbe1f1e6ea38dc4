"""One call of `dataaudit.score` as its sources see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataaudit.errors import InPython, ModelError
from dataaudit.pipeline.evidence_sources.base import Run
from dataaudit.pipeline.evidence_sources.space_collector import Inputs, SpaceCollector
from dataaudit.pipeline.request import Request
from dataaudit.pipeline.subject import Subject
from dataaudit.scores import REGISTRY
from dataaudit.scores.base import Scorer


@dataclass(frozen=True)
class Call:
    """Arguments that sources choose from.

    Attributes
    ----------
    request, subject, run
        Arguments; data set and model; labels, seed, notes.
    scorers, needs
        Scores to compute, and all that they read.
    among, inside
        Collectors of what lies among the inputs, and in the layers of the model.
    inputs
        Inputs as rows; None without a data set.
    """

    request: Request
    subject: Subject
    run: Run
    scorers: Sequence[Scorer]
    needs: set[Any]
    among: SpaceCollector
    inside: SpaceCollector
    inputs: Inputs | None


WITH_DATA = "pass dataset=, the data that the loop trained on"


def no_model(arrived: str) -> ModelError:
    """Error of scores that need a model."""
    return ModelError(
        arrived,
        "a model (torch module, factory or scikit-learn classifier), which every score but those of inputs needs: "
        + ", ".join(name for name in REGISTRY.names() if not name.endswith("/input")),
        [
            "pass model=",
            InPython("pass a Recorder that your own loop filled"),
            "pass inputs that are texts or vectors of numbers (embeddings)",
            "make vectors of images with embed=",
            "pass scorers='parzen/input'",
        ],
    )
