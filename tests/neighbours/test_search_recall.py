"""What approximate searches find of the nearest neighbours, how that is measured, and what is advised."""

import numpy as np
import pytest

from dataaudit.errors import SettingError
from dataaudit.neighbours.candidates import SLACK
from dataaudit.neighbours.compute import neighbour_graph
from dataaudit.neighbours.graph import NeighbourNeed
from dataaudit.neighbours.search import Faiss, advice
from dataaudit.representations.spaces import Space


def found(x, depth, search=None, seed=0, **options):
    return neighbour_graph(NeighbourNeed(Space("input"), depth=depth), x, {}, search or Faiss(), seed, False, **options)


def test_the_recall_of_an_approximate_search_is_recorded():
    x = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)
    settings = found(x, 20, Faiss("ivf", probes=60)).settings
    assert 0.9 < settings["recall"] <= 1
    assert settings["recall_queries"] == 1000
    assert settings["index"] == "ivf"
    assert found(x, 20, Faiss("ivf", probes=60, cells=60)).settings["recall"] == 1.0
    assert "recall" not in found(x, 20).settings


def test_a_cut_graph_says_of_which_depth_the_recall_is():
    x = np.random.default_rng(0).normal(size=(1000, 16)).astype(np.float32)
    deep = found(x, 60, Faiss("ivf"))
    assert (deep.settings["recall_depth"], deep.settings["tried_depth"]) == (60, 60 + SLACK)
    cut = deep.first(5).settings
    assert (cut["depth"], cut["recall_depth"], cut["tried_depth"]) == (5, 60, 60 + SLACK)
    assert cut["recall"] == deep.settings["recall"]


def test_probes_are_as_few_as_the_recall_takes():
    """Clustered rows: more is searched where more is wanted, and what is found of other rows is near what was tried."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(20, 32))[rng.integers(20, size=4000)] * 3 + rng.normal(size=(4000, 32))).astype(np.float32)
    few, many = (found(x, 20, Faiss("ivf", recall=recall)).settings for recall in (0.7, 0.99))
    assert few["probes"] < many["probes"]
    for settings, wanted in ((few, 0.7), (many, 0.99)):
        assert settings["wanted_recall"] == wanted <= settings["tried_recall"]
        assert abs(settings["recall"] - settings["tried_recall"]) < 0.05
        assert 0 < settings["recall_stderr"] < 0.02
    again = found(x, 20, Faiss("ivf", recall=0.7)).settings
    assert {**again, "seconds": 0} == {**few, "seconds": 0}


def test_links_find_as_much_with_fewer_probes():
    rng = np.random.default_rng(0)
    surfaces = rng.normal(size=(20, 6, 32))
    inner = rng.normal(size=(6000, 6))
    x = np.einsum("nk,nkd->nd", inner, surfaces[rng.integers(20, size=6000)]).astype(np.float32)
    plain = found(x, 20, Faiss("ivf")).settings
    assert "links" not in plain
    linked = found(x, 20, Faiss("ivf", linked_rows=6000)).settings
    assert linked["links"] == 24
    assert linked["probes"] < 0.7 * plain["probes"]
    assert min(linked["recall"], plain["recall"]) > 0.93


def test_too_few_found_is_an_error():
    x = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    with pytest.raises(SettingError, match="search='auto'"):
        found(x, 100, Faiss("ivf", cells=40, probes=1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"index": "ivf", "cells": 40, "probes": 7}, "pass Faiss('ivf', probes=...) with more than 7 of at most 40"),
        ({"index": "ivf", "cells": 40, "probes": 40}, "pass search='torch', which compares all pairs"),
        (
            {"index": "graph", "max_candidates": 60},
            "pass PyNNDescent(max_candidates=...) with more than 60 of at most 100",
        ),
        ({"index": "graph", "max_candidates": 100}, "pass search='torch', which compares all pairs"),
        ({"index": "of another package"}, "pass search='torch', which compares all pairs"),
        ({}, "pass search='torch', which compares all pairs"),
    ],
)
def test_advice_is_an_option_of_that_index_that_is_not_exhausted(settings, words):
    assert advice(settings) == words
