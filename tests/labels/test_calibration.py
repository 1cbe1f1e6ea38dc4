"""Intervals of the share of wrong labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataaudit.labels.calibration import CALIBRATION, SMALLEST, Calibration, Signs, log_share, share_of

SHARES = st.floats(0.0, 1.0)


@given(SHARES)
def test_a_share_comes_back_from_its_logarithm(share):
    assert share_of(log_share(share)) == pytest.approx(share, abs=1e-9)


def test_the_formula():
    signs = Signs((0.1, 0.2, 0.4), 0.3, 50, False)
    logs = np.log(np.array([0.1, 0.2, 0.4]) + SMALLEST)
    middle = logs[1]
    assert signs.middle == pytest.approx(middle)
    expected = [1.0, np.log(0.3 + SMALLEST) - middle, logs.std(), middle, 1.0]
    np.testing.assert_allclose(signs.values(), expected)
    assert signs.few == pytest.approx(1.96 / np.sqrt((0.2 + SMALLEST) * 50))
    made = Calibration((-1.0, 0.5, 0.25, 0.1, 0.2), 2.0, 0.5)
    width = np.hypot(2.0 * np.exp(np.dot(expected, made.scale)), signs.few)
    rate, lower, upper = made.estimate(signs)
    assert rate == pytest.approx(0.2)
    assert lower == pytest.approx(np.exp(middle - width) - SMALLEST)
    assert upper == pytest.approx(min(np.exp(middle + width) - SMALLEST, 1.0))


@given(st.lists(SHARES, min_size=1, max_size=4), SHARES, st.integers(1, 10**7), st.booleans())
def test_an_interval_holds_its_estimate_and_stays_within_bounds(estimates, disagreement, n, independent):
    rate, lower, upper = CALIBRATION.estimate(Signs(tuple(estimates), disagreement, n, independent))
    assert 0.0 <= lower <= rate <= upper <= 1.0


@pytest.mark.parametrize(("n", "upper"), [(10, 0.3), (30, 0.1), (300, 0.01)])
def test_where_no_error_was_seen_there_may_be_three(n, upper):
    rate, lower, found = CALIBRATION.estimate(Signs((0.0, 0.0), 0.0, n, True))
    assert (rate, lower) == (0.0, 0.0)
    assert found >= upper


def test_one_estimate_alone_is_not_taken_for_agreement():
    _, low, high = CALIBRATION.estimate(Signs((0.1,), 0.12, 5000, True))
    _, lower, upper = CALIBRATION.estimate(Signs((0.1, 0.1), 0.12, 5000, True))
    assert low < lower < upper < high


def test_it_is_wider_where_less_is_known():
    def width(**changes):
        known = {"estimates": (0.1, 0.1), "disagreement": 0.12, "n": 5000, "independent": True} | changes
        _, lower, upper = CALIBRATION.estimate(Signs(**known))
        return np.log(upper / lower)

    assert width(disagreement=0.3) > width()
    assert width(estimates=(0.05, 0.1, 0.2)) > width()
    assert width(n=100) > width()
    assert width(independent=False) > width()
