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

MAY_IMPORT = {
    # Rooms within dataaudit that a room's modules may import; "" stands for the shared corridor.
    "data": {"data"},
    "dynamics": {"dynamics"},
    "holdout": {"holdout", "registry"},
    "learners": {"learners", "data", "holdout.base"},
    "embedding": {"embedding", "data", "learners.devices", "learners.tokens"},
    "representations": {"representations", "data"},
    # Engines and searches whose work goes to a cluster: they hand it to those of one machine.
    "cluster": {"cluster", "density", "neighbours", "representations.base"},
    # One engine sums over neighbours first, of the graph that neighbour scores use.
    "density": {"density", "neighbours", "representations.base", "registry"},
    "neighbours": {"neighbours", "representations.base", "registry"},
    "scoring": {
        "scoring",
        "evidence",
        "dynamics.summary",
        "density.base",
        "holdout.summary",
        "labels.noise",
        "labels.posterior",
        "neighbours.around",
        "neighbours.base",
        "neighbours.subsets",
        "neighbours.closed_form",
        "registry",
    },
    "labels": {"labels", "evidence", "dynamics.summary"},
    "report": {"report"},
    "places": {
        "places",
        "data.texts",
        "dynamics.summary",
        "density.bandwidth",
        "neighbours",
        "representations",
    },
    "export": {"export", "data"},
    # Strategies know scored examples; whose audit they are of is told to them.
    "curriculum": {"curriculum", "dynamics.processes", "dynamics.ranks", "dynamics.recorder", "registry"},
    # Methods of an audit: they may reach any room that turns findings into something else, and no room that trains.
    "actions": {
        "actions",
        "curriculum",
        "data",
        "density.base",
        "dynamics.summary",
        "export",
        "labels",
        "places",
        "representations.input",
    },
}
CORRIDOR = {"durable", "errors", "fingerprints", "types", "progress", "interrupts", "mapped", "shares", "timing"}


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
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_its_neighbours(room):
    allowed = MAY_IMPORT[room] | CORRIDOR
    # The recorder hands out audits of itself; it reaches the orchestrator when asked, not before.
    exceptions = {("dynamics", "_assemble")}
    found = []
    for path in (ROOT / "dataaudit" / room).rglob("*.py"):
        for name in imports(path, at_run_time=True):
            if not name.startswith("dataaudit."):
                continue
            inner = name.removeprefix("dataaudit.")
            known = any(inner == a or inner.startswith(a + ".") or a.startswith(inner + ".") for a in allowed)
            if not known and (room, inner.split(".")[0]) not in exceptions:
                found.append(f"{path.name}: {name}")
    assert not found


def test_scores_are_pure_numpy():
    for path in (ROOT / "dataaudit/scoring").rglob("*.py"):
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
        f"import sys, time; start = time.perf_counter(); import {module}; took = time.perf_counter() - start; "
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
