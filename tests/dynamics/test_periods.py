import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.dynamics import periods
from dataaudit.dynamics.periods import Periods, informedness
from dataaudit.dynamics.recorder import Recorder


def summed(values, seen, **sizes):
    found = Periods(values.shape[1], values.shape[2], torch.device("cpu"), **sizes)
    for epoch in range(len(values)):
        found.add(torch.tensor(values[epoch]), torch.tensor(seen[epoch]))
    return found


def bits(seen):
    return np.stack([np.packbits(row) for row in seen])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_the_mean_is_that_of_epochs_weighed_by_their_period(epochs, n, classes, seed):
    rng = np.random.default_rng(seed)
    values = rng.dirichlet(np.ones(classes), (epochs, n)).astype(np.float32)
    seen, weights = rng.random((epochs, n)) < 0.8, rng.random(epochs)
    found = summed(values, seen)
    width = 1
    while width * periods.PERIODS < epochs:
        width *= 2
    assert found.width == width
    level = np.array([weights[e // width * width : (e // width + 1) * width].mean() for e in range(epochs)])
    total = (level[:, None] * seen).sum(0)
    expected = (level[:, None, None] * seen[..., None] * values).sum(0) / np.where(total > 0, total, 1.0)[:, None]
    np.testing.assert_allclose(found.mean(weights, bits(seen)), expected, atol=1e-5)


def test_equal_weights_give_the_plain_mean_and_no_room_gives_none():
    rng = np.random.default_rng(0)
    values, seen = rng.dirichlet(np.ones(3), (11, 5)).astype(np.float32), np.ones((11, 5), bool)
    np.testing.assert_allclose(summed(values, seen).mean(np.ones(11), bits(seen)), values.mean(0), atol=1e-6)
    assert summed(values, seen, elements=29).mean(np.ones(11), bits(seen)) is None


def test_an_epoch_says_much_where_it_agrees_with_right_labels_and_not_with_wrong_ones():
    agrees = np.array([True] * 6 + [False] * 2)
    nothing = np.zeros(8, bool)
    learned, memorised = agrees.copy(), np.ones(8, bool)
    guess = np.array([True, False] * 4)
    correct = bits([nothing, guess, learned, memorised])
    found = informedness(correct, bits(np.ones((4, 8), bool)), agrees)
    np.testing.assert_allclose(found, [0.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize("agrees", [np.ones(8, bool), np.zeros(8, bool)])
def test_epochs_count_alike_where_nothing_tells_them_apart(agrees):
    correct = bits(np.random.default_rng(0).random((3, 8)) < 0.5)
    np.testing.assert_array_equal(informedness(correct, bits(np.ones((3, 8), bool)), agrees), np.zeros(3))
    values, seen = np.random.default_rng(1).dirichlet(np.ones(3), (5, 8)).astype(np.float32), np.ones((5, 8), bool)
    np.testing.assert_allclose(summed(values, seen).mean(np.zeros(5), bits(seen)), values.mean(0), atol=1e-6)


def memorising(recorder, epochs=12, n=200, seed=0):
    """Right labels are learned, and in the last third wrong ones as well."""
    rng = np.random.default_rng(seed)
    true, labels = rng.integers(3, size=n), rng.integers(3, size=n)
    labels[n // 10 :] = true[n // 10 :]
    for epoch in range(epochs):
        believed = labels if epoch >= epochs * 2 // 3 else true
        logits = rng.normal(size=(n, 3)) + 3.0 * np.eye(3)[believed] * min(1.0, epoch / 4)
        recorder.update(np.arange(n), torch.tensor(logits), labels)
        recorder.end_epoch()
    return labels, true


def test_memorised_epochs_count_less():
    recorder = Recorder(200, 3)
    labels, true = memorising(recorder)
    dynamics = recorder.dynamics()
    weights = dynamics.epoch_weights
    assert weights[4:8].min() > 2 * weights[8:].max()
    wrong = labels != true
    informed = dynamics.informed.dense(slice(0, 200))[np.arange(200), labels]
    plain = dynamics.dense(slice(0, 200))[np.arange(200), labels]
    assert informed[wrong].mean() < plain[wrong].mean()


def test_a_state_and_a_merge_keep_the_weights():
    whole, again = Recorder(200, 3), Recorder(200, 3)
    memorising(whole)
    again.load_state_dict(whole.state_dict())
    np.testing.assert_array_equal(again.dynamics().informed_probabilities, whole.dynamics().informed_probabilities)
    halves = [Recorder(200, 3), Recorder(200, 3)]
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(20, 200, 3)), rng.integers(3, size=200)
    one = Recorder(200, 3)
    for epoch in range(20):
        for half, rows in zip(halves, (np.arange(100), np.arange(100, 200)), strict=True):
            half.update(rows, torch.tensor(logits[epoch, rows]), labels[rows])
            half.end_epoch()
        one.update(np.arange(200), torch.tensor(logits[epoch]), labels)
        one.end_epoch()
    halves[0].merge(halves[1])
    np.testing.assert_allclose(
        halves[0].dynamics().informed_probabilities, one.dynamics().informed_probabilities, atol=1e-6
    )
