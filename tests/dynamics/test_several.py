"""Several runs taken together: the same as one recorder that saw all of their epochs, but for what lies between."""

import numpy as np
import pytest
import torch

from dataaudit.dynamics.recorder import Recorder
from dataaudit.dynamics.several import joined

N, EPOCHS, RUNS = 40, 5, 3


def recorded(runs, classes, labels, unseen=(), **options):
    """A recorder a run, and one that sees the epochs of all of them."""
    each, whole = [Recorder(N, classes, **options) for _ in runs], Recorder(N, classes, **options)
    for number, run in enumerate(runs):
        for logits in run:
            rows = torch.tensor([row for row in range(N) if (number, row) not in unseen])
            for recorder in (each[number], whole):
                recorder.update(rows, logits[rows], labels[rows])
                recorder.end_epoch()
    return [one.dynamics() for one in each], whole.dynamics()


def drawn(classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (N,), generator=generator)
    return torch.randn(RUNS, EPOCHS, N, classes, generator=generator) * 2.0, labels


MEANS = ("mean_margin", "mean_confidence", "variability", "mean_el2n", "cumulative_loss")


@pytest.mark.parametrize("unseen", [(), ((0, 3), (1, 7), *((run, 11) for run in range(RUNS)))])
def test_means_and_counts_are_those_of_one_recorder(unseen):
    runs, labels = drawn(4)
    each, whole = recorded(runs, 4, labels, set(unseen))
    found = joined(each, labels.numpy())
    assert (found.epochs, found.classes) == (RUNS * EPOCHS, 4)
    for name in MEANS:
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-5, atol=1e-6, err_msg=name)
    for name in ("seen", "correct", "suggested", "correct_bits", "seen_bits"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(found.mean_probabilities, whole.mean_probabilities, atol=1e-6)


def test_what_lies_between_two_runs_is_no_forgetting():
    labels = torch.zeros(N, dtype=torch.int64)
    right, wrong = torch.tensor([3.0, 0.0]).expand(N, 2), torch.tensor([0.0, 3.0]).expand(N, 2)
    each, whole = recorded([[wrong, right], [wrong, wrong], [right, wrong]], 2, labels)
    found = joined(each, labels.numpy())
    assert (found.forgetting == 1).all()
    assert (whole.forgetting == 2).all()
    # Learned in the second epoch, never (two epochs), in the first.
    assert (found.first_correct == 2 + 3 + 1).all()


def test_a_run_counts_by_what_its_epochs_say():
    runs, labels = drawn(3)
    each, _ = recorded(runs, 3, labels)
    weights = [float((run.epoch_weights**2).sum()) for run in each]
    assert min(weights) > 0
    expected = sum(weight * run.informed_probabilities for weight, run in zip(weights, each, strict=True))
    np.testing.assert_allclose(joined(each, labels.numpy()).informed_probabilities, expected / sum(weights), rtol=1e-5)


def test_of_many_classes_the_likeliest_are_kept():
    runs, labels = drawn(12)
    # One class of each example stands out in every epoch.
    leading = torch.arange(N) % 12
    runs[:, :, torch.arange(N), leading] += 9.0
    each, whole = recorded(runs, 12, labels, dense_elements=0)
    found = joined(each, labels.numpy())
    assert found.mean_probabilities.shape == found.probability_classes.shape == (N, 8)
    np.testing.assert_array_equal(found.suggested, leading.numpy())
    np.testing.assert_array_equal(whole.suggested, leading.numpy())
    place = found.probability_classes == leading.numpy()[:, None]
    top = [np.asarray(whole.mean_probabilities)[row].max() for row in range(N)]
    np.testing.assert_allclose(found.mean_probabilities[place], top, atol=0.02)
    assert found.informed_probabilities is None


def test_one_run_is_itself():
    runs, labels = drawn(4)
    each, _ = recorded(runs[:1], 4, labels)
    assert joined(each, labels.numpy()) is each[0]
