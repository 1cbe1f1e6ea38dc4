"""Noise rates and error probabilities where the truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.common.probabilities import ClassProbabilities, CombinedProbabilities
from dataaudit.labels import count
from dataaudit.labels.combine import WEIGHTS, combined, contradicted, likeliest
from dataaudit.labels.label_errors import CONTRADICTED, adding_up, cautious, estimate_label_errors, too_wide
from dataaudit.labels.noise import noise_rates
from dataaudit.labels.posterior import CONSTANTS, consensus_values, label_posterior


def shares(probabilities, labels):
    found = ClassProbabilities.empty(*probabilities.shape)
    found.put(slice(0, len(labels)), probabilities, labels)
    return found


def planted(n=4000, classes=5, rate=0.2, seed=0, partner=None, sharpness=6.0):
    """MeanProbabilities about true classes, sharp but not certain, and labels of which a share is wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + sharpness * np.eye(classes)[true]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = true.copy()
    wrong = rng.choice(n, round(rate * n), replace=False)
    shift = rng.integers(1, classes, len(wrong)) if partner is None else partner
    labels[wrong] = (true[wrong] + shift) % classes
    return shares(probabilities, labels), labels, true


def as_combined(found, labels, classes, outside=True):
    against = contradicted({"heldout": found}, labels, classes)
    return CombinedProbabilities(found, found if outside else None, np.ones(len(labels), bool), against)


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("partner", [None, 1])
def test_the_rate_of_planted_errors_is_found(rate, partner):
    together, labels, true = planted(rate=rate, partner=partner)
    found = estimate_label_errors(as_combined(together, labels, 5), labels, 5)
    assert found.rate == pytest.approx(rate, rel=0.15)
    assert found.lower < rate < found.upper
    assert found.probability.sum() == pytest.approx(found.rate * len(labels), rel=1e-6)
    assert found.counts.sum() == pytest.approx(found.rate * len(labels), rel=1e-6)
    wrong = labels != true
    assert (found.rival[wrong] == true[wrong]).mean() > 0.95
    if partner == 1:
        np.testing.assert_array_equal((found.pairs[:5, 1] - found.pairs[:5, 0]) % 5, 1)


def test_without_outsiders_two_estimates_are_left():
    together, labels, _ = planted()
    found = estimate_label_errors(as_combined(together, labels, 5, outside=False), labels, 5)
    assert list(found.estimates) == ["confident joint", "posterior", CONTRADICTED]
    assert not found.independent
    assert found.rate == pytest.approx(0.2, rel=0.2)


def test_examples_that_nothing_is_known_about_have_no_probability():
    together, labels, _ = planted(500)
    known = np.ones(500, bool)
    known[3] = False
    found = estimate_label_errors(
        CombinedProbabilities(together, None, known, contradicted({"dynamics": together}, labels, 5)), labels, 5
    )
    assert np.isnan(found.probability[3])
    assert np.isfinite(np.delete(found.probability, 3)).all()


def test_clean_labels_have_few_errors():
    together, labels, _ = planted(rate=0.0)
    assert estimate_label_errors(as_combined(together, labels, 5), labels, 5).rate < 0.01


def test_probabilities_fall_in_the_order_of_the_consensus():
    together, labels, _ = planted()
    found = estimate_label_errors(as_combined(together, labels, 5), labels, 5)
    seen = label_posterior(together, labels, 5, noise_rates(together, labels, 5), CONSTANTS.structure, CONSTANTS.floor)
    order = np.argsort(consensus_values(seen, CONSTANTS))
    assert (np.diff(found.probability[order]) <= 1e-12).all()


def test_the_posterior_is_bayes_rule():
    """Against the formula of LabelQuality, class by class."""
    together, labels, _ = planted(300)
    noise = noise_rates(together, labels, 5)
    found = label_posterior(together, labels, 5, noise, 0.07, 0.02)
    probability = together.dense(slice(0, 300))
    for row in range(0, 300, 17):
        y, weights = labels[row], np.empty(5)
        for k in range(5):
            rate = noise.between(np.array([k]), np.array([y]), 5)[0]
            x = max(rate - noise.background, 0.0)
            weights[k] = 0.02 + rate if k == y else 0.02 + noise.background + x**5 / (x**4 + 0.07**4)
        mass = weights * probability[row]
        assert found.posterior[row] == pytest.approx(mass[y] / mass.sum())
        one_hot = np.eye(5)[y]
        assert found.el2n[row] == pytest.approx(np.linalg.norm(probability[row] - one_hot), abs=1e-6)
        others = np.delete(np.arange(5), y)
        assert found.rival[row] == others[mass[others].argmax()]
        assert found.margin[row] == pytest.approx(probability[row, y] - probability[row, others].max())


def test_planting_is_blind_to_the_labels_it_replaces():
    together, labels, _ = planted()
    moved = count.transition(noise_rates(together, labels, 5), labels, 5)
    np.testing.assert_allclose(moved.sum(1), 1.0)
    # An upper bound, and a closer one the more planted errors are compared.
    low, half = count.by_planting(together, labels, 5, moved)
    assert 0.195 < half < low < 0.24


@settings(max_examples=30)
@given(st.integers(1, 50), st.floats(0.001, 0.95), st.integers(0, 99))
def test_shifted_odds_add_up(n, rate, seed):
    odds = np.random.default_rng(seed).normal(size=n) * 5
    found = adding_up(odds, rate)
    assert found.mean() == pytest.approx(rate, rel=1e-6)
    np.testing.assert_array_equal(np.argsort(odds, kind="stable"), np.argsort(found, kind="stable"))


