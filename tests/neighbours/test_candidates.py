"""What a search found for the labels around each example serves graphs of neighbours, which are the same without it."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest

import dataaudit
from dataaudit.neighbours.base import FunctionIndex
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.labels import NeighbourLabelsNeed, labels_around
from dataaudit.neighbours.search import Faiss, Torch
from dataaudit.representations.spaces import Space

INPUT, DESCRIBED = Space("input"), {"inputs": "vectors"}
N = 300


@dataclass(frozen=True)
class Counting:
    """A search that counts the queries that it answers."""

    search: object
    queries: list = field(default_factory=list, compare=False)
    name = "counting"

    def check(self):
        """It runs where the other does."""

    def open(self, rows, depth):
        index = self.search.open(rows, depth)

        def answer(queries, wanted):
            self.queries.append(len(queries))
            return index(queries, wanted)

        return FunctionIndex(index.exact, index.settings, answer)


def apart():
    return np.random.default_rng(0).normal(size=(N, 6))


def tied():
    """Rows on a grid, and groups of 30, 60 and 150 equal ones, more than slack and candidates hold."""
    rows = np.random.default_rng(0).integers(0, 3, (N, 3)).astype(np.float64)
    rows[:30], rows[50:110], rows[150:] = 5, 7, 9
    return rows[np.random.default_rng(1).permutation(N)]


def around(rows, search, space=INPUT, described=DESCRIBED, **options):
    labels = np.arange(len(rows)) % 3
    need = NeighbourLabelsNeed(space)
    return labels_around(need, rows, described, labels, 3, search, 0, False, **options).candidates


def graph(rows, depth, search, candidates=None, space=INPUT, described=DESCRIBED):
    return neighbour_graph(NeighbourNeed(space, depth), rows, described, search, 4, False, candidates=candidates)


@pytest.mark.parametrize("depth", [1, 20, 100])
@pytest.mark.parametrize("rows", [apart, tied])
@pytest.mark.parametrize("exact", [Faiss(), Torch()])
def test_graphs_that_start_from_candidates_are_those_of_a_search(exact, rows, depth):
    given = rows()
    known = around(given, exact)
    counting = Counting(exact)
    found = graph(given, depth, counting, replace(known, search=counting))
    expected = graph(given, depth, exact)
    np.testing.assert_array_equal(found.distances, expected.distances)
    np.testing.assert_array_equal(found.indices, expected.indices)
    left_out = ("seconds", "search")
    assert {**found.settings, **dict.fromkeys(left_out)} == {**expected.settings, **dict.fromkeys(left_out)}
    # Of rows that lie apart none is searched again; of tied ones those with more ties than there is room for.
    assert sum(counting.queries) == 0 if rows is apart else 150 <= sum(counting.queries) <= N


@pytest.mark.parametrize(
    "other",
    [
        {"search": Torch()},
        {"space": Space("hidden", epoch=3)},
        {"described": {"inputs": "columns levelled"}},
        {"depth": 101},
    ],
    ids=str,
)
def test_candidates_serve_no_other_question(other):
    given, search = apart(), Counting(other.pop("search", Faiss()))
    known = around(given, Faiss())
    depth = other.pop("depth", 20)
    graph(given, depth, search, known if isinstance(search.search, Torch) else replace(known, search=search), **other)
    assert sum(search.queries) == N


def test_none_are_kept_of_a_sample_or_of_a_search_that_may_miss_some():
    assert around(apart(), Faiss(), among=200) is None
    assert around(apart(), Faiss("ivf", probes=1)) is None
    assert around(apart()[:116], Faiss()) is None
    assert around(apart()[:117], Faiss()).rows.shape == (117, 116)


WORDS = [["rain", "wind", "cloud", "storm", "sun"], ["goal", "match", "team", "score", "win"]]
LABELS = np.arange(N) % 2


def texts():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS[row % 2], 4)) for row in range(N)]


def findings(audit, by):
    return [audit.outliers(by=by), audit.ambiguous(by=by), audit.duplicates(by=by)]


def test_findings_of_texts_start_from_what_the_audit_searched():
    counting = Counting(Faiss())
    audit = dataaudit.score(None, (texts(), LABELS), search=counting, progress=False)
    assert sum(counting.queries) == N
    found = findings(audit, "input")
    # Texts of equal words are many here, and are searched again.
    assert sum(counting.queries) < 4 * N
    alone = dataaudit.score(None, (texts(), LABELS), "density/input", search=Faiss(), progress=False)
    for mine, expected in zip(found, findings(alone, "input"), strict=True):
        pd.testing.assert_frame_equal(mine, expected)
        assert mine.attrs["recall"] == expected.attrs["recall"] == 1.0


def test_findings_in_a_layer_start_from_what_the_audit_read_and_searched():
    rows = np.random.default_rng(0).normal(size=(N, 4, 2)).astype(np.float32)
    labels, counting = (rows[:, 0, 0] > 0).astype(int), Counting(Faiss())
    model = dataaudit.networks.build("mlp", (4, 2), 2)
    audit = dataaudit.score(model, (rows, labels), recipe=dataaudit.Recipe(epochs=1), search=counting, progress=False)
    assert audit.settings["neighbour_labels"]["representation"] == "hidden"
    assert sum(counting.queries) == N
    found = findings(audit, "hidden")
    assert sum(counting.queries) == N
    new = audit.score_new(rows[:3], by="hidden", progress=False)
    kept, audit._model._hidden = audit._model.hidden, None
    audit._kept.clear()
    object.__setattr__(audit.evidence.neighbour_labels, "candidates", None)
    for mine, expected in zip(found, findings(audit, "hidden"), strict=True):
        pd.testing.assert_frame_equal(mine, expected)
    pd.testing.assert_frame_equal(audit.score_new(rows[:3], by="hidden", progress=False), new)
    np.testing.assert_array_equal(audit._model.hidden, kept)
    assert sum(counting.queries) == 2 * N
