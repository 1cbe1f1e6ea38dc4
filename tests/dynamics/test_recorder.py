"""The recorder against a float64 oracle that keeps every logit."""

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit import score
from dataaudit.dynamics import mean_probabilities, pending
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataAuditError, DataError, SettingError


def softmax(logits):
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def oracle(logits, labels, seen):
    """Dynamics from all logits float64 [E, n, C]; `seen` bool [E, n]."""
    epochs, n, classes = logits.shape
    probabilities, rows = softmax(logits), np.arange(n)
    onehot = np.eye(classes)[labels]
    given = logits[:, rows, labels]
    others = np.where(onehot.astype(bool), -np.inf, logits)
    confidence = probabilities[:, rows, labels]
    margin = given - others.max(2)
    correct = (logits.argmax(2) == labels) & seen

    def mean(values):
        return np.array([values[seen[:, i], i].mean() if seen[:, i].any() else np.nan for i in rows])

    first, forgotten = np.full(n, epochs + 1), np.zeros(n, int)
    for i in rows:
        visits = correct[seen[:, i], i]
        if correct[:, i].any():
            first[i] = np.flatnonzero(correct[:, i])[0] + 1
        forgotten[i] = sum(a and not b for a, b in itertools.pairwise(visits))
    total = np.array([probabilities[seen[:, i], i].sum(0) for i in rows])
    return {
        "seen": seen.sum(0),
        "correct": correct.sum(0),
        "first_correct": first,
        "forgetting": forgotten,
        "mean_margin": mean(margin),
        "mean_confidence": mean(confidence),
        "variability": np.array([confidence[seen[:, i], i].std() if seen[:, i].any() else np.nan for i in rows]),
        "mean_el2n": mean(np.linalg.norm(probabilities - onehot, axis=2)),
        "cumulative_loss": np.where(seen.any(0), np.where(seen, -np.log(confidence), 0.0).sum(0), np.nan),
        "mean_probabilities": total / np.where(seen.any(0), seen.sum(0), np.nan)[:, None],
    }


def record(logits, labels, seen, seed=0, batch=7, recorder=None, **options):
    epochs, n, classes = logits.shape
    recorder = recorder or Recorder(n, classes, **options)
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        order = rng.permutation(np.flatnonzero(seen[epoch]))
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            recorder.update(torch.tensor(part), torch.tensor(logits[epoch, part]), torch.tensor(labels[part]))
        recorder.end_epoch()
    return recorder


def agree(dynamics, expected):
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(dynamics, name), values, rtol=2e-5, atol=2e-5, err_msg=name)
    never = expected["seen"] == 0
    assert (dynamics.suggested[never] == -1).all()
    # Means that are equal in single precision may be ordered either way.
    means = expected["mean_probabilities"][~never]
    chosen = means[np.arange(len(means)), dynamics.suggested[~never]]
    assert (chosen >= means.max(1) - 1e-6).all()


@settings(max_examples=60, deadline=None)
@given(
    n=st.sampled_from([1, 2, 7, 63]),
    classes=st.integers(2, 6),
    epochs=st.integers(1, 6),
    scale=st.sampled_from([0.5, 3.0, 30.0]),
    share=st.sampled_from([0.4, 1.0]),
    block=st.sampled_from([1, 50, 10**6]),
    seed=st.integers(0, 10**6),
)
def test_equals_the_oracle(n, classes, epochs, scale, share, block, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(epochs, n, classes)) * scale
    labels = rng.integers(classes, size=n)
    seen = rng.random((epochs, n)) < share
    seen[:, 0] = True
    before = pending.BLOCK_ELEMENTS
    pending.BLOCK_ELEMENTS = block
    try:
        dynamics = record(logits.astype(np.float32), labels, seen, seed).dynamics()
    finally:
        pending.BLOCK_ELEMENTS = before
    agree(dynamics, oracle(logits.astype(np.float32).astype(np.float64), labels, seen))
    np.testing.assert_array_equal(
        np.stack([dynamics.correct_in(e) for e in range(1, epochs + 1)]).sum(0), dynamics.correct
    )
    assert (np.isnan(dynamics.confidence_by_epoch) == ~seen).all()


