"""Near-duplicates by "auto": hardly any by chance, in any dimension, and those that were planted."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_moons

import dataaudit
from dataaudit.findings import duplicates
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import resolve
from dataaudit.representations.spaces import Space

RNG = np.random.default_rng(0)
SPREAD = {
    "plane": RNG.random((600, 2)),
    "moons": make_moons(500, noise=0.1, random_state=0)[0],
    "line": np.outer(np.linspace(0, 1, 400), RNG.normal(size=64)) + 1e-5 * RNG.normal(size=(400, 64)),
    "points on a line": RNG.normal(size=(1000, 1)),
    "grid": np.indices((25, 24)).reshape(2, -1).T.astype(float),
    "density of many sizes": np.exp(3 * RNG.normal(size=(1000, 2))),
    **{f"{width} dimensions": RNG.normal(size=(600, width)) for width in (2, 3, 5, 8, 64, 384)},
    "images": load_digits().data[:800],
}


def found(rows):
    """Rows that are in a group."""
    need = NeighbourNeed(Space("input"), duplicates.DEPTH)
    graph = neighbour_graph(need, rows, {}, resolve("torch"), 0, False)
    labels = np.zeros(len(rows), np.int64)
    return duplicates.groups(graph, labels, duplicates.automatic_share(graph)).index, graph


@pytest.mark.parametrize("kind", SPREAD)
def test_hardly_any_are_called_alike_by_chance(kind):
    assert len(found(SPREAD[kind])[0]) <= 0.02 * len(SPREAD[kind])


@pytest.mark.parametrize("kind", [name for name in SPREAD if "dimensions" in name or name == "images"])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_planted_ones_are_found(kind, share):
    rows = SPREAD[kind]
    few = int(share * len(rows))
    spacing = np.median(found(rows)[1].distances[:, 0])
    jitter = RNG.normal(size=(few, rows.shape[1]))
    jitter *= 0.01 * spacing / np.linalg.norm(jitter, axis=1, keepdims=True)
    index, _ = found(np.concatenate([rows, rows[:few] + jitter]))
    assert np.isin(np.arange(few), index).mean() >= 0.95
    assert np.isin(np.arange(few, len(rows)), index).mean() <= 0.02


def test_texts_with_a_slip_are_found_among_others():
    length = 20
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnoprstuvwz")
    words = ["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(2000)]
    common = 1 / np.arange(1, 2001)
    texts = [rng.choice(words, length, p=common / common.sum()) for _ in range(440)]
    for text in texts[:40]:
        slip = text.astype(object)
        place = rng.integers(length)
        slip[place] = slip[place][1] + slip[place][0] + slip[place][2:]
        texts.append(slip)
    spelled = [" ".join(text) for text in texts]
    labels = np.arange(480) % 2
    table = dataaudit.score(None, (spelled, labels), "parzen/input", progress=False).duplicates()
    group = table.set_index("row")["group"]
    assert np.mean([group.get(row, -1) == group.get(440 + row, -2) for row in range(40)]) >= 0.95
    assert sum(40 <= row < 440 for row in group.index) <= 0.02 * 400
