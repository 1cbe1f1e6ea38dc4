"""The walls of the house: which room may import which, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {
    "torch",
    "faiss",
    "numba",
    "triton",
    "datasets",
    "transformers",
    "tokenizers",
    "accelerate",
    "lightning",
    "pandas",
    "sklearn",
    "scipy",
    "pyarrow",
    "rich",
    "typer",
}

ROOMS = (
    "errors",
    "common",
    "tasks",
    "data",
    "holdout",
    "dynamics",
    "learners",
    "representations",
    "embedding",
    "neighbours",
    "density",
    "cluster",
    "evidence",
    "labels",
    "scores",
    "findings",
    "review",
    "curriculum",
    "report",
    "exports",
    "audit",
    "pipeline",
    "the package's face",
    "demo",
    "cli",
    "testing",
)
"""Rooms of the house from the ground up: a file imports what lies below its room, or in it."""


def room_of(module):
    inner = module.split(".")[1:]
    if inner == ["__main__"]:
        return "cli"
    return inner[0] if inner else "the package's face"


def modules():
    """Every module of the library, name -> file."""
    found = {}
    for path in (ROOT / "dataaudit").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def arrows():
    """What every module imports of the library, wherever in the file, for types alone too: name -> set of names."""
    known = modules()

    def module_of(name):
        while name not in known:
            name = name.rpartition(".")[0]
        return name

    found = {}
    for module, path in known.items():
        ours = {name for name in imports(path, at_run_time=False) if name.split(".")[0] == "dataaudit"}
        found[module] = {module_of(name) for name in ours} - {module}
    return found


def imports(path, *, at_run_time):
    tree = ast.parse(path.read_text("utf-8"))
    hidden = set()
    if at_run_time:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
                hidden |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module != "dataaudit":
                yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_file_stands_in_a_room():
    assert {room_of(module) for module in modules()} <= set(ROOMS)


def test_imports_go_one_way():
    height = {room: place for place, room in enumerate(ROOMS)}
    upward = [
        f"{module} -> {name}"
        for module, names in arrows().items()
        for name in names
        if height[room_of(name)] > height[room_of(module)]
    ]
    assert not upward


def test_no_files_import_each_other_in_a_circle():
    waiting = arrows()
    while free := [module for module, names in waiting.items() if not names & waiting.keys()]:
        for module in free:
            del waiting[module]
    # What is left lies in a circle, or imports what does.
    assert not waiting


def test_scores_are_pure_numpy():
    for path in (ROOT / "dataaudit/scores").rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path, at_run_time=True)} & HEAVY


def test_kernels_know_nothing_of_the_library():
    paths = list((ROOT / "kernels").rglob("*.py"))
    assert paths
    for path in paths:
        assert not {name for name in imports(path, at_run_time=False) if name.split(".")[0] == "dataaudit"}


def test_no_top_level_package_called_kernels():
    assert not (ROOT / "kernels/__init__.py").exists()


def test_nothing_is_pickled():
    for path in (ROOT / "dataaudit").rglob("*.py"):
        names = {name.split(".")[0] for name in imports(path, at_run_time=False)}
        # Joblib and Ray hand jobs to processes of their own making; nothing that was stored is unpickled.
        own_workers = {"joblib"} if path.name == "joblib.py" else set()
        assert not names & {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"} - own_workers, path


def test_files_fit_in_the_head():
    for folder in ("dataaudit", "kernels"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text("utf-8").splitlines()) <= 400, path


@pytest.mark.parametrize("module", ["dataaudit", "dataaudit.cli"])
def test_importing_loads_nothing_heavy_and_is_quick(module):
    heavy = HEAVY - {"typer", "rich"} if module == "dataaudit.cli" else HEAVY
    code = (
        f"import sys, time; start = time.process_time(); import {module}; took = time.process_time() - start; "
        f"print(took); print(*(set(sys.modules) & {heavy!r}))"
    )
    took, loaded = [], ""
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
        seconds, loaded = done.stdout.split("\n")[:2]
        took.append(float(seconds))
        assert loaded == ""
    if module == "dataaudit":
        assert min(took) < 0.2


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["--version"], ["score", "absent.csv", "--out", "results"]]
)
def test_commands_that_only_tell_load_nothing_heavy(arguments, tmp_path):
    code = (
        "import sys\nfrom dataaudit.cli import app\ntry:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print('loaded', *(set(sys.modules) & {HEAVY - {'typer', 'rich'}!r}))"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "loaded"