def test_the_last_values_of_a_row_seen_twice_count():
    recorder = Recorder(2, 2)
    recorder.update([0, 1, 0], torch.tensor([[5.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), [0, 1, 0])
    recorder.update([1], torch.tensor([[4.0, 0.0]]), [1])
    recorder.end_epoch()
    dynamics = recorder.dynamics()
    np.testing.assert_allclose(dynamics.mean_margin, [-3.0, -4.0])
    assert dynamics.correct.tolist() == [0, 0]
    assert dynamics.seen.tolist() == [1, 1]


def test_a_class_is_suggested_from_the_mean_over_epochs_within_bounded_memory():
    rng = np.random.default_rng(0)
    n, classes, epochs = 200, 40, 9
    labels, liked = rng.integers(classes, size=n), rng.integers(classes, size=n)
    logits = rng.normal(size=(epochs, n, classes)) + 4.0 * np.eye(classes)[liked]
    seen = np.ones((epochs, n), bool)
    dynamics = record(logits, labels, seen, batch=64, dense_elements=100).dynamics()
    expected = oracle(logits, labels, seen)
    assert dynamics.mean_probabilities.shape == (n, mean_probabilities.SLOTS)
    # The sketch may lose mass that lies in unlikely classes, never the likeliest one.
    np.testing.assert_array_equal(dynamics.suggested, expected["mean_probabilities"].argmax(1))
    classes_kept, means = dynamics.probabilities(slice(0, n))
    best = np.take_along_axis(means, means.argmax(1)[:, None], 1)[:, 0]
    np.testing.assert_array_equal(classes_kept[np.arange(n), means.argmax(1)], expected["mean_probabilities"].argmax(1))
    # A class misses the mass of the epochs in which four others were likelier.
    missed = expected["mean_probabilities"].max(1) - best
    assert missed.min() > -1e-6
    assert missed.max() < 0.02
    assert (missed < 1e-6).mean() > 0.95


def test_the_history_stays_in_its_budget_and_scores_use_every_epoch():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(37, 10, 3)), rng.integers(3, size=10)
    seen = np.ones((37, 10), bool)
    small = record(logits, labels, seen, recorder=Recorder(10, 3, history_bytes=4 * 10 * 8)).dynamics()
    assert len(small.kept_epochs) <= 8
    assert small.kept_epochs.tolist() == [8, 16, 24, 32]
    agree(small, oracle(logits, labels, seen))
    full = record(logits, labels, seen).dynamics()
    np.testing.assert_array_equal(small.confidence_by_epoch, full.confidence_by_epoch[small.kept_epochs - 1])
    none = record(logits, labels, seen, recorder=Recorder(10, 3, history_bytes=0)).dynamics()
    assert none.confidence_by_epoch.shape == (0, 10)


def test_dynamics_given_out_never_change():
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(6, 5, 2)), rng.integers(2, size=5)
    seen = np.ones((6, 5), bool)
    recorder = Recorder(5, 2, history_bytes=4 * 5 * 4)
    record(logits[:4], labels, seen[:4], recorder=recorder)
    given_out = recorder.dynamics()
    before = copy.deepcopy(given_out)
    record(logits[4:], labels, seen[4:], recorder=recorder)
    for name, value in vars(before).items():
        np.testing.assert_array_equal(getattr(given_out, name), value, err_msg=name)
    with pytest.raises(ValueError, match="read-only"):
        given_out.confidence_by_epoch[0, 0] = 1


def test_a_state_goes_on_where_it_was_saved(tmp_path):
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(5, 11, 3)), rng.integers(3, size=11)
    seen = np.ones((5, 11), bool)
    whole = record(logits, labels, seen)
    first = record(logits[:2], labels, seen[:2])
    first.update([4, 2], torch.tensor(logits[2, [4, 2]]), labels[[4, 2]])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    resumed = Recorder(11, 3)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    rest = np.setdiff1d(np.arange(11), [4, 2])
    resumed.update(rest, torch.tensor(logits[2, rest]), labels[rest])
    resumed.end_epoch()
    rng_order = record(logits[3:], labels, seen[3:], recorder=resumed)
    for name, value in vars(whole.dynamics()).items():
        np.testing.assert_array_equal(getattr(rng_order.dynamics(), name), value, err_msg=name)
    with pytest.raises(DataError, match="make the Recorder"):
        Recorder(12, 3).load_state_dict(resumed.state_dict())


