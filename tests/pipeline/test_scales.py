"""Scores at every scale: the same, or a refusal in three parts, by each space, search, engine and learner."""

import numpy as np
import pandas as pd
import pytest

from dataaudit import NearestNeighbours, score
from dataaudit.errors import DataError
from dataaudit.neighbours.search import Faiss

N = 200

CALLS = {
    "knn_c_score, faiss": (None, "knn_c_score/input", {"search": "faiss"}),
    "knn_c_score, torch": (None, "knn_c_score/input", {"search": "torch"}),
    "knn_c_score, ivf": (None, "knn_c_score/input", {"search": Faiss("ivf", cells=5, probes=5)}),
    "nearest neighbours": (NearestNeighbours(5), "heldout_confidence", {}),
    "no model": (None, "consensus", {}),
    "density, cpu": (None, "density/input", {"engine": "cpu"}),
    "density, sampled": (None, "parzen/input", {"engine": "sampled"}),
    "density, faiss": (None, "class_density/input", {"engine": "faiss"}),
    "density, reference": (None, "relative_density/input", {"engine": "reference"}),
}


def data(width=6):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, N)
    inputs = rng.normal(size=(3, width))[labels] * 3 + rng.normal(size=(N, width))
    return inputs.astype(np.float32), np.where(rng.random(N) < 0.1, (labels + 1) % 3, labels)


def values(call, inputs, labels):
    model, scorer, options = CALLS[call]
    return score(model, (inputs, labels), scorer, progress=False, **options).columns[scorer]


@pytest.mark.parametrize(("call", "width"), [*((call, 6) for call in CALLS), ("no model", 40)])
def test_a_factor_changes_nothing(call, width):
    inputs, labels = data(width)
    plain = values(call, inputs, labels)
    assert len(np.unique(plain)) > 5
    for factor in (2.0**-90, 2.0**70):
        np.testing.assert_allclose(values(call, inputs * np.float32(factor), labels), plain, rtol=1e-4, atol=1e-6)
    # Beyond float32, and beyond what float64 holds the squares of.
    for factor in (2.0**-300, 2.0**400, 2.0**-600, 2.0**600):
        try:
            scaled = values(call, inputs.astype(np.float64) * factor, labels)
        except DataError:
            continue
        np.testing.assert_allclose(scaled, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("call", CALLS)
def test_an_offset_changes_nothing(call):
    inputs, labels = data()
    plain = values(call, inputs, labels)
    if call == "nearest neighbours":
        with pytest.raises(DataError, match="float32 does not tell apart"):
            values(call, inputs.astype(np.float64) + 1e9, labels)
    else:
        moved = values(call, inputs.astype(np.float64) + 1e9, labels)
        np.testing.assert_allclose(moved, plain, rtol=1e-3, atol=1e-5)
    # Float32 holds multiples of 128 there.
    held = (np.round(inputs * 1000) * 128).astype(np.float32)
    moved = held + np.float32(2.0**30)
    assert (moved - np.float32(2.0**30) == held).all()
    np.testing.assert_allclose(values(call, moved, labels), values(call, held, labels), rtol=1e-3, atol=1e-5)
    with pytest.raises(DataError, match="equal"):
        values(call, inputs + np.float32(1e9), labels)


@pytest.mark.parametrize("factor", [2.0**-90, 2.0**70, 2.0**600])
def test_columns_of_a_table_have_any_unit(factor):
    inputs, labels = data()
    frame = pd.DataFrame({f"c{column}": inputs[:, column].astype(np.float64) for column in range(6)})
    other = frame.assign(c2=frame["c2"] * factor)
    for scorer in ("knn_c_score/input", "parzen/input", "consensus"):
        plain = score(None, frame.assign(label=labels), scorer, progress=False).columns[scorer]
        try:
            scaled = score(None, other.assign(label=labels), scorer, progress=False).columns[scorer]
        except DataError:
            assert factor > 2.0**500
            continue
        np.testing.assert_allclose(scaled, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("call", [name for name in CALLS if "knn" in name or "neighbours" in name])
@pytest.mark.parametrize("far", [1e6, 1e12])
def test_a_row_far_from_all_others_takes_nothing_from_them(call, far):
    inputs, labels = data()
    plain = values(call, inputs, labels)
    moved = inputs.copy()
    moved[7] *= np.float32(far)
    near = np.linalg.norm(inputs[:, None] - inputs[7], axis=2)[:, 0] > 0
    differ = np.abs(values(call, moved, labels) - plain)[near]
    # Only those that it was a neighbour of change.
    assert (differ > 1e-6).mean() < 0.3
    assert differ.mean() < 0.02
