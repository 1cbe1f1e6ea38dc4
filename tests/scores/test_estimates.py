"""Scores from one prediction or several holdout runs: values, what orders ties, and how far they are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from dataaudit import scores
from dataaudit.holdout.summary import HoldoutScores

RUNS = HoldoutScores(
    values=np.array([0.5, 1.0, np.nan]),
    stderr=np.array([0.2, 0.1, np.nan]),
    lower=np.array([0.1, 0.6, 0.0]),
    upper=np.array([0.9, 1.0, 1.0]),
    holdouts=np.array([4, 5, 0]),
    probability=np.array([0.5, 0.9, np.nan]),
    probability_stderr=np.array([0.1, 0.2, np.nan]),
    reliability=0.7,
    probability_reliability=0.8,
)


@pytest.mark.parametrize(("name", "part"), [("c_score", "holdout"), ("c_score_integral", "holdout_integral")])
def test_accuracy_of_holdouts_is_ordered_by_probability_and_known_as_far_as_wilson_says(name, part):
    found = scores.REGISTRY.get(name).score(SimpleNamespace(**{part: RUNS}))
    np.testing.assert_array_equal(found.values, RUNS.values)
    np.testing.assert_array_equal(found.ties, RUNS.probability)
    for field in ("stderr", "lower", "upper", "holdouts", "reliability"):
        np.testing.assert_array_equal(getattr(found.uncertainty, field), getattr(RUNS, field))


def test_probability_of_holdouts_is_known_within_two_standard_errors_in_0_to_1():
    found = scores.REGISTRY.get("holdout_probability").score(SimpleNamespace(holdout=RUNS))
    np.testing.assert_array_equal(found.values, RUNS.probability)
    np.testing.assert_allclose(found.uncertainty.lower, [0.5 - 0.196, 0.9 - 0.392, np.nan])
    np.testing.assert_allclose(found.uncertainty.upper, [0.5 + 0.196, 1.0, np.nan])
    np.testing.assert_array_equal(found.uncertainty.stderr, RUNS.probability_stderr)
    assert found.uncertainty.reliability == 0.8


@pytest.mark.parametrize(("name", "part"), [("confidence", "predictions"), ("heldout_confidence", "heldout")])
def test_confidences_that_are_equal_after_rounding_are_ordered_by_margins(name, part):
    predictions = SimpleNamespace(
        confidence=np.array([1.0, 1.0], np.float32), max_confidence=np.array([0.75, 1.0]), margin=np.array([30.0, 20.0])
    )
    found = scores.REGISTRY.get(name).score(SimpleNamespace(**{part: predictions}))
    np.testing.assert_array_equal(found.values, [1.0, 1.0])
    np.testing.assert_array_equal(found.ties, [30.0, 20.0])
    likeliest = scores.REGISTRY.get("max_confidence").score(SimpleNamespace(predictions=predictions))
    np.testing.assert_array_equal(likeliest.values, [0.75, 1.0])
    assert likeliest.ties is None
