"""Intervals of the share of wrong labels, and the worth of odds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataaudit.labels.calibration import CALIBRATION, SMALLEST, STEEPEST, Calibration, Signs, log_share, share_of

SHARES = st.floats(0.0, 1.0)


@given(SHARES)
def test_a_share_comes_back_from_its_logarithm(share):
    assert share_of(log_share(share)) == pytest.approx(share, abs=1e-9)


def test_the_formula():
    signs = Signs((0.1, 0.2, 0.4), 0.05, 0.3, 0.7, 50, False)
    logs = np.log(np.array([0.1, 0.2, 0.4, 0.05]) + SMALLEST)
    between = np.sqrt((0.2 + 0.01) * (0.05 + 0.01)) - 0.01
    middle = np.log(between + SMALLEST)
    assert signs.middle == pytest.approx(middle)
    expected = [1.0, np.log(0.3 + SMALLEST) - middle, logs.std(), middle, 1.0, np.log(0.7 + 0.01)]
    np.testing.assert_allclose(signs.values(), expected)
    assert signs.few == pytest.approx(1.96 / np.sqrt((between + SMALLEST) * 50))
    made = Calibration((-1.0, 0.5, 0.25, 0.1, 0.2, 0.3), 0.1, 2.0, (0.1, -0.2, 0.3, 0.1, 0.0, 0.5), 0.5)
    width = np.hypot(2.0 * np.exp(np.dot(expected, made.scale)), signs.few)
    rate, lower, upper = made.estimate(signs)
    middle += 0.1 * expected[5]
    assert rate == pytest.approx(np.exp(middle) - SMALLEST)
    assert lower == pytest.approx(np.exp(middle - width) - SMALLEST)
    assert upper == pytest.approx(min(np.exp(middle + width) - SMALLEST, 1.0))
    assert made.factor(signs) == pytest.approx(np.exp(np.dot(expected, made.sharpness)))


def test_where_an_estimate_sees_no_error_few_contradictions_stay_few():
    """On clean labels the others see none, and some labels are contradicted because the model errs."""
    signs = Signs((0.0, 0.0), 0.01, 0.02, 0.1, 1000, True)
    assert share_of(signs.middle) < 0.002


@given(
    st.lists(SHARES, min_size=1, max_size=4), SHARES, SHARES, st.floats(0.0, 7.0), st.integers(1, 10**7), st.booleans()
)
def test_an_interval_holds_its_estimate_and_stays_within_bounds(
    estimates, contradicted, disagreement, loss, n, independent
):
    signs = Signs(tuple(estimates), contradicted, disagreement, loss, n, independent)
    rate, lower, upper = CALIBRATION.estimate(signs)
    assert 0.0 <= lower <= rate <= upper <= 1.0
    assert np.exp(-STEEPEST) <= CALIBRATION.factor(signs) <= np.exp(STEEPEST)


@pytest.mark.parametrize(("n", "upper"), [(10, 0.3), (30, 0.1), (300, 0.01)])
def test_where_no_error_was_seen_there_may_be_three(n, upper):
    rate, lower, found = CALIBRATION.estimate(Signs((0.0, 0.0), 0.0, 0.0, 0.05, n, True))
    assert (rate, lower) == (0.0, 0.0)
    assert found >= upper


def test_it_is_wider_where_less_is_known():
    def width(**changes):
        known = {"estimates": (0.1, 0.1), "contradicted": 0.1, "disagreement": 0.12, "loss": 0.4}
        known |= {"n": 5000, "independent": True} | changes
        _, lower, upper = CALIBRATION.estimate(Signs(**known))
        return np.log(upper / lower)

    assert width(disagreement=0.3) > width()
    assert width(estimates=(0.05, 0.1, 0.2)) > width()
    assert width(estimates=(0.2, 0.2), contradicted=0.05) > width()
    assert width(n=100) > width()
    assert width(independent=False) > width()
