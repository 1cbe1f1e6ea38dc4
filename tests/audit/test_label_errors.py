"""Decisions about labels as a user asks an audit for them."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import dataaudit
from dataaudit import Audit
from dataaudit.audit.label_errors import number_flagged
from dataaudit.demo import plant_label_errors
from dataaudit.errors import ModelError, SettingError
from dataaudit.labels.label_errors import CAUTION, FLOOR, LabelErrors, Vote, cautious
from dataaudit.representations.columns import levelled

NAMES = np.array(["ant", "bee", "cat"])


def score(*arguments, **options):
    return dataaudit.score(*arguments, **{"progress": False, **options})


@pytest.fixture(scope="module")
def digits():
    """Digits as vectors, with one label in ten wrong: inputs, labels, wrong, truth."""
    found = load_digits()
    labels, wrong = plant_label_errors(found.target, 10, 0.1, seed=0)
    return found.data, labels, wrong, found.target


@pytest.fixture(scope="module")
def audit(digits):
    return score(None, digits[:2])


@pytest.fixture(scope="module")
def trained(noisy):
    """An audit of dynamics, held-out predictions and neighbours."""
    from torch import nn

    inputs, labels, _ = noisy
    return score(
        lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3)),
        (inputs, NAMES[labels]),
        recipe=dataaudit.Recipe(epochs=4, batch_size=32),
    )


def test_a_row_is_suggested_one_label_wherever_it_is_named(trained):
    # What the model learned may name another class than all evidence together.
    other = replace(trained, suggested=trained.labels.copy())
    flagged = other.mislabeled().set_index("row")["suggested"]
    assert len(flagged)
    suspects = other.suspects(len(other)).set_index("row")["suggested"]
    assert suspects.loc[flagged.index].tolist() == flagged.tolist()
    assert set(suspects.drop(flagged.index)) == {""}


def label_posterior(probability, **changes):
    """An audit of two classes with these probabilities that labels, all "a", are wrong."""
    n = len(probability)
    values = np.asarray(probability, float)
    judgement = LabelErrors(
        values, np.ones(n, np.int64), float(np.nanmean(values)), 0.1, 0.9, {}, np.array([[1, 0]]), np.ones(1), True
    )
    made = Audit(
        columns={"consensus": -values},
        ties={},
        labels=np.zeros(n, np.int64),
        class_names=("a", "b"),
        default="consensus",
        suggested=np.ones(n, np.int64),
        margin=np.zeros(n),
        settings={"model": "M", "seed": 0, "device": "cpu", "notes": []},
        timings={"total": 1.0},
        label_errors=judgement,
    )
    return replace(made, **changes)


def test_vectors_alone_find_planted_errors(digits, audit):
    inputs, labels, wrong, truth = digits
    assert list(audit.columns) == ["consensus", "heldout_confidence"]
    assert audit.default == "consensus"
    assert roc_auc_score(wrong, -audit.columns["consensus"]) > 0.98
    assert roc_auc_score(wrong, audit.error_probability()) > 0.98
    assert (audit.suggested[wrong] == truth[wrong]).mean() > 0.95
    again = score(None, (inputs, labels))
    pd.testing.assert_frame_equal(again.scores, audit.scores, check_exact=True)
    np.testing.assert_array_equal(again.error_probability(), audit.error_probability())
    np.testing.assert_array_equal(again.suggested, audit.suggested)


def test_error_probabilities_are_the_callers_own(audit):
    found = audit.error_probability()
    assert found.sum() == pytest.approx(audit.noise_rate().rate * len(audit))
    np.testing.assert_array_equal(np.lexsort((-found, audit.columns["consensus"])), audit.ranking())
    found[:] = 0.0
    assert audit.error_probability().sum() > 100


def test_the_noise_rate_tells_share_interval_and_pairs(digits, audit):
    _, labels, wrong, _ = digits
    found = audit.noise_rate()
    assert found.lower < wrong.mean() < found.upper
    assert found.rate == pytest.approx(wrong.mean(), rel=0.2)
    *others, contradicted = found.estimates.values()
    low, high = sorted([np.median(others), contradicted])
    assert 0.9 * low < found.rate < 1.1 * high
    assert found.known
    assert found.reason == ""
    pairs = found.pairs
    assert list(pairs) == ["given", "suggested", "count", "share", "lower", "upper"]
    assert (pairs["given"] != pairs["suggested"]).all()
    assert pairs["count"].is_monotonic_decreasing
    assert pairs["count"].sum() == pytest.approx(found.rate * len(labels))
    size = pairs["given"].map(pd.Series(labels).astype(str).value_counts())
    np.testing.assert_allclose(pairs["share"], pairs["count"] / size)
    assert ((pairs["lower"] < pairs["share"]) & (pairs["share"] < pairs["upper"])).all()
    lines = repr(found).splitlines()
    assert lines[0] == (
        f"{found.rate:.1%} of the labels are wrong (95 % interval {found.lower:.1%} to {found.upper:.1%})"
    )
    assert lines[1].split() == list(pairs)
    assert len(lines) == 7


def test_errors_of_one_kind_lead_the_pairs(noisy, trained):
    """All 15 errors are of one kind: a class is labelled as the one after it."""
    _, labels, wrong = noisy
    pairs = trained.noise_rate().pairs.head(3)
    after = {"cat": "ant", "ant": "bee", "bee": "cat"}
    assert [after[name] for name in pairs["suggested"]] == pairs["given"].tolist()
    assert len(labels) * trained.noise_rate().lower < wrong.sum() < len(labels) * trained.noise_rate().upper


def test_a_share_of_a_class_is_at_most_all_of_it():
    made = label_posterior([0.5, 0.5])
    more = replace(made, label_errors=replace(made.label_errors, counts=np.array([5.0])))
    pair = more.noise_rate().pairs.iloc[0]
    assert (pair["share"], pair["upper"]) == (1.0, 1.0)
    assert pair["lower"] < 1.0


def test_as_many_are_flagged_as_are_estimated_to_be_wrong(digits, audit):
    _, labels, wrong, truth = digits
    flagged = audit.mislabeled()
    assert len(flagged) <= round(audit.noise_rate().rate * len(audit))
    assert flagged["probability"].min() >= FLOOR
    likelier = np.sort(audit.error_probability())[::-1]
    assert len(flagged) == min(round(audit.noise_rate().rate * len(audit)), (likelier >= FLOOR).sum())
    assert list(flagged) == [
        "row", "given", "consensus", "heldout_confidence", "explanation", "reason", "suggested", "probability",
    ]  # fmt: skip
    assert flagged["probability"].is_monotonic_decreasing
    rows = flagged["row"].to_numpy()
    np.testing.assert_array_equal(flagged["given"], labels[rows].astype(str))
    assert (flagged["given"] != flagged["suggested"]).all()
    assert wrong[rows].mean() > 0.85
    assert wrong[rows].sum() > 0.8 * wrong.sum()
    assert (flagged["suggested"].to_numpy() == truth[rows].astype(str))[wrong[rows]].mean() > 0.95
    np.testing.assert_array_equal(flagged["consensus"], audit.columns["consensus"][rows])
    probability = audit.error_probability()
    assert flagged.attrs["expected_precision"] == pytest.approx(probability[rows].mean())
    assert flagged.attrs["expected_recall"] == pytest.approx(probability[rows].sum() / probability.sum())


def test_targets_are_met_by_what_is_expected(digits, audit):
    wrong, probability = digits[2], audit.error_probability()
    for precision in (0.5, 0.9):
        flagged = audit.mislabeled(precision=precision)
        assert flagged.attrs["expected_precision"] >= precision
        found = audit.noise_rate()
        fewer = cautious(np.sort(probability)[::-1], found.rate, found.lower, CAUTION)
        assert fewer[: len(flagged)].mean() >= precision - 1e-12
        assert fewer[: len(flagged) + 1].mean() < precision
        assert wrong[flagged["row"]].mean() > precision - 0.1
    for recall in (0.5, 0.9, 1.0):
        flagged = audit.mislabeled(recall=recall)
        assert flagged.attrs["expected_recall"] >= recall - 1e-9
        assert flagged["probability"][:-1].sum() < recall * probability.sum()
    assert len(audit.mislabeled(rate=0.05)) == round(0.05 * len(audit))
    assert len(audit.mislabeled(rate=1)) == len(audit)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.sampled_from(["precision", "recall", "rate"]), st.data()
)
def test_numbers_of_flags_are_the_best_of_all_numbers(values, target, data):
    falling = np.sort(values)[::-1]
    share = data.draw(st.floats(0.01, 1.0))
    judgement = label_posterior([0.1]).label_errors
    targets = dict.fromkeys(["precision", "recall", "rate"]) | {target: share}
    numbers = np.arange(1, len(falling) + 1)
    expected = np.cumsum(falling)
    if target == "precision":
        fewer = cautious(falling, judgement.rate, judgement.lower, CAUTION)
        good = numbers[np.cumsum(fewer) / numbers >= share - 1e-12]
        if len(good) == 0:
            with pytest.raises(SettingError, match=f"at most {fewer[0]:.3f}"):
                number_flagged(falling, judgement, "auto", targets)
            return
        wanted = good.max()
    elif target == "recall":
        found, wanted = number_flagged(falling, judgement, "auto", targets), share * falling.sum()
        assert expected[found - 1] >= wanted - 1e-9
        assert found == 1 or expected[found - 2] < wanted + 1e-9
        return
    else:
        wanted = round(share * len(falling))
    assert number_flagged(falling, judgement, "auto", targets) == wanted


def test_a_number_of_examples_can_be_asked_for():
    made = label_posterior([0.1, 0.9, 0.4])
    assert made.mislabeled(count=2)["row"].tolist() == [1, 2]
    assert len(made.mislabeled(count=4)) == 3
    for wrong in (0, -1, True, 1.5, "two"):
        with pytest.raises(SettingError, match=r"a whole number of at least 1"):
            made.mislabeled(count=wrong)


def test_labels_that_are_likelier_right_are_flagged_only_if_that_is_asked_for():
    made = label_posterior([0.1, 0.2, 0.3, 0.4])
    assert made.label_errors.rate == pytest.approx(0.25)
    assert len(made.mislabeled()) == 0
    assert len(made.mislabeled(rate=0.25)) == 1


def test_where_the_number_of_errors_is_not_known_examples_are_ranked_alone(tmp_path):
    made = label_posterior([0.1, 0.9, 0.4])
    unknown = replace(made.label_errors, rate=float("nan"), lower=0.0, upper=1.0, unknown="the model is too weak")
    made = replace(made, label_errors=replace(unknown, counts=np.full_like(unknown.counts, np.nan)))
    made.save(tmp_path / "audit")
    for audit in (made, Audit.load(tmp_path / "audit")):
        found = audit.noise_rate()
        assert not found.known
        assert np.isnan(found.rate)
        assert (found.lower, found.upper) == (0.0, 1.0)
        assert repr(found) == "how many labels are wrong is not known: the model is too weak"
        assert (found.pairs["lower"] == 0).all()
        assert (found.pairs["upper"] == 1).all()
        assert "is not known: the model is too weak" in repr(audit)
        for targets in ({}, {"precision": 0.5}, {"recall": 0.5}):
            with pytest.raises(ModelError, match=r"too weak; expected how many examples.*pass count=20"):
                audit.mislabeled(**targets)
        assert audit.mislabeled(count=2)["row"].tolist() == [1, 2]
        assert np.isnan(audit.mislabeled(rate=0.5).attrs["expected_precision"])


def test_examples_that_nothing_is_known_about_are_never_flagged():
    flagged = label_posterior([0.2, np.nan, 0.9]).mislabeled(rate=1.0)
    assert flagged["row"].tolist() == [2, 0]
    assert flagged.attrs["expected_recall"] == 1.0
    assert label_posterior([0.01, 0.01]).mislabeled().attrs == {"expected_precision": 0.0, "expected_recall": 0.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"precision": 0.9, "recall": 0.5},
            r"precision=0.9 and recall=0.5; expected one of.*leave recall= out, or leave precision= out",
        ),
        (
            {"recall": 0.9, "rate": 0.5},
            r"recall=0.9 and rate=0.5; expected one of precision=, recall=",
        ),
        ({"how": "best"}, r"how='best'; expected 'auto', or one of"),
        ({"how": "all", "rate": 0.5}, r"how='all'"),
        (
            {"precision": 0.95},
            r"precision=0.95, which no set.*at most 0.625, what .*between 10.00% and 46.67%.*pass precision=0.624",
        ),
        *(
            ({name: value}, rf"{name}={value!r}.*a share above 0 and at most 1.*pass {name}=0.9")
            for name in ("precision", "recall", "rate")
            for value in (0, -0.5, 1.5, True, "half", float("nan"))
        ),
    ],
)
def test_a_target_that_is_none_is_refused(options, message):
    with pytest.raises(SettingError, match=message):
        label_posterior([0.1, 0.9, 0.4]).mislabeled(**options)


@pytest.mark.parametrize("ask", ["error_probability", "noise_rate", "mislabeled"])
def test_without_beliefs_there_are_no_decisions(noisy, ask):
    inputs, labels, _ = noisy
    saved = score(None, (inputs, labels), known_scores={"c_score": np.linspace(0, 1, 300)})
    assert saved.label_errors is None
    with pytest.raises(ModelError, match=r"an audit of c_score, which says.*other classes.*scorers='consensus'"):
        getattr(saved, ask)()


def test_reasons_are_told_in_words(noisy, trained):
    inputs, labels, wrong = noisy
    rows = np.asarray(levelled(inputs))
    flagged = trained.mislabeled(count=15).set_index("row")
    assert set(np.flatnonzero(wrong)) <= set(flagged.index)
    for row in np.flatnonzero(wrong):
        neighbours, learned, heldout = flagged["explanation"][row].split("; ")
        rival = (labels[row] - 1) % 3
        given, suggested = str(NAMES[labels[row]]), str(NAMES[rival])
        assert flagged["suggested"][row] == suggested
        # By the distances themselves, between columns at comparable scales.
        near = np.argsort(((rows - rows[row]) ** 2).sum(1))[1:101]
        votes = int((labels[near] == rival).sum())
        assert neighbours == f"{votes} of the 100 most similar examples are labelled {suggested!r}"
        epochs = int(trained.dynamics.correct[row])
        assert learned == (f"learned in {epochs} of 4 epochs" if epochs else "never learned in 4 epochs")
        probability = trained.columns["heldout_confidence"][row]
        said = f"of {probability:.2f}" if probability >= 0.005 else "below 0.01"
        assert heldout == f"models trained without it give {given!r} a probability {said}"
        likely = f"{probability:.0%}" if probability >= 0.005 else "<1%"
        own = int((labels[near] == labels[row]).sum())
        assert flagged["reason"][row] == f"{100 - own}% differ, learned {epochs}/4, {likely} likely"


@pytest.mark.parametrize("length", [3, 16])
def test_a_narrow_terminal_shows_suggestion_and_probability(trained, length):
    named = replace(trained, class_names=tuple(name.ljust(length, "_") for name in trained.class_names))
    with pd.option_context("display.width", 80, "display.max_columns", 0):
        lines = str(named.mislabeled(count=5)).splitlines()
    assert max(map(len, lines)) <= 80
    head = lines[0].split()
    assert (head[:2], head[-2:]) == (["row", "given"], ["suggested", "probability"])
    assert all(re.search(r" (ant|bee|cat)_* +[01]\.\d+$", line) for line in lines[1:6])


def test_reasons_follow_what_there_is(trained):
    assert label_posterior([0.9]).mislabeled(rate=1)["explanation"].tolist() == ["by the scores alone"]
    made = label_posterior([0.9, 0.8])
    vote = Vote(np.array([3, 6]), np.array([1, 0]), np.array([7, 6]), 10, "hidden")
    near = replace(made, label_errors=replace(made.label_errors, vote=vote))
    assert near.mislabeled(rate=1)["explanation"].tolist() == [
        "7 of the 10 examples that the model finds most similar are labelled 'b'",
        "6 of the 10 examples that the model finds most similar are labelled 'a'",
    ]  # fmt: skip
    columns = {"consensus": np.zeros(2), "heldout_confidence": np.array([0.125, np.nan])}
    assert replace(made, columns=columns).mislabeled(rate=1)["explanation"].tolist() == [
        "models trained without it give 'a' a probability of 0.12", "by the scores alone",
    ]  # fmt: skip
    everything = trained.mislabeled(rate=1)["explanation"]
    assert everything.str.contains(
        r"; learned from the first epoch, with mean probability \d\.\d\d; models trained"
    ).any()


def test_dropped_rows_keep_the_users_count(noisy):
    inputs, labels, wrong = noisy
    wrong_rows = np.flatnonzero(wrong)
    bad = [0, int(wrong_rows[3]) - 1, int(wrong_rows[3]) + 1]
    assert not wrong[bad].any()
    holed = inputs.copy()
    holed[bad, 2] = np.nan
    audit = score(None, (holed, NAMES[labels]), on_bad_rows="drop")
    assert len(audit) == 297
    assert len(audit.error_probability()) == 297
    flagged = audit.mislabeled(rate=15 / 297)
    assert set(flagged["row"]) == set(wrong_rows)
    np.testing.assert_array_equal(flagged["given"], NAMES[labels[flagged["row"]]])
    np.testing.assert_array_equal(audit.rows[np.argsort(-audit.error_probability())[:15]], flagged["row"])


@pytest.mark.parametrize("votes", [True, False])
def test_decisions_are_saved_and_loaded(trained, noisy, tmp_path, votes):
    inputs, labels, _ = noisy
    audit = trained if votes else score(_logistic(), (inputs.reshape(300, 2, 3), NAMES[labels]))
    assert (audit.label_errors.vote is not None) == votes
    loaded = Audit.load(audit.save(tmp_path / "audit"))
    mine, theirs = audit.label_errors, loaded.label_errors
    for name in LabelErrors.__dataclass_fields__:
        if name != "vote":
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
    for name in Vote.__dataclass_fields__ if votes else ():
        np.testing.assert_array_equal(getattr(mine.vote, name), getattr(theirs.vote, name), err_msg=name)
    assert repr(loaded.noise_rate()) == repr(audit.noise_rate())
    pd.testing.assert_frame_equal(loaded.mislabeled(rate=0.5), audit.mislabeled(rate=0.5))
    assert loaded.mislabeled().attrs == audit.mislabeled().attrs


def test_without_decisions_none_are_loaded(noisy, tmp_path):
    saved = score(None, noisy[:2], known_scores={"c_score": np.linspace(0, 1, 300)})
    assert Audit.load(saved.save(tmp_path / "audit")).label_errors is None


def _logistic():
    """A model of inputs that are no vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(lambda x: x.reshape(len(x), -1)), LogisticRegression())
