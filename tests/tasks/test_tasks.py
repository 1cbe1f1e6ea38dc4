"""The seam for tasks: the laws, and a small task of two labels an example from records to scores."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import torch.distributed as dist

import dataaudit
from dataaudit import scores
from dataaudit.data.arrays import ArrayExamples
from dataaudit.data.derived import SubsetExamples
from dataaudit.dynamics.processes import gather_recorder
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, SettingError
from dataaudit.evidence.base import Evidence, Need
from dataaudit.holdout.base import Outcome
from dataaudit.holdout.execute import Execution
from dataaudit.holdout.plan import Plan, Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.settings import Holdout
from dataaudit.holdout.tally import Tally
from dataaudit.learners.recipes import PLAIN
from dataaudit.learners.torch import TorchLearner
from dataaudit.tasks import resolve
from dataaudit.tasks.base import Task
from dataaudit.tasks.classification import CLASSIFICATION
from dataaudit.testing import TaskContract


@dataclass(frozen=True)
class TwoLabels(Task):
    """Two labels an example, each there or not: a pair of example and label is a unit, told by a sigmoid."""

    name = "two labels"
    label_shape = (2,)

    def encode(self, values, names=None, lenient=False):
        labels = np.asarray(values, np.int64)
        if labels.shape[1:] != self.label_shape or not np.isin(labels, (0, 1)).all():
            raise DataError(f"labels of shape {labels.shape}", "0 or 1 for each of two labels", "pass [n, 2]")
        return labels, names or ("first", "second")

    def units(self, examples):
        both = [2 * examples, 2 * examples + 1]
        return (torch if torch.is_tensor(examples) else np).stack(both, 1).reshape(-1)

    def unit_labels(self, labels):
        return labels.reshape(-1)

    def outcomes(self, classes):
        return 2

    def loss(self, logits, labels, smoothing=0.0):
        return CLASSIFICATION.loss(no_or_yes(logits), self.unit_labels(labels), smoothing)

    def measure(self, logits, labels):
        return CLASSIFICATION.measure(no_or_yes(logits), self.unit_labels(labels))

    def outcome(self, logits, labels):
        return CLASSIFICATION.outcome(no_or_yes(torch.tensor(logits)).numpy(), self.unit_labels(labels))

    def groups(self, labels):
        return (labels + np.array([0, 2])).reshape(-1)

    def aggregate(self, values):
        return values.reshape(-1, 2).mean(1)

    def feeds(self, part):
        return part in ("dynamics", "predictions", "combined", "holdout")


def no_or_yes(logits):
    """Logits [2 b, 2] whose softmax is the sigmoid of logits [b, 2]."""
    yes = logits.reshape(-1, 1)
    return torch.cat([torch.zeros_like(yes), yes], 1)


TWO = TwoLabels()
LABELS = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [1, 1]])


class TestClassification(TaskContract):
    classes = 3

    def task(self):
        return CLASSIFICATION

    def labels(self):
        return np.array([0, 2, 1, 1, 0])


class TestTwoLabels(TaskContract):
    classes = 2

    def task(self):
        return TWO

    def labels(self):
        return LABELS


def twins(n=240, wrong=20, seed=0):
    """Points whose signs are their labels, and both labels with `wrong` units of either turned; a mask of these."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, 2)).astype(np.float32)
    inputs += 0.3 * np.sign(inputs)
    turned = np.zeros((n, 2), bool)
    for label in range(2):
        turned[rng.choice(n, wrong, replace=False), label] = True
    return inputs, ((inputs > 0) ^ turned).astype(np.int64), turned


class TwinExamples(ArrayExamples):
    """Arrays with two labels a row."""

    task = TWO


def learner_of(inputs, labels, epochs=6):
    recipe = replace(PLAIN, epochs=epochs, batch_size=16, learning_rate=0.1)
    return TorchLearner(lambda: torch.nn.Linear(2, 2), TwinExamples(inputs, labels), recipe, torch.device("cpu"))


def ranked(values, wrong):
    """Share of pairs of a right and a wrong unit or example in which the wrong one has the lower score."""
    return (values[~wrong][:, None] > values[wrong]).mean()