@pytest.mark.parametrize("dense", [True, False])
def test_processes_merge_to_the_whole(dense):
    options = {} if dense else {"dense_elements": 10}
    rng = np.random.default_rng(4)
    logits, labels = 3.0 * rng.normal(size=(4, 21, 12)), rng.integers(12, size=21)
    owner = rng.integers(2, size=(4, 21)).astype(bool)
    whole = record(logits, labels, np.ones((4, 21), bool), **options)
    left, right = (record(logits, labels, mine, **options) for mine in (owner, ~owner))
    left.evaluate([0], torch.arange(12.0)[None], labels[[0]])
    left.merge(right)
    expected = dict(vars(whole.dynamics()))
    # The sketch depends on the order in which classes are offered.
    kept = ("informed_probabilities",) if not dense else ()
    for name in ("probability_classes", *kept) if dense else ("probability_classes", "mean_probabilities", *kept):
        expected.pop(name)
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(left.dynamics(), name), value, rtol=1e-6, err_msg=name)
    np.testing.assert_array_equal(left.labels, labels)
    assert left.predictions().predicted[0] == 11
    with pytest.raises(DataError, match="seen by both"):
        left.merge(right)
    with pytest.raises(DataError, match="same n, classes"):
        left.merge(Recorder(21, 12))


def test_predictions_are_those_of_the_evaluation_pass():
    recorder = Recorder(3, 2)
    recorder.evaluate([2, 0], torch.tensor([[0.0, 2.0], [1.0, 0.0]], dtype=torch.bfloat16), [0, 0])
    predictions = recorder.predictions()
    np.testing.assert_allclose(predictions.confidence, [1 / (1 + np.exp(-1)), np.nan, 1 / (1 + np.exp(2))], rtol=1e-6)
    assert predictions.predicted.tolist() == [0, -1, 1]
    np.testing.assert_allclose(predictions.margin, [1, np.nan, -2])
    assert recorder.dynamics() is None


def test_a_discarded_epoch_leaves_no_trace():
    rng = np.random.default_rng(5)
    logits, labels = rng.normal(size=(2, 6, 3)), rng.integers(3, size=6)
    seen = np.ones((2, 6), bool)
    whole = record(logits, labels, seen)
    broken = record(logits[:1], labels, seen[:1])
    broken.update([1, 2], torch.full((2, 3), 9.0), labels[[1, 2]])
    broken.discard_epoch()
    record(logits[1:], labels, seen[1:], recorder=broken)
    for name, value in vars(whole.dynamics()).items():
        np.testing.assert_array_equal(getattr(broken.dynamics(), name), value, err_msg=name)


def test_the_callers_tensors_may_be_reused():
    recorder = Recorder(2, 2)
    index, logits, labels = torch.tensor([0]), torch.tensor([[3.0, 0.0]]), torch.tensor([0])
    recorder.update(index, logits, labels)
    index[0], logits[:], labels[0] = 1, torch.tensor([[0.0, 9.0]]), 1
    recorder.end_epoch()
    assert recorder.dynamics().seen.tolist() == [1, 0]


def test_gradients_are_not_kept():
    recorder = Recorder(1, 2)
    recorder.update([0], torch.zeros(1, 2, requires_grad=True), [0])
    recorder.end_epoch()
    assert recorder.dynamics().seen.tolist() == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], torch.zeros(1, 2), [0]), "shapes"),
        (([0], torch.zeros(1, 3), [0]), "shapes"),
        (([2], torch.zeros(1, 2), [0]), "index 2"),
        (([-1], torch.zeros(1, 2), [0]), "index -1"),
        (([0], torch.zeros(1, 2), [2]), "label 2"),
        (([0.5], torch.zeros(1, 2), [0]), "whole numbers"),
    ],
)
def test_a_wrong_batch_is_refused(arguments, message):
    recorder = Recorder(2, 2)
    with pytest.raises(DataError, match=message):
        record_and_end(recorder, arguments)


def record_and_end(recorder, arguments):
    recorder.update(*arguments)
    recorder.end_epoch()


def test_ties_are_predicted_as_argmax_does():
    logits = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [3.0, 0.0, 3.0]])
    recorder = Recorder(3, 3)
    recorder.update([0, 1, 2], logits, [1, 1, 2])
    recorder.end_epoch()
    assert recorder.dynamics().correct.tolist() == [0, 1, 0]
    recorder.evaluate([0, 1, 2], logits, [1, 1, 2])
    assert recorder.predictions().predicted.tolist() == logits.argmax(1).tolist()


