"""The library's face: tables of names, and the type stubs that are made of them.

``python tests/test_public_names.py`` writes the stubs anew.
"""

import inspect
import operator
import subprocess
import sys
from pathlib import Path

import pytest

import dataaudit
from dataaudit import testing
from dataaudit.curriculum import trainers

PACKAGES = (dataaudit, trainers, testing)


def path_of_stub(package):
    return Path(package.__file__).with_suffix(".pyi")


def stub(package):
    """Text of the type stub."""
    lines, imports = ["# Made of the table in __init__.py by tests/test_public_names.py."], []
    for name, target in package._PUBLIC.items():
        module, _, attribute = target.rpartition(":" if ":" in target else ".")
        imports.append(f"from {module} import {attribute} as {name}")
    lines += sorted(imports)
    lines += ["", "__version__: str"] if "__version__" in package.__all__ else []
    lines += ["", "__all__ = ["]
    lines += [*(f'    "{name}",' for name in sorted(package.__all__)), "]"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_stub_is_made_of_the_table(package):
    assert path_of_stub(package).read_text("utf-8") == stub(package), "run python tests/test_public_names.py"


@pytest.mark.parametrize("name", dataaudit.__all__)
def test_every_public_name_is_there_and_documented(name):
    found = getattr(dataaudit, name)
    assert name in dir(dataaudit)
    assert name == "__version__" or found.__doc__


MAIN = [
    name
    for name in dataaudit.__all__
    if inspect.isclass(getattr(dataaudit, name)) or inspect.isfunction(getattr(dataaudit, name))
]
ANSWERS = [
    "ranking",
    "suspects",
    "noise_rate",
    "mislabeled",
    "error_probability",
    "outliers",
    "ambiguous",
    "duplicates",
    "typical",
    "score_new",
    "clean",
    "to_dataset",
    "weights",
    "review",
    "apply",
    "reviewed",
    "export",
    "report",
    "save",
]


@pytest.mark.parametrize("name", [*MAIN, *(f"Audit.{name}" for name in ANSWERS)])
def test_docstrings_show_an_example_that_the_tests_run(name):
    text = inspect.getdoc(operator.attrgetter(name)(dataaudit))
    assert ">>> " in text.partition("Examples\n--------\n")[2]


@pytest.mark.parametrize("name", sorted({"backends", "engines", "exports", "scorers", "searches", "strategies"}))
def test_a_namespace_names_and_describes_what_it_has(name):
    space = getattr(dataaudit, name)
    lines = space.describe()
    assert list(lines) == space.names()
    assert len(lines) >= 3
    assert all(line and "\n" not in line for line in lines.values())
    assert len(repr(lines).splitlines()) == len(lines)
    for shown in dir(space):
        assert getattr(space, shown) is not None


def test_classes_stand_in_their_namespaces():
    assert {"LabelQuality", "Density", "NeighbourCScore"} <= set(dir(dataaudit.scorers))
    assert {"Joblib", "Ray", "Serial"} <= set(dir(dataaudit.backends))
    assert {"Faiss", "RaySearch", "Torch"} <= set(dir(dataaudit.searches))
    assert {"RayEngine", "TritonEngine"} <= set(dir(dataaudit.engines))
    assert {"EasyToHard", "SmallLoss"} <= set(dir(dataaudit.strategies))
    assert {"TritonEngine", "SampledEngine", "RayEngine"} <= set(dir(dataaudit.engines))
    assert {"Faiss"} <= set(dir(dataaudit.searches))
    assert {"MLP", "SmallCNN"} <= set(dir(dataaudit.networks))


def test_versions_are_shown_without_loading_what_they_are_of():
    code = (
        "import sys, dataaudit; assert dataaudit.show_versions() is None; "
        "assert not {'torch', 'numpy', 'faiss'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert shown["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert shown["dataaudit"] == dataaudit.__version__
    assert {"numpy", "torch", "platform", "threads", "cards"} <= shown.keys()


def test_descriptions_need_no_torch():
    code = (
        "import sys, dataaudit as da; "
        "spaces = da.scorers, da.networks, da.recipes, da.strategies, da.backends, da.exports; "
        "assert all(space.describe() for space in spaces); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    for package in PACKAGES:
        path_of_stub(package).write_text(stub(package), "utf-8")