def test_a_recorder_measures_units_by_sigmoid():
    logits = torch.tensor(np.random.default_rng(0).normal(size=(5, 2)), dtype=torch.float32)
    recorder = Recorder(5, 2, task=TWO)
    order = torch.tensor([3, 0, 4])
    for chosen in (order, torch.tensor([1, 2])):
        recorder.update(chosen, logits[chosen], LABELS[chosen])
    recorder.end_epoch()
    recorder.evaluate(np.arange(5), logits, LABELS)
    dynamics, predictions = recorder.dynamics(), recorder.predictions()
    yes = 1 / (1 + np.exp(-logits.double().numpy()))
    probability = np.where(LABELS == 1, yes, 1 - yes).reshape(-1)
    assert (recorder.n, recorder.classes, recorder.units, dynamics.classes) == (5, 2, 10, 2)
    np.testing.assert_array_equal(recorder.labels, LABELS.reshape(-1))
    np.testing.assert_allclose(dynamics.mean_confidence, probability, rtol=1e-5)
    np.testing.assert_allclose(dynamics.mean_margin, (logits.numpy() * (2 * LABELS - 1)).reshape(-1), rtol=1e-5)
    np.testing.assert_allclose(dynamics.cumulative_loss, -np.log(probability), rtol=1e-4)
    np.testing.assert_allclose(recorder.latest_losses(), -np.log(probability), rtol=1e-4)
    np.testing.assert_allclose(dynamics.dense(slice(0, 10))[:, 1], yes.reshape(-1), rtol=1e-5)
    np.testing.assert_array_equal(dynamics.correct, probability > 0.5)
    np.testing.assert_array_equal(predictions.predicted, yes.reshape(-1) > 0.5)


def test_a_state_goes_to_a_recorder_of_its_task():
    recorder = Recorder(5, 2, task=TWO)
    recorder.update(np.arange(4), torch.zeros(4, 2), LABELS[:4])
    again = Recorder(5, 2, task=TWO)
    again.load_state_dict(recorder.state_dict())
    other = Recorder(5, 2, task=TWO)
    for one in (recorder, again):
        one.update([4], torch.ones(1, 2), LABELS[4:])
        one.end_epoch()
    np.testing.assert_array_equal(recorder.dynamics().mean_margin, again.dynamics().mean_margin)
    with pytest.raises(DataError, match="a record of the task 'two labels'"):
        Recorder(5, 2).load_state_dict(recorder.state_dict())
    with pytest.raises(DataError, match="a record of the task 'classification'"):
        other.merge(Recorder(5, 2))


def test_tasks_are_listed_and_found_by_name():
    assert dataaudit.tasks.names() == list(dataaudit.tasks.describe()) == ["classification"]
    assert dataaudit.tasks.Task is Task


def test_batches_and_names_of_tasks_are_checked():
    recorder = Recorder(5, 2, task=TWO)
    with pytest.raises(DataError, match=r"labels \(5,\); expected shapes \(b,\), \(b, 2\), \(b, 2\)"):
        recorder.update(np.arange(5), torch.zeros(5, 2), LABELS[:, 0])
    recorder.update(np.arange(5), torch.zeros(5, 2), 2 * LABELS)
    with pytest.raises(DataError, match=r"label 2; expected 0\.\.1"):
        recorder.end_epoch()
    assert resolve("classification") is CLASSIFICATION is Recorder(5, 2).task
    with pytest.raises(SettingError, match="classification"):
        Recorder(5, 2, task="clasification")
    with pytest.raises(SettingError, match="name of a task"):
        Recorder(5, 2, task=TwoLabels)


def test_a_training_run_ranks_wrong_units_and_their_examples_last():
    inputs, labels, turned = twins()
    recorder = Recorder(len(labels), 2, task=TWO)
    learner_of(inputs, labels).fit(np.arange(len(labels)), 0, recorder, False)
    evidence = Evidence(recorder.labels, ("no", "yes"), dynamics=recorder.dynamics())
    [scorer] = scores.resolve("mean_margin")
    units = scorer.score(evidence).values
    assert ranked(units, turned.reshape(-1)) > 0.95
    examples = TWO.aggregate(units)
    assert examples.shape == (len(labels),)
    assert ranked(examples, turned.any(1)) > 0.9


