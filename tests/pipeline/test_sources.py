"""A source of evidence of a further kind: a file and a line of the table."""

import numpy as np
import pytest

import dataaudit
from dataaudit.pipeline import plan
from dataaudit.pipeline.interrupted import Interrupted
from dataaudit.pipeline.sources.base import Record, Source
from dataaudit.scores.base import Scores

LENGTHS = ("lengths", "of the inputs")
"""What the scorer needs; any value that can be hashed."""


class Lengths(Source):
    """Euclidean lengths of the inputs."""

    provides = frozenset({LENGTHS})

    def __init__(self, call, press):
        self._inputs, self._press, self._found = call.inputs, press, {}

    def collect(self):
        if self._press:
            raise KeyboardInterrupt
        self._found = {"others": {LENGTHS: np.linalg.norm(self._inputs.rows.plain[0], axis=1)}}

    def parts(self):
        return self._found

    def record(self, scorers):
        return Record({"lengths": [scorer.name for scorer in scorers]}, ["lengths were measured"])


class Short:
    name, summary, needs = "short", "long inputs are odd", frozenset({LENGTHS})

    def score(self, evidence):
        return Scores(-evidence.others[LENGTHS])


@pytest.fixture
def with_lengths(monkeypatch):
    def put(press=False):
        def make(call):
            return [Lengths(call, press)] if LENGTHS in call.needs else []

        monkeypatch.setattr(plan, "SOURCES", (*plan.SOURCES, make))

    return put


DATA = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2


def test_its_part_reaches_scorers_settings_and_notes(with_lengths):
    with_lengths()
    audit = dataaudit.score(None, DATA, [Short(), "parzen/input"], progress=False)
    np.testing.assert_allclose(audit.columns["short"], -np.linalg.norm(DATA[0], axis=1), rtol=1e-6)
    assert audit.settings["lengths"] == ["short", "parzen/input"]
    assert "lengths were measured" in audit.settings["notes"]


def test_what_others_have_complete_is_kept(with_lengths):
    with_lengths(press=True)
    with pytest.raises(Interrupted) as caught:
        dataaudit.score(
            dataaudit.networks.build("mlp", (3,), 2),
            DATA,
            [Short(), "el2n"],
            recipe=dataaudit.Recipe(epochs=2),
            progress=False,
        )
    audit = caught.value.audit()
    assert list(audit.columns) == ["el2n"]
    assert "lengths" in audit.settings
