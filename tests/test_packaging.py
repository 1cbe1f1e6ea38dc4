"""The wheel works alone in a clean environment, and so does an editable installation."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

USE = """
import importlib.util, sys
import dataaudit, dataaudit_kernels.reference
for package in ("faiss", "triton", "hypothesis", "PIL"):
    assert importlib.util.find_spec(package) is None, package
import numpy as np
from sklearn.linear_model import LogisticRegression
x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32"); y = np.arange(60) % 3
network = dataaudit.networks.build("mlp", (4,), 3)
audit = dataaudit.score(network, (x, y), recipe=dataaudit.Recipe(epochs=2), progress=False)
audit.save("audit"); dataaudit.Audit.load("audit"); audit.report("report.html")
dataaudit.score(LogisticRegression(), (x, y), progress=False)
print(dataaudit.__file__, dataaudit.__version__)
"""


def call(*command, cwd):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


def test_the_wheel_holds_both_packages_and_nothing_else(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"dataaudit", "dataaudit_kernels"}
    assert {"dataaudit/py.typed", "dataaudit_kernels/py.typed", "dataaudit/report/template.html.j2"} <= set(names)
    parts = {path.name for path in (ROOT / "dataaudit/report/static").iterdir()}
    assert {f"dataaudit/report/static/{name}" for name in parts} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_archive_can_be_tested(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    inside = {name.partition("/")[2] for name in names}
    assert {"tests/test_packaging.py", "examples/digits.py", "pyproject.toml", "LICENSE"} <= inside
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md", "docs/benchmarks.md"} <= inside


def requirements(lines):
    """Names of the distributions that are required without any extra, and of those that they require."""
    found, waiting = set(), list(lines)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        extras = {extra for extra in requirement.extras if (name, extra) not in found}
        if name in found and not extras:
            continue
        found |= {name, *((name, extra) for extra in extras)}
        for line in metadata.requires(name) or ():
            one = Requirement(line)
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                one.marker = None
                waiting.append(str(one))
    return {name for name in found if isinstance(name, str)}


def link(names, folder):
    """Let an environment's `folder` of packages have these distributions of the one that runs the tests."""
    for name in names:
        distribution = metadata.distribution(name)
        for top in {path.parts[0] for path in distribution.files} - {"..", "__pycache__"}:
            (folder / top).unlink(missing_ok=True)
            (folder / top).symlink_to(distribution.locate_file(top))


def test_a_clean_environment_scores_with_the_core_alone(built, tmp_path):
    """What the wheel requires is linked, not installed once more: `make test` has just installed it by the same pip."""
    call(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    wheel = next(built.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        [about] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        required = message_from_bytes(archive.read(about)).get_all("Requires-Dist")
    link(requirements(required), next((tmp_path / "venv/lib").glob("*/site-packages")))
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    call(*pip, "install", "--quiet", "--no-deps", wheel, cwd=tmp_path)
    call(*pip, "check", cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = call(python, "-c", USE, cwd=elsewhere)
    assert str(tmp_path / "venv") in place
    listed = call(tmp_path / "venv/bin/dataaudit", "list", cwd=elsewhere)
    assert "label_quality" in listed
    # An editable installation over it: the code is then this checkout's.
    call(*pip, "install", "--quiet", "--no-deps", "-e", ROOT, cwd=tmp_path)
    place = call(python, "-c", "import dataaudit, dataaudit_kernels; print(dataaudit.__file__)", cwd=elsewhere)
    assert str(ROOT / "dataaudit") in place


def test_the_citation_is_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert cited["abstract"] == project["description"]
