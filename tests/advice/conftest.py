"""Follows what errors advise. A file for each room of the library holds its refusals, in `CASES`, by what is wrong:

    kind: (call, given)              every advice names arguments of `call`, with their values
    kind: (call, given, instead)     `instead` says what a reader does whom an advice tells more in words

`call` takes the dictionary `given` as named arguments; a function that returns one makes it anew for each call. Keys
of `instead` are pieces of advices. Its values are arguments to call with (... drops one), or a sentence that says why a
test cannot do it, such as what has to be installed.
"""

import ast
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

import dataaudit
from dataaudit import errors
from dataaudit.errors import DataAuditError, arguments

LIBRARY = Path(dataaudit.__file__).parent
NAMES = {name: value for name, value in vars(dataaudit).items() if not name.startswith("_")} | {
    "dataaudit": dataaudit,
    "np": np,
    **{name: getattr(dataaudit, name) for name in ("Holdout", "Recipe", "score")},
}


class Places:
    """Notes where errors are made while it is entered."""

    def __enter__(self):
        self.found = set()
        self.plain = DataAuditError.__init__

        def noted(error, *parts):
            frame = sys._getframe(1)
            while frame.f_code.co_filename == errors.__file__:
                frame = frame.f_back
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(LIBRARY):
                self.found.add((path.relative_to(LIBRARY).as_posix(), frame.f_lineno))
            self.plain(error, *parts)

        DataAuditError.__init__ = noted
        return self

    def __exit__(self, *_):
        DataAuditError.__init__ = self.plain


def places(room):
    """Every place of a room that makes an error: {(file, first line): (file, name of the function)}."""
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, DataAuditError)}
    found = {}
    folder = LIBRARY / room

    def look(node, path, function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in kinds:
                found[path, node.lineno] = (path, function)
        for child in ast.iter_child_nodes(node):
            look(child, path, function)

    for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]:
        look(ast.parse(path.read_text("utf-8")), path.relative_to(LIBRARY).as_posix(), "")
    return found


def named(call, given, advice):
    """Arguments of the call as an advice has them; None where it names none that can be set or dropped."""
    known = inspect.signature(call).parameters
    anything = any(one.kind is one.VAR_KEYWORD for one in known.values())
    changed = dict(given)
    for found in arguments(advice):
        if found.name not in known and not anything:
            return None
        if found.value:
            try:
                value = eval(found.value, NAMES)
            except (NameError, SyntaxError):
                return None
            changed[found.name] = value
        elif found.name in changed and advice.startswith(("drop", "leave")):
            del changed[found.name]
        else:
            return None
    return None if changed.keys() == given.keys() and all(changed[key] is given[key] for key in given) else changed


def made(given):
    return dict(given() if callable(given) else given)


def same(first, second):
    return type(first) is type(second) and isinstance(first, str | int | float | bool | None) and first == second


@pytest.fixture(scope="module")
def reached():
    """File and line of each place whose error a file of tests has followed."""
    return set()


@pytest.fixture
def follow(tmp_path, monkeypatch, reached):
    """Call what is refused, then again as each of its advices says: `follow(call, given, instead)`."""
    monkeypatch.chdir(tmp_path)

    def followed(call, given, instead=None):
        instead = instead or {}
        with Places() as noted, pytest.raises(DataAuditError) as refused:
            call(**made(given))
        error, unused = refused.value, set(instead)
        assert all([error.arrived, error.expected, *error.alternatives]), error
        for advice in error.alternatives:
            changed = made(given)
            words = [piece for piece in instead if piece in advice]
            unused -= set(words)
            if words:
                assert len(words) == 1, f"several pieces match {advice!r}"
                changes = instead[words[0]]
                if isinstance(changes, str):
                    continue
                changed = {name: value for name, value in (changed | changes).items() if value is not ...}
            else:
                changed = named(call, changed, advice)
                assert changed is not None, f"nothing follows {advice!r}: say in `instead` what its reader does"
                for name, value in changed.items():
                    stated = any(found.name == name and found.value for found in arguments(advice))
                    assert not stated or name not in made(given) or not same(made(given)[name], value), (
                        f"advises what was passed: {advice}"
                    )
            call(**changed)
        assert not unused, f"no advice says {unused}: {error.alternatives}"
        reached.update(noted.found)

    return followed


@pytest.fixture
def noted(reached):
    """Count the errors of a test that follows their advice by itself."""
    with Places() as places:
        yield
    reached.update(places.found)


@pytest.fixture
def left(request, reached):
    """Places of a room whose advice a whole file of tests did not follow: `left(room)`, as file: functions."""
    if sum(test.path == request.path for test in request.session.items) <= len(request.module.CASES):
        pytest.skip("only a run of this whole file says what it leaves out")

    def found(room):
        missed = {where for first, where in places(room).items() if first not in reached}
        return {f"{path}: {function}" for path, function in missed}

    return found
