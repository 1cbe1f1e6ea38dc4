"""Constants of the consensus: the grid, what is kept of an audit, and when a variant is chosen."""

from __future__ import annotations

import numpy as np
import pytest

import dataaudit
from benchmarks.peers import constants, families
from benchmarks.peers.cases import Case, Source
from benchmarks.peers.cells import Book
from benchmarks.peers.constants import Section, built, grid, sections, shipped, variant
from benchmarks.peers.families import FAMILIES, RIDGE, kept
from dataaudit.labels.combine import WEIGHTS
from dataaudit.labels.posterior import CONSTANTS

SECTION = Section.of("made", (RIDGE,), [{}, {"odds": 0.1}, {"odds": 0.2}])


def case() -> Case:
    labels = np.arange(60) % 3
    vectors = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32) + 2 * np.eye(4)[labels]
    return Case(
        Source("made", "none", None, vectors, vectors, labels, {}),
        "pairs 20%",
        0,
        np.where(np.arange(60) % 7 == 0, (labels + 1) % 3, labels),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_what_ships_is_the_first_variant(family):
    assert grid(family)[0] == {}
    assert built(family, shipped(family)) == (WEIGHTS, CONSTANTS)


def test_every_section_varies_what_its_families_have():
    for section in sections():
        for family in section.families:
            there = {variant(family, change) for change in grid(family)}
            assert {variant(family, change) for change in section.changes} <= there


def test_an_audit_that_was_kept_gives_its_consensus_again(tmp_path):
    found = kept(case(), tmp_path)
    expected = dataaudit.score(None, (case().source.inputs, case().given), progress=False).columns["consensus"]
    assert found.family == RIDGE
    np.testing.assert_array_equal(found.consensus(WEIGHTS, CONSTANTS), expected)
    assert set(found.singles) == {"heldout_confidence", "source heldout", "source neighbours"}
    other = built(RIDGE, shipped(RIDGE) | {"heldout": 0.1})
    assert not np.array_equal(found.consensus(*other), expected)


def test_cells_that_are_there_are_skipped(tmp_path, monkeypatch):
    book = Book(tmp_path / "constants.csv", constants.COLUMNS)
    few = {family: [{}, {"odds": 0.1}] for family in FAMILIES}
    constants.evaluate(case(), "choosing", {family: [{}] for family in FAMILIES}, book, tmp_path)
    assert len(book.rows()) == 1
    monkeypatch.setattr(families, "audited", None)
    for _ in range(2):
        constants.evaluate(case(), "choosing", few, book, tmp_path)
        assert [row["trained"] for row in book.rows()] == [variant(RIDGE, change) for change in few[RIDGE]]


def rows(half, gains, data="made"):
    """Cells of two variants: average precision above the best single score by case and variant."""
    return [
        {
            **{"data": data, "noise": str(place), "rows": "9", "model": "", "seed": "0", "tool": "dataaudit"},
            **{"trained": variant(RIDGE, change), "half": half, "family": RIDGE},
            **{"average_precision": str(0.5 + value), "best_single": "0.5"},
        }
        for place, line in enumerate(gains)
        for change, value in zip(SECTION.changes, line, strict=True)
    ]


@pytest.mark.parametrize(
    ("gains", "choice"),
    [
        ([(0, 0.004, 0), (0.001, 0.005, 0), (0, 0.003, 0.01)], "odds 0.1"),
        ([(0, 0.0005, 0), (0, 0.0006, 0), (0, 0.0005, 0)], "shipped"),
        ([(0, 0.02, 0), (0, -0.015, 0), (0, 0.012, 0)], "shipped"),
        ([(0.03, 0.5, 0), (0.02, 0.4, 0), (0.02, 0.3, 0)], "shipped"),
    ],
    ids=["clearly better", "hardly better", "better by chance", "beyond the limit"],
)
def test_a_variant_is_chosen_where_it_is_clearly_better(gains, choice, capsys):
    constants.tell(SECTION, rows("choosing", gains) + rows("reporting", [(0.1, -0.1, 0.0)]))
    assert f"THE CHOICE: {choice}\n" in capsys.readouterr().out


def test_data_sets_weigh_the_same():
    made = rows("choosing", [(0, 0.01, 0), (0, 0.01, 0), (0, 0.01, 0)]) + rows("choosing", [(0, 0, 0)], "made 700")
    assert constants.data_set({"data": "made 700"}) == "made"
    found = constants.Gains.of(made, "choosing", SECTION, SECTION.changes)
    assert (found.sets, len(found.weights)) == (1, 4)
    apart = rows("choosing", [(0, 0.01, 0)] * 3) + rows("choosing", [(0, 0, 0)], "other")
    found = constants.Gains.of(apart, "choosing", SECTION, SECTION.changes)
    np.testing.assert_allclose(found.weights, [1 / 6] * 3 + [1 / 2])
    np.testing.assert_allclose(found.clipped, [0, 0.005, 0])


def test_a_family_without_its_sources_is_refused(tmp_path):
    found = kept(case(), tmp_path)
    found.parts.pop("neighbours")
    with pytest.raises(ValueError, match="expected those of a family"):
        assert found.family
