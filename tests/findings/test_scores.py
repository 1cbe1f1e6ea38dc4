"""Outliers, duplicates, ambiguity and typical examples, from graphs and matrices alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.findings import ambiguous, duplicates, outliers, typical
from dataaudit.neighbours.graph import Neighbours


def graph_of(rows, depth):
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, : min(depth, len(rows) - 1)]
    return Neighbours(order, np.take_along_axis(apart, order, 1))


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 2)), min_size=2, max_size=12))
def test_what_is_usual_is_the_median_of_the_others_of_the_class(pairs):
    values, labels = np.array([v for v, _ in pairs]), np.array([c for _, c in pairs])
    found = outliers.usual_in_class(values, labels, 3)
    for i in range(len(values)):
        others = (labels == labels[i]) & (np.arange(len(values)) != i)
        expected = values[others] if others.any() else np.delete(values, i)
        np.testing.assert_allclose(found[i], np.median(expected))


def test_a_ratio_to_nothing_is_one_for_nothing_and_infinite_for_anything():
    assert outliers.ratio(np.array([0.0, 2.0, 3.0]), np.array([0.0, 0.0, 2.0])).tolist() == [1.0, np.inf, 1.5]


def test_reasons_say_how_far_in_words():
    assert outliers.reasons(np.array([4.13]), 1) == ["its nearest example is 4.1 times as far as is usual in its class"]
    assert "5 nearest examples are apart" in outliers.reasons(np.array([np.inf]), 5)[0]


@settings(deadline=None)
@given(st.integers(0, 500), st.floats(0, 0.9))
def test_groups_are_the_components_of_near_pairs(seed, share):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 6, size=(14, 2)).astype(float) + rng.choice([0.0, 0.05], size=(14, 2))
    labels = rng.integers(0, 2, 14)
    graph = graph_of(rows, 13)
    found = duplicates.groups(graph, labels, share)
    usual = duplicates.usual_distance(graph)
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    near = (apart <= share * np.minimum(usual[:, None], usual)) | (apart == 0)
    member = list(range(14))
    for _ in range(14):
        member = [min(member[j] for j in np.flatnonzero(near[i])) for i in range(14)]
    expected = {tuple(np.flatnonzero(np.array(member) == c)) for c in member if member.count(c) > 1}
    assert {tuple(found.index[found.group == g]) for g in np.unique(found.group)} == expected
    # Groups are numbered in order, those with differing labels first.
    first = [found.differing[found.group == g][0] for g in np.unique(found.group)]
    assert first == sorted(first, reverse=True)
    for g in np.unique(found.group):
        assert found.differing[found.group == g][0] == (len(set(labels[found.index[found.group == g]])) > 1)


def test_votes_of_neighbours_name_two_classes():
    rows = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])
    found = ambiguous.of_neighbours(graph_of(rows, 4), np.array([0, 1, 1, 2, 1]), 3)
    assert found.first[0] == 1
    assert found.first_probability[0] == 0.75
    assert found.second[0] == 2
    assert found.score[0] == 0.25
    # Row 3 sees 0, 1, 1, 1.
    assert (found.first[3], found.second[3]) == (1, 0)


def test_one_class_around_leaves_no_second():
    found = ambiguous.of_neighbours(graph_of(np.arange(4.0)[:, None], 3), np.array([0, 0, 0, 1]), 2)
    assert found.second[3] == -1
    assert found.score[3] == 0.0


def test_typical_is_highest_first_by_ties_then_position_without_nan():
    values = np.array([1.0, 3.0, 3.0, np.nan, 2.0])
    found = typical.most_typical(values, np.array([0.0, 1.0, 2.0, 0.0, 0.0]), np.array([0, 0, 0, 0, 1]), 3, 2)
    assert found.tolist() == [2, 1, 4]
    assert typical.trusted({"c_score": values, "class_density/input": values}, "c_score") == "class_density/input"
    assert typical.trusted({"el2n": values}, "el2n") == "el2n"
