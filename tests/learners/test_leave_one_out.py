"""Leave-one-out outputs in closed form against refitting without each example."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from dataaudit import LinearProbe, score
from dataaudit.data.chunks import ChunkedRows
from dataaudit.learners import leave_one_out as module
from dataaudit.learners.leave_one_out import leave_one_out
from dataaudit.representations.columns import LevelledRows, Levels


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = np.arange(63) % 3
    return rng.normal(size=(63, 5)) + labels[:, None] + 100.0, labels


@pytest.mark.parametrize("block", [7, 8192])
def test_it_equals_refitting(data, block):
    inputs, labels = data
    found = leave_one_out(lambda rows: inputs[rows], labels, 3, 2.0, block)(slice(0, 63))
    # The penalty is of features centred on all examples, which an intercept makes the same as any other centre.
    for row in range(0, 63, 5):
        kept = np.arange(63) != row
        ridge = Ridge(alpha=2.0).fit(inputs[kept], np.eye(3)[labels[kept]])
        np.testing.assert_allclose(found[row], ridge.predict(inputs[row : row + 1])[0], atol=1e-9)


def test_many_classes_are_outputs_like_few():
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(140, 5)), np.arange(140) % 70
    found = leave_one_out(lambda rows: inputs[rows], labels, 70, 2.0)(slice(0, 140))
    kept = np.arange(140) != 8
    ridge = Ridge(alpha=2.0).fit(inputs[kept], np.eye(70)[labels[kept]])
    np.testing.assert_allclose(found[8], ridge.predict(inputs[8:9])[0], atol=1e-9)


def test_the_penalty_is_the_best_by_squared_error(data):
    inputs, labels = data
    unit = ((inputs - inputs.mean(0)) ** 2).sum(1).mean()
    errors = [
        ((leave_one_out(lambda rows: inputs[rows], labels, 3, p * unit)(slice(0, 63)) - np.eye(3)[labels]) ** 2).sum()
        for p in module.PENALTIES
    ]
    best = module.PENALTIES[int(np.argmin(errors))] * unit
    # The chosen one is a multiple of a mean of scaled rows, `best` of a mean of rows: they round differently.
    np.testing.assert_allclose(
        leave_one_out(lambda rows: inputs[rows], labels, 3)(slice(0, 63)),
        leave_one_out(lambda rows: inputs[rows], labels, 3, best)(slice(0, 63)),
        rtol=1e-12,
        atol=1e-15,
    )


def test_constant_features_say_what_the_shares_of_the_classes_are():
    labels = np.arange(20) % 2
    found = leave_one_out(lambda rows: np.ones((20, 3))[rows], labels, 2)(slice(0, 20))
    others = np.array([[(labels[np.arange(20) != i] == c).mean() for c in range(2)] for i in range(20)])
    np.testing.assert_allclose(found, others, atol=1e-9)


READERS = {
    "array": lambda rows: rows,
    "pieces": lambda rows: ChunkedRows([rows[:7], rows[7:]]),
    "levelled when read": lambda rows: LevelledRows(rows, Levels(*np.outer([-np.inf, np.inf, 0, 1], np.ones(257)))),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("factor", [1.0, 2.0**60, 2.0**-80])
def test_features_that_outnumber_the_rows_are_turned(kind, factor):
    rng = np.random.default_rng(0)
    labels, wide = np.arange(20) % 2, rng.normal(size=(20, 257)).astype(np.float32) + 10
    turned = module.within_rows(READERS[kind](wide * np.float32(factor if kind != "levelled when read" else 1)), 500)
    turned = turned if kind == "levelled when read" else turned / factor
    assert turned.shape == (20, 20)
    centred = wide - wide.mean(0, dtype=float)
    np.testing.assert_allclose(turned @ turned.T, centred @ centred.T, atol=1e-9)
    ways = [leave_one_out(lambda rows, x=x: x[rows], labels, 2, 3.0)(slice(0, 20)) for x in (wide, turned)]
    np.testing.assert_allclose(*ways, atol=1e-9)
    assert module.within_rows(wide[:, :20]).shape == (20, 20)
    assert np.shares_memory(module.within_rows(wide[:, :20]), wide)


@pytest.mark.parametrize("model", [None, LinearProbe()])
def test_the_smaller_side_is_decomposed(model):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    # A table of all pairs of features would take 28 GiB.
    audit = score(model, (rng.normal(size=(40, 60000)) + labels[:, None] / 10, labels), progress=False)
    assert (audit.suggested == labels).all()
