import numpy as np
import pytest

from dataaudit.findings import alike
from dataaudit.findings.alike import affordable, nearest_of_classes


@pytest.mark.parametrize("block", [1, 40, alike.BLOCK])
@pytest.mark.parametrize("d", [1, 20])
def test_the_nearest_of_each_class_are_those_of_all_distances(monkeypatch, block, d):
    monkeypatch.setattr(alike, "BLOCK", block)
    rng = np.random.default_rng(0)
    rows, labels = 1000 + rng.normal(size=(63, d)).astype(np.float32), rng.integers(-1, 3, size=63)
    queries = np.array([0, 5, 62, 7])
    classes = np.array([[0, 1], [2, -1], [labels[62], 0], [3, 1]])
    found = nearest_of_classes(rows, labels, queries, classes, 3)
    distance = ((rows[queries, None].astype(np.float64) - rows[None]) ** 2).sum(2)
    for at, query in enumerate(queries.tolist()):
        for side, label in enumerate(classes[at].tolist()):
            members = np.setdiff1d(np.flatnonzero(labels == label), [query]) if label >= 0 else np.zeros(0, int)
            nearest = members[np.argsort(distance[at, members])][:3].tolist()
            assert found[at, side].tolist() == [*nearest, *[-1] * (3 - len(nearest))]


def test_few_members_and_rows_that_are_not_finite_leave_blanks():
    rows = np.array([[0.0], [1.0], [np.nan], [np.inf], [2.0]], np.float32)
    found = nearest_of_classes(rows, np.zeros(5, np.int64), np.array([0]), np.array([[0, 1]]), 4)
    assert found.tolist() == [[[1, 4, -1, -1], [-1] * 4]]
    assert nearest_of_classes(rows, np.zeros(5, int), np.zeros(0, int), np.zeros((0, 2), int), 2).shape == (0, 2, 2)


def test_as_many_are_looked_up_as_the_cost_allows():
    sizes, classes = np.array([100, 50]), np.array([[0, -1], [0, 1], [1, 0]])
    each, reading = 10 + alike.COMPARING, alike.READING * 10
    first = 100 * (each + reading)
    second = first + 100 * each + 50 * (each + reading)
    assert [affordable(sizes, classes, 10, cost) for cost in (first - 1, first, second - 1, second)] == [0, 1, 1, 2]
    assert affordable(sizes, classes, 10, 10**9) == 3
