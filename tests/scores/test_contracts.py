"""Every built-in scorer keeps the contract that plug-ins must keep."""

import numpy as np
import pytest

import dataaudit
from dataaudit import scores
from dataaudit.errors import SettingError
from dataaudit.evidence.base import Need
from dataaudit.scores import Scores
from dataaudit.testing import ScorerContract, example_evidence


@pytest.fixture(params=scores.REGISTRY.builtin_names())
def name(request):
    return request.param


class TestBuiltIn(ScorerContract):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def scorer(self):
        return scores.REGISTRY.get(self.name)

    def test_its_name_is_its_key(self):
        assert self.scorer().name == self.name


class Constant:
    """A third-party scorer."""

    name = "constant"
    summary = "the same for all"
    needs = frozenset({Need.PREDICTIONS})

    def score(self, evidence):
        return Scores(np.zeros(len(evidence.labels)))


class TestPlugIn(ScorerContract):
    def scorer(self):
        return Constant()


class Infinite(Constant):
    def score(self, evidence):
        return Scores(np.full(len(evidence.labels), np.inf))


class Greedy(Constant):
    def score(self, evidence):
        return Scores(np.asarray(evidence.dynamics.mean_margin))


class Negated:
    """A built-in score upside down."""

    def __init__(self, name):
        self.inner = scores.REGISTRY.get(name)
        self.needs = self.inner.needs

    def score(self, evidence):
        return Scores(-self.inner.score(evidence).values)


def test_the_contract_refuses_a_score_upside_down(name):
    suite = type("Suite", (ScorerContract,), {"scorer": lambda self: Negated(name)})()
    for seed in range(3):
        with pytest.raises(AssertionError):
            suite.test_higher_is_more_regular(seed)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Infinite, "test_values_are_one_finite_number_an_example"),
        (Greedy, "test_it_reads_only_what_it_needs"),
    ],
)
def test_the_contract_refuses_a_broken_scorer(broken, law):
    suite = type("Suite", (ScorerContract,), {"scorer": lambda self: broken()})()
    with pytest.raises((AssertionError, AttributeError)):
        getattr(suite, law)()


def test_scorers_are_listed_with_a_line_each():
    listed = dataaudit.scorers.describe()
    assert list(listed) == scores.REGISTRY.names()
    assert len(repr(listed).splitlines()) == len(listed)


def test_a_plug_in_is_found_by_its_entry_point(monkeypatch):
    from importlib.metadata import EntryPoint

    from dataaudit.common import registry

    point = EntryPoint("constant", f"{__name__}:Constant", "dataaudit.scorers")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Constant())
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "dataaudit.scorers" else [])
    assert dataaudit.scorers.describe()["constant"] == "the same for all"
    assert [scorer.name for scorer in scores.resolve(["el2n", "constant"])] == ["el2n", "constant"]


def test_names_are_resolved():
    assert scores.resolve("auto") is None
    assert [scorer.name for scorer in scores.resolve("el2n")] == ["el2n"]
    assert [scorer.name for scorer in scores.resolve([Constant(), "el2n"])] == ["constant", "el2n"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("mean_margn", "did you mean 'mean_margin'"),
        ([], "at least one"),
        (["el2n", "el2n"], "once"),
        ([3], "scorer 3"),
        (3, "scorers=3"),
        (Constant, "scorer"),
    ],
)
def test_wrong_names_are_refused(wrong, message):
    with pytest.raises(SettingError, match=message):
        scores.resolve(wrong)


def test_dynamics_scores_are_oriented_and_keep_their_definitions():
    evidence = example_evidence()
    dynamics = evidence.dynamics
    seen = dynamics.seen > 0

    def of(name):
        return scores.REGISTRY.get(name).score(evidence)

    assert np.isnan(of("learning_speed").values).tolist() == (~seen).tolist()
    np.testing.assert_array_equal(of("learning_speed").values[seen], dynamics.correct[seen])
    np.testing.assert_array_equal(of("learning_speed").ties, dynamics.mean_margin)
    np.testing.assert_array_equal(of("first_learned").values[seen], -dynamics.first_correct[seen])
    never = seen & (dynamics.correct == 0)
    assert (of("forgetting").values[never] == -(dynamics.epochs + 1)).all()
    learned = seen & ~never
    np.testing.assert_array_equal(of("forgetting").values[learned], -dynamics.forgetting[learned])
    for name in scores.REGISTRY.builtin_names():
        scorer = scores.REGISTRY.get(name)
        if scorer.needs == {Need.DYNAMICS}:
            assert np.corrcoef(scorer.score(evidence).values[seen], dynamics.mean_margin[seen])[0, 1] > 0.3, name
