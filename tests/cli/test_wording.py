"""Errors in the command line's words."""

import string

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from dataaudit.cli import app
from dataaudit.cli.wording import Wording
from dataaudit.errors import DataError, InPython, arguments


@pytest.fixture(scope="module")
def words():
    return Wording(typer.Context(get_command(app).commands["score"]))


@pytest.mark.parametrize(
    ("python", "shell"),
    [
        ("label='knd'", "--label knd"),
        ("name it: label=...", "name it: --label"),
        ("pass inputs=['a', 'b c']", "pass --inputs 'a,b c'"),
        ("pass progress=False for silence", "pass --no-progress for silence"),
        ("pass holdout=dataaudit.Holdout(runs=200, ratio=0.7)", "pass --runs 200 --ratio 0.7"),
        ("pass Recipe(epochs=20)", "pass --epochs 20"),
        ("seed=-1", "--seed -1"),
        ("model=None", "--model none"),
        ("pass dataset= again", "pass DATA again"),
        ("column 'label=' beside label=", "column 'label=' beside --label"),
        ("transform=resize for tables", "transform=resize for tables"),
    ],
)
def test_arguments_are_called_as_options(words, python, shell):
    assert words.text(python) == shell


@pytest.mark.parametrize(
    ("action", "advice"),
    [
        (
            ["pass transform=", "pass on_bad_rows= or label="],
            "in Python: pass transform=, or pass on_bad_rows= or label=",
        ),
        (["choose label=", "pass transform="], "choose --label"),
        (["choose label=", InPython("pass a pipeline"), "drop it"], "choose --label, or drop it"),
        ("call audit.save(folder)", "in Python: call audit.save(folder)"),
        ("drop\nit \x1b[2J", "drop it \\x1b[2J"),
    ],
)
def test_what_cannot_be_followed_here_is_not_advised(action, advice):
    command = get_command(app).commands["score"]
    command.params = [param for param in command.params if param.name != "on_bad_rows"]
    error = DataError("this", "that", action)
    assert Wording(typer.Context(command)).advice(error) == advice


DATA = st.text(string.ascii_letters + "= (),.", max_size=12)


@given(
    data=DATA,
    value=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(), DATA),
)
def test_arguments_are_found_with_their_values_and_not_in_data(data, value):
    found = arguments(f"column {data!r}, so pass label={value!r}, or another")
    assert [(one.name, one.value.strip(".")) for one in found] == [("label", repr(value).strip("."))]
