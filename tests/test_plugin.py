"""Another package's parts are found by its entry points, and keep the laws."""

import importlib
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import dataaudit
from dataaudit.testing import (
    BackendContract,
    EngineContract,
    ExportContract,
    ScorerContract,
    SearchContract,
    StrategyContract,
    TaskContract,
)

PACKAGE = Path(__file__).parent / "plugin"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """The package as an installer leaves it: its module, and what it says of itself."""
    site = tmp_path_factory.mktemp("site")
    shutil.copy(PACKAGE / "example_parts.py", site)
    name = PROJECT["name"].replace("-", "_")
    told = site / f"{name}-{PROJECT['version']}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n")
    groups = PROJECT["entry-points"].items()
    lines = [
        f"[{group}]\n" + "".join(f"{part} = {where}\n" for part, where in points.items()) for group, points in groups
    ]
    (told / "entry_points.txt").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        yield


def part(name):
    return getattr(importlib.import_module("example_parts"), name)()


def data():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    return (rng.normal(size=(120, 4)) + 3.0 * np.eye(3, 4)[labels]).astype(np.float32), labels


def test_every_part_is_listed_with_its_line():
    for group, points in PROJECT["entry-points"].items():
        listed = getattr(dataaudit, group.partition(".")[2]).describe()
        assert all(listed[name] for name in points)


def test_parts_are_taken_by_their_names():
    audit = dataaudit.score(LogisticRegression(), data(), "last_confidence", progress=False)
    assert audit.default == "last_confidence"
    assert (audit.weights("by_rank").argsort() == audit.columns["last_confidence"].argsort()).all()
    wanted = dataaudit.score(None, data(), ["parzen/input", "knn_c_score/input"], engine="reference", progress=False)
    options = {"engine": "cdist", "search": "scikit_learn", "progress": False}
    found = dataaudit.score(None, data(), ["parzen/input", "knn_c_score/input"], **options)
    for name, values in wanted.columns.items():
        np.testing.assert_allclose(found.columns[name], values, rtol=1e-6)
    assert found.settings["density"]["parzen/input"][0]["engine"] == "cdist"
    assert found.settings["neighbours"]["knn_c_score/input"][0]["search"] == "scikit_learn"


def test_holdout_runs_go_to_the_backend():
    holdout = {name: dataaudit.Holdout(runs=6, backend=name) for name in ("serial", "last_first")}
    audits = [
        dataaudit.score(LogisticRegression(), data(), "c_score", holdout=one, progress=False)
        for one in holdout.values()
    ]
    np.testing.assert_array_equal(*(audit.columns["c_score"] for audit in audits))


def test_examples_go_to_the_tool_by_its_name(tmp_path):
    audit = dataaudit.score(None, (["a cat", "cats", "the cat", "a dog", "dogs", "the dog"], [0, 0, 1, 1, 1, 0]))
    folder = audit.export("tab_separated", tmp_path / "out", rows=[2, 5])
    head, *rows = (folder / "rows.tsv").read_text("utf-8").splitlines()
    assert json.loads(head.split("\t")[-1]) == "text"
    assert sorted(json.loads(row.split("\t")[-1]) for row in rows) == ["the cat", "the dog"]


def test_a_recorder_counts_by_the_task_of_that_name():
    labels = np.array([0, 1, 0, 1])
    recorder = dataaudit.Recorder(4, 2, task="focal")
    recorder.update(np.arange(4), np.eye(2, dtype=np.float32)[labels], labels)
    recorder.end_epoch()
    assert dataaudit.score(recorder).dynamics.correct.tolist() == [1, 1, 1, 1]
    assert recorder.state_dict()["task"] == "focal"


class TestScorer(ScorerContract):
    def scorer(self):
        return part("LastConfidence")


class TestEngine(EngineContract):
    def engine(self):
        return part("CdistEngine")


class TestSearch(SearchContract):
    def search(self):
        return part("ScikitLearn")


class TestBackend(BackendContract):
    workers_die = False

    def backend(self):
        return part("LastFirst")


class TestStrategy(StrategyContract):
    def strategy(self, examples):
        return part("ByRank")

    def regularity(self, examples):
        return examples.scores


class TestExport(ExportContract):
    def tool(self):
        return part("TabSeparated")

    def read(self, files):
        names, *rows = [
            [json.loads(cell) for cell in line.split("\t")] for line in files["rows.tsv"].decode().splitlines()
        ]
        return [dict(zip(names, row, strict=True)) for row in rows]


class TestTask(TaskContract):
    classes = 2

    def task(self):
        return part("Focal")

    def labels(self):
        return np.array([0, 1, 0, 1, 1])