def test_a_tally_counts_outcomes_of_units():
    tally, held = Tally(TWO.count(5), seed=0), np.array([True, False, True, False, False])
    correct, probability = TWO.outcome(np.array([[-2.0, 1.0], [3.0, -1.0]]), LABELS[held])
    tally.add(Record.of(Run(0.5, 0), TWO.unit_mask(held), Outcome(correct, probability)))
    [scorer] = scores.resolve("c_score")
    units = scorer.score(Evidence(LABELS.reshape(-1), ("no", "yes"), holdout=tally.scores())).values
    np.testing.assert_array_equal(units, [1, 1, np.nan, np.nan, 0, 1, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(TWO.aggregate(units), [1, np.nan, 0.5, np.nan, np.nan])


def test_holdout_runs_are_of_examples_and_their_tallies_of_units():
    inputs, labels, turned = twins(80, 6)
    holdout = Holdout(runs=6, ratio=0.7, backend="serial")
    plan = holdout.plan(labels, 0, task=TWO)
    runs = Execution(learner_of(inputs, labels, 3).fit_predict(), plan, holdout, [0.7], False, {})
    runs.carry_out()
    found = runs.scores([0.7])
    assert (found.holdouts[0::2] == found.holdouts[1::2]).all()
    assert found.holdouts.sum() == 2 * 6 * (80 - plan.size(0.7))
    held = found.holdouts > 0
    assert ranked(found.values[held], turned.reshape(-1)[held]) > 0.8
    assert plan.fingerprint != Plan(labels, 0, plan.design).fingerprint
    with pytest.raises(SettingError, match="one class an example, which it deals out"):
        Holdout(runs=6, stratify=True).plan(labels, 0, task=TWO)


def test_labels_that_are_all_alike_are_predicted_without_training():
    def never(train, held_out, seed):
        raise AssertionError("trained")

    labels = np.array([[0, 1]] * 4)
    plan = Plan(labels, 0, task=TWO)
    runs = Execution(never, plan, Holdout(runs=2, backend="serial"), [0.5], False, {})
    runs.carry_out()
    found = runs.scores([0.5])
    assert found.holdouts.sum() == 2 * 2 * 2
    np.testing.assert_array_equal(found.values, np.where(found.holdouts > 0, 1.0, np.nan))


def test_classes_without_a_unit_to_train_on_are_counted():
    def guess(train, held_out, seed):
        trained.append(0 in train)
        return Outcome(np.ones(2 * len(held_out), bool), np.ones(2 * len(held_out)))

    trained, labels = [], np.array([[1, 0], [0, 1], [0, 0], [0, 1], [0, 0], [0, 1]])
    runs = Execution(guess, Plan(labels, 0, task=TWO), Holdout(runs=9, backend="serial"), [0.8], False, {})
    runs.carry_out()
    assert runs.tallies[0.8].missing_classes == trained.count(False)
    assert 0 < trained.count(False) < 9


def test_examples_keep_their_task():
    inputs, labels, _ = twins(6, 1)
    examples = TwinExamples(inputs, labels)
    part = SubsetExamples(examples, np.array([1, 4]))
    assert examples.task is part.task is TWO
    assert examples.class_names == part.class_names == ("first", "second")
    np.testing.assert_array_equal(part.labels, labels[[1, 4]])
    with pytest.raises(DataError, match="0 or 1 for each of two labels"):
        TwinExamples(inputs, 2 * labels)
    with pytest.raises(DataError, match="labels of shape"):
        TwinExamples(inputs, labels[:, 0])


def test_a_record_of_all_processes_is_of_their_task():
    recorder = Recorder(5, 2, task=TWO)
    recorder.update(np.arange(5), torch.zeros(5, 2), LABELS)
    recorder.end_epoch()
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        whole = gather_recorder(recorder)
    finally:
        dist.destroy_process_group()
    assert whole.task is TWO
    np.testing.assert_array_equal(whole.labels, LABELS.reshape(-1))


def test_scores_that_a_task_cannot_feed_are_not_offered():
    needs = {Need.DYNAMICS, Need.CROSS_VALIDATION, Need.SUBSET_RUNS, Need.SUBSET_RUNS_INTEGRAL}
    everything = [scorer.name for scorer in scores.supported(needs)]
    offered = [scorer.name for scorer in scores.supported(needs, TWO)]
    assert set(everything) - set(offered) == {"heldout_confidence", "c_score_integral"}
    assert not any(scores.fed(scorer, TWO) for scorer in scores.resolve(["parzen/input", "knn_c_score/input"]))


def test_an_audit_of_a_record_is_one_of_its_units():
    inputs, labels, turned = twins()
    recorder = Recorder(len(labels), 2, task=TWO)
    learner_of(inputs, labels).fit(np.arange(len(labels)), 0, recorder, False)
    audit = dataaudit.score(recorder)
    assert len(audit) == 2 * len(labels)
    assert ranked(audit.columns["consensus"], turned.reshape(-1)) > 0.9
    assert (
        "rows are units of the task 'two labels', whose aggregate() makes scores of examples" in audit.settings["notes"]
    )
    with pytest.raises(SettingError, match=r"for the task 'two labels'; expected scores that it feeds: .*mean_margin"):
        dataaudit.score(recorder, scorers="heldout_confidence")
    with pytest.raises(DataError, match="a data set of the task 'two labels'"):
        dataaudit.score(recorder, TwinExamples(inputs, labels))
    with pytest.raises(DataError, match="a record of the task 'two labels'"):
        dataaudit.score(recorder, (inputs, labels[:, 0]))
