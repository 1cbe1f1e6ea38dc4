"""What each strategy says, against its formula, and at its limits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataaudit import Recorder, errors
from dataaudit.curriculum import (
    Balanced,
    DownweightSuspects,
    DropLeastRegular,
    EasyToHard,
    HardToEasy,
    SelfPaced,
    SmallLoss,
)
from dataaudit.curriculum.pacing import competence
from dataaudit.curriculum.weights import REGISTRY, resolve, weights
from dataaudit.testing import example_scores

shares = st.floats(0.01, 1.0)


def record(losses, labels=None, recorder=None):
    """A recorder whose latest losses are these, of two classes."""
    losses = torch.as_tensor(losses, dtype=torch.float64)
    labels = torch.zeros(len(losses), dtype=torch.int64) if labels is None else torch.as_tensor(labels)
    recorder = Recorder(len(losses), 2) if recorder is None else recorder
    seen = torch.isfinite(losses)
    logits = torch.stack([-losses, torch.log1p(-torch.exp(-losses))], 1)
    logits = torch.where(labels.unsqueeze(1) == 0, logits, logits.flip(1))
    recorder.update(torch.arange(len(losses))[seen], logits[seen], labels[seen])
    recorder.end_epoch()
    return recorder


def with_losses(losses):
    return replace(example_scores(len(losses), 2), losses=np.asarray(losses, float))


@given(st.sampled_from(["linear", "sqrt", "step"]), shares, shares, st.integers(1, 9), st.integers(2, 40))
def test_competence_rises_from_start_to_everything(pacing, start, full, steps, epochs):
    found = [competence(epoch / (epochs - 1), pacing, start, full, steps) for epoch in range(epochs)]
    assert found[0] == pytest.approx(start)
    assert found[-1] == 1.0
    assert (np.diff(found) >= 0).all()
    for epoch, value in enumerate(found):
        passed = epoch / (epochs - 1) / full
        if passed >= 1:
            assert value == 1.0
        elif pacing == "linear":
            assert value == pytest.approx(start + (1 - start) * passed)
        elif pacing == "sqrt":
            assert value**2 == pytest.approx(start**2 + (1 - start**2) * passed)
        else:
            plateau = (value - start) / max(1 - start, 1e-300) * steps
            assert start == 1.0 or plateau == pytest.approx(round(plateau), abs=1e-6)
            assert value <= start + (1 - start) * passed + 1e-9


@given(st.integers(1, 80), shares, st.sampled_from(["linear", "sqrt", "step"]))
def test_curricula_begin_with_a_share_and_end_with_all(n, start, pacing):
    examples = example_scores(n, 3)
    easy, hard = EasyToHard(pacing, start), HardToEasy(pacing, start)
    first, last = easy.weigh(examples, 0, 6), easy.weigh(examples, 5, 6)
    due = int(np.ceil(start * n - 1e-9))
    assert first.sum() == due
    assert set(np.flatnonzero(first)) == set(np.argsort(-examples.scores)[:due])
    assert (last == 1).all()
    first, last = hard.weigh(examples, 0, 6), hard.weigh(examples, 5, 6)
    assert set(np.flatnonzero(first)) == set(np.argsort(examples.scores)[:due])
    assert (last == 1).all()


def test_a_curriculum_only_adds():
    examples = example_scores(257)
    for strategy in (EasyToHard(), HardToEasy("step"), SelfPaced(start=0.1, full=1.0)):
        by_epoch = np.array([strategy.weigh(examples, epoch, 12) for epoch in range(12)])
        assert (np.diff(by_epoch, axis=0) >= 0).all()
        assert by_epoch[0].sum() < by_epoch[5].sum() < 257
        assert (by_epoch[-1] == 1).all()


def test_ties_are_ordered_by_the_scores_own_ties_then_by_position():
    examples = replace(
        example_scores(6, 2), scores=np.array([1.0, 1.0, 1.0, 1.0, 0.0, 2.0]), ties=np.array([0, 3, 3, 1, 9, 0.0])
    )
    assert examples.easiest_first().tolist() == [5, 1, 2, 3, 0, 4]
    assert EasyToHard(start=0.4).weigh(examples, 0, 2).tolist() == [0, 1, 1, 0, 0, 1]


@given(st.integers(1, 60), st.floats(0, 0.99))
def test_dropping_takes_the_least_regular_share(n, share):
    examples = example_scores(n, 2)
    found = DropLeastRegular(share).weigh(examples, None, None)
    dropped = min(round(share * n), n - 1)
    assert set(np.flatnonzero(found == 0)) == set(np.argsort(examples.scores)[:dropped])
    assert set(found) <= {0.0, 1.0}


def test_dropping_the_estimated_share():
    examples = replace(example_scores(100), noise_rate=0.13)
    assert (DropLeastRegular(None).weigh(examples, None, None) == 0).sum() == 13
    with pytest.raises(errors.ModelError, match="without an estimate"):
        DropLeastRegular(None).weigh(replace(examples, noise_rate=None), None, None)


def test_suspects_weigh_by_the_probability_that_they_are_right():
    examples = example_scores()
    np.testing.assert_array_equal(DownweightSuspects().weigh(examples, None, None), 1 - examples.error_probability)
    with pytest.raises(errors.ModelError, match="without probabilities of error"):
        DownweightSuspects().weigh(replace(examples, error_probability=None), None, None)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50), st.sampled_from([None, "suspects", "easy_to_hard"]))
def test_balanced_classes_weigh_the_same_in_total(labels, inner):
    labels = np.array(labels)
    examples = replace(example_scores(len(labels)), labels=labels)
    found = Balanced(inner).weigh(examples, 1, 5)
    present = np.unique(labels)
    np.testing.assert_allclose([found[labels == c].sum() for c in present], 1.0)
    for c in present:
        own = np.ones(int((labels == c).sum()))
        if inner is not None:
            own = resolve(inner, {}).weigh(examples.among(np.flatnonzero(labels == c)), 1, 5)
        np.testing.assert_allclose(found[labels == c], own / own.sum())


def test_a_class_that_cannot_be_balanced_is_named():
    examples = replace(example_scores(6, 2), error_probability=np.array([0, 1.0, 0, 1.0, 0, 1.0]))
    with pytest.raises(errors.DataError, match=r"'suspects' that are all zero in class number 1"):
        Balanced("suspects").weigh(examples, None, None)


def test_unknown_examples_of_a_balanced_class_are_left_to_the_policy():
    """Classes are balanced over what is known; a class of which nothing is known is unknown as a whole."""
    examples = replace(example_scores(6, 2), error_probability=np.array([0.5, np.nan, np.nan, np.nan, 0.1, np.nan]))
    found = Balanced("suspects").weigh(examples, None, None)
    np.testing.assert_allclose(found, np.array([0.5, np.nan, np.nan, np.nan, 0.9, np.nan]) / 1.4)
    with pytest.raises(errors.DataError, match=r"'balanced' weighs by for rows 1, 2, 3, 5"):
        weights(Balanced("suspects"), examples, unscored="raise")
    dropped = weights(Balanced("suspects"), examples, unscored="drop", normalise=False)
    np.testing.assert_allclose(dropped, np.array([0.5, 0, 0, 0, 0.9, 0]) / 1.4, rtol=1e-6)
    meant = weights(Balanced("suspects"), examples, unscored="mean", normalise=False)
    np.testing.assert_allclose(meant[[1, 2, 3, 5]], 0.5)


@pytest.mark.parametrize("inner", ["easy_to_hard", "hard_to_easy", "drop_least_regular", "suspects"])
def test_a_class_without_scores_is_unknown_by_whatever_inner_strategy(inner):
    nothing = np.where(np.arange(12) % 2, np.nan, 0.3)
    examples = replace(example_scores(12, 2), scores=nothing, error_probability=nothing)
    found = Balanced(inner).weigh(examples, 1, 5)
    assert np.isnan(found).tolist() == [False, True] * 6
    assert found[::2].sum() == pytest.approx(1.0)
    with pytest.raises(errors.DataError, match="rows 1, 3, 5"):
        weights(Balanced(inner), examples, 1, 5, unscored="raise")


@pytest.mark.parametrize("told", [(1.0,), (-1.0, 1.0, 1.0), ("a", "b", "c"), (np.inf, 1.0, 1.0)])
def test_an_inner_strategy_that_breaks_its_laws_is_the_one_named(told):
    with pytest.raises(errors.SettingError, match=r"from the strategy 'says'.*StrategyContract"):
        weights(Balanced(Says(*told)), example_scores(6, 2))


def test_self_paced_thresholds_rise_by_a_constant_factor():
    losses = np.array([1.0, 2.0, 3.9, 7.9, 16.0, 3.0, 5.0, 8.1, np.nan])
    found = np.array([SelfPaced(start=0.25, full=1.0).weigh(with_losses(losses), epoch, 4) for epoch in range(4)])
    # From the second smallest loss of eight, 2, to the largest, 16, in three steps: 2, 4, 8, 16.
    for weight, threshold in zip(found, (2, 4, 8, 16), strict=True):
        np.testing.assert_array_equal(weight[:-1], losses[:-1] <= threshold)
    assert np.isnan(found[:, -1]).all()


def test_self_paced_losses_of_zero():
    assert SelfPaced().weigh(with_losses([0.0, 0.0]), 0, 9).tolist() == [1, 1]
    assert SelfPaced(start=0.5).weigh(with_losses([0.0, 0.0, 1.0, 5.0]), 0, 9).tolist() == [1, 1, 0, 0]
    with pytest.raises(errors.ModelError, match="without training losses"):
        SelfPaced().weigh(replace(example_scores(), losses=None), 0, 9)


def test_small_loss_keeps_what_is_due():
    examples = example_scores(8, 1)
    recorder = record([0.1, 0.8, 0.3, 0.6, 0.5, 0.4, 0.7, 0.2])
    for epoch, kept in ((0, 8), (1, 7), (2, 6), (4, 4), (50, 4)):
        found = SmallLoss(recorder, forget=0.5, gradual=4).weigh(examples, epoch, None)
        assert set(np.flatnonzero(found)) == set(np.argsort(recorder.latest_losses())[:kept])
    assert SmallLoss(recorder, gradual=1).weigh(replace(examples, noise_rate=0.25), 1, None).sum() == 6


def test_strategies_with_a_recorder_follow_it():
    examples = example_scores(4, 1)
    recorder = Recorder(4, 2)
    small, paced = SmallLoss(recorder, forget=0.25, gradual=1), SelfPaced(recorder, start=0.5, full=1.0)
    for strategy in (small, paced):
        assert strategy.weigh(examples, 0, 3).tolist() == [1, 1, 1, 1]
        with pytest.raises(errors.DataError, match="without a complete epoch before epoch 1"):
            strategy.weigh(examples, 1, 3)
    record([0.1, 0.2, 0.3, 0.9], recorder=recorder)
    assert small.weigh(examples, 1, 3).tolist() == [1, 1, 1, 0]
    assert paced.weigh(examples, 0, 3).tolist() == [1, 1, 0, 0]
    record([0.8, np.nan, np.nan, 0.05], recorder=recorder)
    np.testing.assert_allclose(recorder.latest_losses(), [0.8, 0.2, 0.3, 0.05], rtol=1e-5)
    assert small.weigh(examples, 2, 3).tolist() == [0, 1, 1, 1]
    assert paced.weigh(examples, 0, 3).tolist() == [0, 1, 0, 1]


def test_a_recorder_may_come_from_a_function():
    """In several processes the whole record is made anew for every epoch."""
    examples, recorder, asked = example_scores(4, 1), Recorder(4, 2), []

    def whole():
        asked.append(recorder.epochs)
        return recorder

    small, paced = SmallLoss(whole, forget=0.25, gradual=1), SelfPaced(whole, start=0.5, full=1.0)
    assert small.weigh(examples, 0, 3).tolist() == paced.weigh(examples, 0, 3).tolist() == [1, 1, 1, 1]
    record([0.1, 0.2, 0.3, 0.9], recorder=recorder)
    assert small.weigh(examples, 1, 3).tolist() == [1, 1, 1, 0]
    assert paced.weigh(examples, 0, 3).tolist() == [1, 1, 0, 0]
    assert asked == [0, 0, 1, 1]
    for strategy in (SmallLoss(lambda: None, 0.1), SelfPaced(lambda: Recorder)):
        with pytest.raises(errors.SettingError, match=rf"from the function.*{type(strategy).__name__}"):
            strategy.weigh(examples, 1, 3)


@given(st.lists(st.floats(1e-3, 5.0), min_size=4, max_size=12), st.floats(0.1, 1.0), st.integers(0, 9))
def test_self_paced_with_a_recorder_takes_its_path_from_the_latest_losses(losses, start, epoch):
    """The threshold may fall with them; the share that is in is `start` at least, and all from `full` on."""
    recorder = record([1.0, 2.0, 3.0, 4.0, *[5.0] * (len(losses) - 4)])
    record(losses, recorder=recorder)
    latest = recorder.latest_losses()
    found = SelfPaced(recorder, start, 0.5).weigh(example_scores(len(losses), 1), epoch, 10)
    alone = SelfPaced(start=start, full=0.5).weigh(replace(example_scores(len(losses), 1), losses=latest), epoch, 10)
    np.testing.assert_array_equal(found, alone)
    assert found.sum() >= start * len(losses) - 1e-9
    if epoch / 9 >= 0.5:
        assert found.all()


def test_a_self_paced_threshold_falls_with_the_losses_of_its_recorder():
    """As documented: 2 at first, and later below 1.6, which therefore leaves."""
    examples, recorder = example_scores(4, 1), record([1.0, 2.0, 3.0, 4.0])
    paced = SelfPaced(recorder, 0.5, 1.0)
    assert paced.weigh(examples, 0, 4).tolist() == [1, 1, 0, 0]
    record([0.1, 1.6, 0.2, 4.0], recorder=recorder)
    assert paced.weigh(examples, 1, 4).tolist() == [1, 0, 1, 0]
    assert paced.weigh(examples, 2, 4).tolist() == [1, 0, 1, 0]


def test_rows_a_recorder_never_saw_are_unknown():
    examples, recorder = example_scores(4, 1), record([0.1, np.nan, 0.3, 0.9])
    for strategy in (SmallLoss(recorder, forget=0.0), SelfPaced(recorder)):
        assert np.isnan(strategy.weigh(examples, 1, 3)).tolist() == [False, True, False, False]


def test_a_recorder_of_other_examples_is_refused():
    examples = example_scores(4, 2)
    with pytest.raises(errors.DataError, match=r"recorder of 3 examples.*4 that were audited"):
        SmallLoss(record([0.1, 0.2, 0.3]), 0.1).weigh(examples, 0, 2)
    with pytest.raises(errors.DataError, match=r"another label than the audit in rows 1, 3"):
        SelfPaced(record([0.1, 0.2, 0.3, 0.4])).weigh(examples, 0, 2)
    # A part of the examples is still of the whole recorder.
    whole = record([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1])
    assert SmallLoss(whole, 0.5, 1).weigh(examples.among(np.array([2, 3])), 1, 2).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EasyToHard(pacing="cubic"), "pacing='cubic'"),
        (lambda: EasyToHard(start=0.0), r"start=0\.0 of EasyToHard"),
        (lambda: HardToEasy(full=1.5), r"full=1\.5 of HardToEasy"),
        (lambda: EasyToHard(pacing="step", steps=0), "steps=0"),
        (lambda: DropLeastRegular(1.0), r"share=1\.0"),
        (lambda: DropLeastRegular("10 %"), "share='10 %'"),
        (lambda: SelfPaced(start=0), "start=0 of SelfPaced"),
        (lambda: SelfPaced("recorder"), "recorder='recorder'"),
        (lambda: SmallLoss(Recorder), "recorder=<class"),
        (lambda: SmallLoss(Recorder(3, 2), forget=1.0), r"forget=1\.0"),
        (lambda: SmallLoss(Recorder(3, 2), gradual=True), "gradual=True"),
        (lambda: Balanced("equal"), "strategy 'equal'"),
        (lambda: EasyToHard().weigh(example_scores(), None, 3), "epoch=None, total_epochs=3"),
        (lambda: SelfPaced().weigh(example_scores(), 0, None), "total_epochs=None"),
        (lambda: SmallLoss(Recorder(63, 4), 0.1).weigh(example_scores(), None, 3), "epoch=None"),
    ],
)
def test_settings_that_are_not_allowed(make, message):
    with pytest.raises(errors.SettingError, match=message):
        make()


def test_scores_that_are_all_missing_are_refused():
    examples = replace(example_scores(3), scores=np.full(3, np.nan))
    for strategy in (EasyToHard(), HardToEasy(), DropLeastRegular()):
        with pytest.raises(errors.DataError, match=r"for any of 3 examples.*by="):
            weights(strategy, examples, 0, 2)


def test_strategies_are_resolved_by_name_or_instance():
    assert REGISTRY.names()[:2] == ["easy_to_hard", "hard_to_easy"]
    assert all(REGISTRY.get(name).name == name for name in REGISTRY.builtin_names())
    assert resolve("easy_to_hard", {"start": 0.3}) == EasyToHard(start=0.3)
    own = EasyToHard()
    assert resolve(own, {}) is own
    for bad, options, message in (
        ("easy_to_hart", {}, "did you mean 'easy_to_hard'"),
        ("easy_to_hard", {"begin": 1}, "option 'begin'"),
        ("suspects", {"start": 1}, "option 'start'.*leave start= out"),
        ("small_loss", {}, "without recorder="),
        (own, {"start": 1}, "beside an instance"),
        (EasyToHard, {}, "a name or an object"),
        (None, {}, "strategy None"),
    ):
        with pytest.raises(errors.SettingError, match=message):
            resolve(bad, options)


class Says:
    """A strategy that says what it was told to."""

    name, summary = "says", "what it was told to"

    def __init__(self, *told):
        self.told = np.array(told)

    def weigh(self, examples, epoch, total_epochs):
        return self.told


told_weights = st.floats(1e-6, 1e6) | st.sampled_from([0.0, float("nan")])


@given(st.lists(told_weights, min_size=1, max_size=40), st.sampled_from(["mean", "drop"]))
def test_weights_have_mean_one_and_keep_their_proportions(told, policy):
    told = np.array(told)
    known = told[~np.isnan(told)]
    if not known.any():
        with pytest.raises(errors.DataError, match="all zero" if len(known) else "for any of"):
            weights(Says(*told), example_scores(len(told)), unscored=policy)
        return
    found = weights(Says(*told), example_scores(len(told)), unscored=policy).astype(float)
    assert found.mean() == pytest.approx(1.0, rel=1e-5)
    fill = known.mean() if policy == "mean" else 0.0
    filled = np.where(np.isnan(told), fill, told)
    np.testing.assert_allclose(found, filled / filled.mean(), rtol=1e-6, atol=1e-30)
    raw = weights(Says(*told), example_scores(len(told)), unscored=policy, normalise=False)
    np.testing.assert_allclose(raw, filled, rtol=1e-6, atol=1e-30)


def test_unscored_examples_weigh_one_by_default():
    found = weights(Says(1.0, 0.0, np.nan, 3.0), example_scores(4))
    assert found[2] == 1.0
    with pytest.raises(errors.DataError, match=r"nothing that 'says' weighs by for row 2"):
        weights(Says(1.0, 0.0, np.nan, 3.0), example_scores(4), unscored="raise")


@pytest.mark.parametrize("told", [(1.0, 2.0), (1.0, -1.0, 0.0), (1.0, np.inf, 0.0), ("a", "b", "c")])
def test_a_strategy_that_breaks_its_laws_is_named(told):
    with pytest.raises(errors.SettingError, match="from the strategy 'says'"):
        weights(Says(*told), example_scores(3))


@pytest.mark.parametrize("size", [1e308, 5e-324, 1e-310])
def test_weights_of_any_size_that_a_float_has(size):
    told = Says(size, size, 0.0, np.nan)
    np.testing.assert_allclose(weights(told, example_scores(4)), [1.5, 1.5, 0.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(weights(Balanced(Says(size, size)), example_scores(4, 2)), 1.0)
    with pytest.raises(errors.SettingError, match=r"float32 holds.*normalise=True"):
        weights(Says(size, size), example_scores(2), normalise=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3, "total_epochs": 3}, "epoch=3 of total_epochs=3"),
        ({"epoch": -1}, "epoch=-1"),
        ({"epoch": 0.5}, r"epoch=0\.5"),
        ({"total_epochs": 0}, "total_epochs=0"),
        ({"unscored": "zero"}, "unscored='zero'"),
        ({"normalise": 1}, "normalise=1"),
    ],
)
def test_settings_of_weights(settings, message):
    with pytest.raises(errors.SettingError, match=message):
        weights(Says(1.0), example_scores(1), **settings)