@settings(max_examples=30)
@given(st.integers(1, 50), st.floats(1e-9, 0.9), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.integers(0, 99))
def test_caution_lowers_probabilities_between_the_rate_and_its_lower_bound(n, rate, part, caution, seed):
    lower = part * rate
    probability = adding_up(np.sort(np.random.default_rng(seed).normal(size=n))[::-1] * 3, rate)
    found = cautious(probability, rate, lower, caution)
    assert (found <= probability + 1e-9).all()
    assert (np.diff(found) <= 1e-12).all()
    expected = rate ** (1 - caution) * min(max(lower, 0.5 / n), rate) ** caution
    assert found.mean() == pytest.approx(expected, rel=1e-3)


def test_labels_are_contradicted_by_all_sources_with_one_class():
    labels = np.array([0, 0, 0, 0])
    one = shares(np.array([[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.45, 0.1, 0.45]]), labels)
    other = shares(np.array([[0.2, 0.7, 0.1], [0.2, 0.1, 0.7], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]), labels)
    np.testing.assert_array_equal(contradicted({"a": one, "b": other}, labels, 3), [True, False, False, False])
    np.testing.assert_array_equal(contradicted({"a": one}, labels, 3), [True, True, False, False])


def test_sources_are_multiplied_with_fixed_exponents():
    one, labels, _ = planted(50, seed=1)
    other, _, _ = planted(50, seed=2)
    found = combined({"heldout": one, "neighbours": other}, labels, 5)
    weights = WEIGHTS.fixed[frozenset({"heldout", "neighbours"})]
    product = one.dense(slice(0, 50)) ** weights["heldout"] * other.dense(slice(0, 50)) ** weights["neighbours"]
    np.testing.assert_allclose(found.dense(slice(0, 50)), product / product.sum(1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(combined({"heldout": one}, labels, 5).values, one.values, atol=1e-6)
    np.testing.assert_array_equal(likeliest(found), product.argmax(1))
    assert combined({}, labels, 5) is None


def test_with_very_many_classes_the_joint_counts_alone():
    together, labels, _ = planted(partner=1)
    full = estimate_label_errors(as_combined(together, labels, 5), labels, 5)
    found = estimate_label_errors(as_combined(together, labels, 5), labels, 5, most_classes=4)
    assert list(found.estimates) == ["confident joint", CONTRADICTED]
    assert found.rate == pytest.approx(full.rate, rel=0.1)
    np.testing.assert_array_equal(np.sort(found.pairs[:5], axis=0), np.sort(full.pairs[:5], axis=0))


def test_without_skill_nothing_is_flagged():
    """Beliefs that leave out the own label bet against it where there is nothing to learn."""
    labels = np.arange(1000) % 2
    against = np.where(labels[:, None] == np.arange(2), 0.49, 0.51)
    found = estimate_label_errors(as_combined(shares(against, labels), labels, 2), labels, 2)
    assert not found.known
    assert "no better" not in found.unknown
    assert "than their most frequent class does" in found.unknown
    assert np.isnan(found.rate)
    assert (found.lower, found.upper) == (0.0, 1.0)
    assert np.isnan(found.counts).all()
    # Probabilities still rank.
    assert np.isfinite(found.probability).all()


def test_what_was_learned_by_heart_counts_only_beside_what_never_saw_the_labels():
    together, labels, _ = planted()
    apart = estimate_label_errors(as_combined(together, labels, 5), labels, 5, memorised="it repeats them")
    assert apart.known
    alone = estimate_label_errors(
        as_combined(together, labels, 5, outside=False), labels, 5, memorised="it repeats them"
    )
    assert alone.unknown == "it repeats them"
    assert np.isnan(alone.rate)


def test_an_interval_from_none_to_most_is_no_count():
    assert too_wide(0.0, 0.6) == "by what can be seen anything from none to 60% of the labels may be wrong"
    assert too_wide(0.0, 0.4) == too_wide(0.1, 0.9) == ""


def test_where_there_may_be_no_error_caution_stops_at_half_an_example():
    probability = np.array([0.9, 0.05, 0.05])
    np.testing.assert_array_equal(cautious(probability, 0.0, 0.0, 0.6), probability)
    rate = float(probability.mean())
    assert cautious(probability, rate, 0.0, 1.0).sum() == pytest.approx(0.5)
    assert (cautious(probability, rate, 0.0, 1.0) < probability).all()


def test_where_no_label_seems_wrong_examples_are_still_ranked():
    labels = np.arange(300) % 3
    sure = np.linspace(0.9, 0.999, 300)
    others = (1 - sure[:, None]) / 2 * np.ones(3)
    told = np.where(labels[:, None] == np.arange(3), sure[:, None], others)
    found = estimate_label_errors(as_combined(shares(told, labels), labels, 3), labels, 3)
    assert found.rate == pytest.approx(0.0, abs=1e-12)
    assert found.upper >= 3 / 300
    assert found.probability.sum() < 1e-6
    np.testing.assert_array_equal(np.argsort(-found.probability, kind="stable"), np.arange(300))


def test_a_model_that_disagrees_with_most_labels_is_too_weak_to_count_by():
    """Better than the most frequent of ten classes, and wrong more often than right."""
    rng = np.random.default_rng(0)
    labels = np.arange(2000) % 10
    told = np.where(rng.random(2000) < 0.4, labels, rng.integers(0, 10, 2000))
    found = estimate_label_errors(as_combined(shares(0.05 + 0.5 * np.eye(10)[told], labels), labels, 10), labels, 10)
    assert not found.known
    assert "disagrees with 5" in found.unknown
    assert np.isnan(found.rate)
