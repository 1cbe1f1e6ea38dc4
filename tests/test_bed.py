"""The bed of cases: its table, the errors that are planted, and what is kept of a case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.bed import __main__ as bed
from benchmarks.peers.bed import data, models, noise, shown, strata
from dataaudit.common.probabilities import ClassProbabilities
from dataaudit.labels.combine import with_consensus


def folders(cache: Path) -> data.Folders:
    return data.Folders(cache, "nowhere", cache)


def test_every_line_of_the_table_names_what_there_is():
    found = [*strata.cases(), *strata.fresh()]
    assert {case.kind for case in found} <= set(data.KINDS)
    assert {case.model for case in found} <= {*models.SKLEARN, *models.OWN, *models.NETWORKS}
    assert {case.recipe for case in found} <= set(models.RECIPES)
    known = {"real", "careless", "one_annotator", "very_careless", *noise.KINDS}
    assert {case.noise.split()[0] for case in found} <= known
    assert len({case.name for case in found}) == len({case.file for case in found}) == len(found) >= 140
    for stratum in strata.STRATA:
        assert sum(case.stratum == stratum for case in found) >= 22
    networks = {case.recipe for case in found if case.model not in models.NETWORKS}
    assert networks == {"auto"}, "a recipe beside a model that takes none"


@pytest.mark.parametrize("kind", ["symmetric", "nearest", "hard", "onto"])
def test_planted_errors_are_exactly_as_many_as_asked_for(kind, tmp_path):
    rows = data.data_of("digits", 300, False, 3, folders(tmp_path))
    given = noise.given_of(rows, f"{kind} 10%", 5)
    assert (given != rows.true).sum() == 30
    if kind == "onto":
        assert (given[given != rows.true] == 0).all()
    np.testing.assert_array_equal(given, noise.given_of(rows, f"{kind} 10%", 5))


def test_unbalanced_classes_shrink_and_too_many_rows_raise(tmp_path):
    rows = data.data_of("digits", None, True, 0, folders(tmp_path))
    counts = np.bincount(rows.true)
    assert counts[0] > 2 * counts[3] > 2 * counts[9]
    with pytest.raises(ValueError, match="ask for fewer"):
        data.data_of("wine", 1000, False, 0, folders(tmp_path))


@pytest.fixture
def without_peers(monkeypatch):
    """Nothing for cleanlab, which comes with the benchmarks alone."""
    monkeypatch.setattr(shown, "MOST_PEERS", 0)


def test_a_case_is_kept_without_pickles_and_feeds_estimators(tmp_path, without_peers):
    case = strata.parsed("small", "wine | symmetric 10% | logistic")
    shown.run(case, folders(tmp_path))
    about, arrays = shown.read(tmp_path / case.file)
    wrong = arrays["given"] != arrays["true"]
    assert about["n"] == len(wrong) == 178
    assert wrong.mean() == pytest.approx(about["error_rate"]) == pytest.approx(0.1, abs=0.01)
    parts = shown.parts_of(about, arrays)
    assert set(parts) == {"heldout", "neighbours", "ridge"} == set(about["outside_sources"])
    assert all(part.values.shape == (178, 3) for part in parts.values())
    np.testing.assert_allclose(arrays["source_heldout"].sum(1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.nansum(arrays["error_probability"]) / 178, about["today"]["rate"], rtol=1e-6)
    assert about["cleanlab"] == {}
    assert "peer_folds" not in arrays
    shown.judge_again(tmp_path / case.file)
    again, judged = shown.read(tmp_path / case.file)
    assert again["today"]["estimates"] == pytest.approx(about["today"]["estimates"], rel=1e-5)
    for name in ("rate", "lower", "upper"):
        assert again["today"][name] == pytest.approx(about["today"][name], rel=1e-5)
    np.testing.assert_allclose(judged["error_probability"], arrays["error_probability"], rtol=1e-3, atol=1e-6)
    line = bed.line_of(about)
    assert line["holds"] == (about["today"]["lower"] - 0.5 / 178 <= wrong.mean() <= about["today"]["upper"] + 0.5 / 178)


def test_what_is_kept_gives_the_beliefs_of_the_audit_again(tmp_path, without_peers):
    from types import SimpleNamespace

    from dataaudit.evidence.base import Evidence

    case = strata.parsed("small", "breast cancer | symmetric 10% | none")
    shown.run(case, folders(tmp_path))
    about, arrays = shown.read(tmp_path / case.file)
    parts = shown.parts_of(about, arrays)
    evidence = Evidence(
        arrays["given"],
        ("0", "1"),
        heldout=SimpleNamespace(probabilities=parts["heldout"]),
        neighbour_labels=SimpleNamespace(probabilities=parts["neighbours"], settings=about["around"]),
        methods=about["ways"],
    )
    again = with_consensus(evidence).combined
    assert isinstance(again.probabilities, ClassProbabilities)
    np.testing.assert_allclose(again.probabilities.values, arrays["beliefs"], rtol=1e-5, atol=1e-7)


def test_a_network_is_also_judged_on_a_quarter_it_was_not_trained_on(tmp_path):
    case = strata.parsed("weak", "digits 300 | symmetric 10% | mlp | 2 epochs")
    shown.run(case, folders(tmp_path))
    about, arrays = shown.read(tmp_path / case.file)
    assert arrays["part_probabilities"].shape == (75, 10)
    assert len(np.unique(arrays["part_rows"])) == 75
    right = arrays["part_probabilities"].argmax(1) == arrays["true"][arrays["part_rows"]]
    assert about["accuracy_on_true"]["part"] == pytest.approx(right.mean(), abs=1e-5)
    assert "peer_folds" not in arrays


def test_labels_without_errors_are_held_by_an_interval_from_below_half_an_example():
    assert bed.holds(0.0, 0.4 / 100, 0.2, 100)
    assert not bed.holds(0.0, 0.6 / 100, 0.2, 100)
    assert bed.off(np.array([0.0]), np.array([0.1]), np.array([0.05])) == f"{np.log(2):.2f}"
