"""Refusals of scores: whatever they advise works when it is followed."""

import numpy as np
import pytest

from dataaudit.scores import resolve
from dataaudit.scores.density import Density
from dataaudit.scores.neighbours import NeighbourCScore
from dataaudit.scores.quality import LabelQuality
from dataaudit.scores.saved import check_names, saved_scores

LABELS = np.arange(6) % 2
VALUES = np.linspace(0, 1, 6)
GAPS = np.where(np.arange(6) == 2, np.nan, VALUES)


def saved(source):
    return saved_scores({"c_score": source}, LABELS, ("0", "1"), [])


def files():
    """Four archives in the working folder, the first of which is refused."""
    np.savez("unnamed.npz", other=VALUES)
    np.savez("named.npz", scores=VALUES)
    return {"source": "unnamed.npz"}


def labelled(labels):
    """A file whose labels are others than the data set's, beside one whose labels are those."""

    def made():
        np.savez("others.npz", scores=VALUES, labels=labels)
        np.savez("same.npz", scores=VALUES, labels=LABELS)
        return {"source": "others.npz"}

    return made


CASES = {
    "no scorers": (resolve, {"scorers": 3}),
    "an empty list": (resolve, {"scorers": []}),
    "a scorer twice": (
        resolve,
        {"scorers": ["el2n", "el2n"]},
        {"the repeats": {"scorers": ["el2n"]}},
    ),
    "a scorer of no name": (resolve, {"scorers": "elzn"}, {"did you mean 'el2n'": {"scorers": "el2n"}}),
    "no epochs": (Density, {"representation": "hidden", "epochs": "last"}),
    "no density": (Density, {"representation": "hidden", "kind": "parsen"}, {"choose from": {"kind": "parzen"}}),
    "no ratio": (NeighbourCScore, {"representation": "hidden", "ratio": 1.5}),
    "no neighbours": (NeighbourCScore, {"representation": "hidden", "k": 0}),
    "no inclusion": (
        NeighbourCScore,
        {"representation": "hidden", "inclusion": "binomial"},
        {"choose from": {"inclusion": "bernoulli"}},
    ),
    "no share": (LabelQuality, {"floor": 2.0}),
    "known scores of no name": (
        check_names,
        {"given": {"c_scores": VALUES}},
        {"did you mean 'c_score'": {"given": {"c_score": VALUES}}},
    ),
    "scores of other rows": (saved, {"source": VALUES[:4]}, {"own": {"source": VALUES}}),
    "scores of NaN": (
        saved,
        {"source": VALUES * np.nan},
        {"leave it out": "a call without known scores reads none", "save its values": {"source": VALUES}},
    ),
    "infinite scores": (saved, {"source": np.where(np.isnan(GAPS), np.inf, VALUES)}, {"NaN": {"source": GAPS}}),
    "words for scores": (
        saved,
        {"source": ["a"] * 6},
        {"an array of numbers": {"source": VALUES}, "the path": "the next case reads a file"},
    ),
    "scores of no name": (saved, files, {"under that name": {"source": "named.npz"}}),
    "no file": (
        saved,
        lambda: files() | {"source": "missing.npz"},
        {"numpy.savez": {"source": "named.npz"}},
    ),
    "labels of other rows": (saved, labelled(LABELS[:3]), {"same rows": {"source": "same.npz"}}),
    "other labels": (saved, labelled(1 - LABELS), {"in the order": {"source": "same.npz"}}),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(follow, kind):
    follow(*CASES[kind])


def test_no_advice_is_left_out(left):
    assert left("scores") == set()