def test_a_wrong_epoch_is_refused():
    recorder = Recorder(2, 2)
    with pytest.raises(DataError, match="without a batch"):
        recorder.end_epoch()
    recorder.update([0], torch.tensor([[np.nan, 0.0]]), [0])
    with pytest.raises(DataError, match="NaN or infinite logits in row 0"):
        recorder.end_epoch()
    recorder.discard_epoch()
    recorder.update([0], torch.zeros(1, 2), [0])
    recorder.end_epoch()
    recorder.update([0], torch.zeros(1, 2), [1])
    with pytest.raises(DataError, match="another label"):
        recorder.end_epoch()
    recorder.evaluate([0], torch.zeros(1, 2), [1])
    with pytest.raises(DataError, match="another label"):
        recorder.predictions()


@pytest.mark.parametrize(
    "arguments",
    [{"n": 0, "classes": 2}, {"n": 5, "classes": 1}, {"n": 2.5, "classes": 2}, {"n": True, "classes": 2}],
)
def test_a_wrong_size_is_refused(arguments):
    with pytest.raises(SettingError, match="whole number"):
        Recorder(**arguments)


def test_an_audit_of_nothing_is_refused():
    with pytest.raises(DataError, match="without a complete epoch"):
        score(Recorder(2, 2))


def test_latest_losses_are_those_of_the_last_time():
    labels = torch.tensor([0, 1, 1, 0])
    logits = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    losses = torch.stack([torch.nn.functional.cross_entropy(part, labels, reduction="none") for part in logits])
    recorder = Recorder(5, 2)
    assert np.isnan(recorder.latest_losses()).all()
    recorder.update(torch.arange(4), logits[0], labels)
    recorder.end_epoch()
    rows = torch.tensor([2, 0, 2])
    recorder.update(rows, torch.stack([logits[1][2], logits[1][0], logits[2][2]]), labels[rows])
    expected = [losses[1, 0], losses[0, 1], losses[2, 2], losses[0, 3], np.nan]
    np.testing.assert_allclose(recorder.latest_losses(), expected, rtol=1e-5)
    recorder.end_epoch()
    again = Recorder(5, 2)
    again.load_state_dict(recorder.state_dict())
    np.testing.assert_array_equal(again.latest_losses(), recorder.latest_losses())


def test_latest_losses_of_two_processes():
    """Each row's loss comes from the process that saw it last."""
    labels = torch.zeros(4, dtype=torch.int64)
    mine, theirs = Recorder(4, 2), Recorder(4, 2)
    shares = (([0, 1], [2]), ([2], [0]))
    for epoch, (own, others) in enumerate(shares):
        for recorder, part in ((mine, own), (theirs, others)):
            rows = torch.tensor(part)
            logits = torch.stack([torch.zeros(len(rows)), rows + 10.0 * epoch], 1)
            recorder.update(rows, logits, labels[rows])
            recorder.end_epoch()
    mine.merge(theirs)
    expected = [np.log1p(np.exp(10.0)), np.log1p(np.exp(1.0)), np.log1p(np.exp(12.0)), np.nan]
    np.testing.assert_allclose(mine.latest_losses(), expected, rtol=1e-5)


def test_records_of_all_classes_and_of_a_few_do_not_mix():
    rng = np.random.default_rng(5)
    logits, labels, seen = rng.normal(size=(2, 21, 12)), rng.integers(12, size=21), np.ones((2, 21), bool)
    whole, few = record(logits, labels, seen), record(logits, labels, seen, dense_elements=100)
    for one, other in ((whole, few), (few, whole)):
        with pytest.raises(DataError, match="the same dense_elements"):
            one.merge(other)
        with pytest.raises(DataAuditError):
            one.load_state_dict(other.state_dict())
        again = one.empty()
        again.load_state_dict(one.state_dict())
        np.testing.assert_array_equal(again.dynamics().suggested, one.dynamics().suggested)


@pytest.mark.parametrize("size", [-1, 2.5, "many", None])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(SettingError, match="dense_elements"):
        Recorder(4, 3, dense_elements=size)
