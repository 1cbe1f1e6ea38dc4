"""A source of evidence of a further kind: a file and a line of the table."""

import numpy as np
import pytest
import torch

import dataaudit
from dataaudit.density.sums import DensityNeed
from dataaudit.errors import SettingError
from dataaudit.evidence.base import Need
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed
from dataaudit.pipeline import plan
from dataaudit.pipeline.evidence_sources.base import Record, Source
from dataaudit.pipeline.interrupted import Interrupted
from dataaudit.representations.spaces import Space
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


class Reads:
    """A scorer of any needs."""

    summary = ""

    def __init__(self, name, *needs):
        self.name, self.needs = name, frozenset(needs)

    def score(self, evidence):
        return Scores(np.zeros(len(evidence.labels)))


def trained(*scorers, **options):
    model, recipe = dataaudit.networks.build("mlp", (3,), 2)(), dataaudit.Recipe(epochs=2)
    return dataaudit.score(model, DATA, list(scorers), recipe=recipe, progress=False, **options)


SPACES = Space("input"), Space("hidden", epoch=1), Space("hidden", epoch=2), Space("hidden")


@pytest.mark.parametrize(
    ("table", "need"),
    [("density", lambda space: DensityNeed(space, "1x")), ("neighbours", lambda space: NeighbourNeed(space, 3))],
)
def test_a_score_of_several_spaces_is_recorded_with_all_in_order(table, need):
    records = trained(Reads("all", *map(need, SPACES))).settings[table]["all"]
    assert [(record["representation"], record["epoch"]) for record in records] == [
        ("input", None),
        ("hidden", 1),
        ("hidden", 2),
        ("hidden", None),
    ]


@pytest.mark.parametrize("other", SPACES[:3])
def test_labels_around_an_example_lie_in_one_space(other):
    needs = NeighbourLabelsNeed(other), NeighbourLabelsNeed(Space("hidden"))
    with pytest.raises(SettingError, match="one representation"):
        trained(*(Reads(name, need) for name, need in zip("ab", needs, strict=True)))
    assert trained(Reads("a", needs[0]), Reads("b", needs[0])).evidence.neighbour_labels is not None


class Still(torch.nn.Linear):
    """A network that nothing random has a part in."""

    def forward(self, x):
        return super().forward(x * 0).detach() + 0 * self.bias


@pytest.mark.parametrize("needs", [{Need.DYNAMICS}, {Need.EVALUATIONS}, {Need.DYNAMICS, Need.EVALUATIONS}])
def test_runs_that_repeat_each_other_are_told_of_whatever_is_read_of_them(needs):
    recipe = dataaudit.Recipe(epochs=2, evaluations=1, batch_size=8)
    for model, same in ((Still(3, 2), True), (torch.nn.Linear(3, 2), False)):
        audit = dataaudit.score(model, DATA, [Reads("all", *needs)], recipe=recipe, repeats=2, progress=False)
        assert any("every training run showed the same" in note for note in audit.settings["notes"]) == same
        assert audit.settings["passes"] == pytest.approx(2 * (2 + (Need.EVALUATIONS in needs) / 3), abs=0.01)
