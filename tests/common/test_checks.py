"""Whole numbers, numbers within intervals, flags and choices: what passes, and in which words the rest is refused."""

from pathlib import Path

import numpy as np
import pytest

from dataaudit.common import checks
from dataaudit.errors import DataError, SettingError


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


def test_a_path_that_does_not_exist_is_answered_with_what_lies_beside_it(tmp_path, monkeypatch):
    (tmp_path / "images" / "train").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for given, near in {
        "imges": "images",
        tmp_path / "image": tmp_path / "images",
        "images/trian": "images/train",
        "imges/train": "images/train",
        "imges/test": "images",
    }.items():
        with pytest.raises(DataError, match="which does not exist") as caught:
            checks.exists(Path(given))
        assert caught.value.action == f"did you mean {str(near)!r}? pass the path of one"
    for given in ("photos", "photos/train", "images/train/a", "x" * 20):
        with pytest.raises(DataError) as caught:
            checks.exists(Path(given))
        assert caught.value.action == "pass the path of one"
    checks.exists(Path("images/train"))


def test_below_a_file_and_beside_a_link_that_leads_nowhere_there_is_nothing_to_mean(tmp_path):
    (tmp_path / "images").write_text("a file")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for given in (tmp_path / "images" / "train", tmp_path / "link"):
        with pytest.raises(DataError) as caught:
            checks.exists(given)
        assert caught.value.action == "pass the path of one"


def test_a_choice_names_the_nearest():
    checks.choice("order 'rising'", "rising", ("rising", "falling"), "a known one")
    with pytest.raises(SettingError, match="found order 'raising'; expected a known one; did you mean 'rising'"):
        checks.choice("order 'raising'", "raising", ("rising", "falling"), "a known one")
