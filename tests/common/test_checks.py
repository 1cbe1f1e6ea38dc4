"""Whole numbers, numbers within intervals, flags and choices: what passes, and in which words the rest is refused."""

import numpy as np
import pytest

from dataaudit.common import checks
from dataaudit.errors import SettingError


@pytest.mark.parametrize("value", [0, 4, True, np.bool_(True), 2.0, np.float64(2), "2", None, 10**30])
def test_what_is_no_whole_number_of_the_range_is_refused(value):
    with pytest.raises(SettingError) as caught:
        checks.whole("k", value, 1, "pass k=1", most=3, owner="Votes")
    assert str(caught.value) == f"found k={value!r} of Votes; expected a whole number of at least 1; pass k=1"


@pytest.mark.parametrize("value", [1, 3, np.int8(2), np.uint64(3)])
def test_whole_numbers_become_those_of_python(value):
    assert type(checks.whole("k", value, 1, "", most=3)) is int


@pytest.mark.parametrize(
    ("inclusive", "ends"),
    [("both", (True, True)), ("left", (True, False)), ("right", (False, True)), ("neither", (0, 0))],
)
def test_ends_of_an_interval(inclusive, ends):
    for end, belongs in zip((0, 1), ends, strict=True):
        if belongs:
            assert checks.number("share", end, 0, 1, inclusive, "a share", "pass 0.5") == end
        else:
            with pytest.raises(SettingError, match=f"found share={end}; expected a share; pass 0.5"):
                checks.number("share", end, 0, 1, inclusive, "a share", "pass 0.5")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), True, "0.5", None, 1j, np.complex64(1)])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(SettingError):
        checks.number("share", value, -float("inf"), float("inf"), "both", "a number", "")


def test_numbers_stay_whole_and_become_those_of_python():
    assert type(checks.number("x", 1, 0, 2, "both", "", "")) is int
    assert type(checks.number("x", np.float32(0.5), 0, 2, "both", "", "")) is float


@pytest.mark.parametrize("value", [0, 1, None, np.bool_(True), "True"])
def test_what_is_no_flag_is_refused(value):
    with pytest.raises(SettingError, match="expected True or False; pass flip=True"):
        checks.flag("flip", value, "pass flip=True")


def test_a_choice_names_the_nearest():
    checks.choice("order 'rising'", "rising", ("rising", "falling"), "a known one")
    with pytest.raises(SettingError, match="found order 'raising'; expected a known one; did you mean 'rising'"):
        checks.choice("order 'raising'", "raising", ("rising", "falling"), "a known one")
