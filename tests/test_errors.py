import pytest

from dataaudit import errors
from dataaudit.pipeline.interrupted import Interrupted


def test_the_three_parts_are_kept_apart():
    error = errors.DataError("a", "b", "c")
    assert (error.arrived, error.expected, error.action) == ("a", "b", "c")
    assert str(error) == "found a; expected b; c"
    assert isinstance(error, ValueError)


def test_a_missing_package_names_the_extra():
    with pytest.raises(errors.MissingPackageError, match=r"pip install 'dataaudit\[ray\]'"):
        errors.require("no_such_package_at_all", "ray", "a cluster")
    with pytest.raises(ImportError, match="pip install 'no_such_package_at_all'"):
        errors.require("no_such_package_at_all", None, "something")


def test_names_are_suggested():
    assert errors.did_you_mean("mean_margn", ["mean_margin", "el2n"]).startswith("did you mean 'mean_margin'?")
    assert errors.did_you_mean("zzz", ["b", "a"]) == "choose from: a, b"


def test_rows_are_listed_shortly():
    assert errors.rows([3]) == "row 3"
    assert errors.rows(range(10)) == "rows 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"


def test_an_interruption_before_the_first_epoch_has_nothing_to_keep():
    with pytest.raises(errors.DataError, match="before the first epoch"):
        Interrupted(0).audit()
    assert isinstance(Interrupted(0), KeyboardInterrupt)
