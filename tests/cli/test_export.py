"""Commands to labelling tools and back: a folder of images and a table."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataaudit import Decisions
from dataaudit.cli import app


def call(*arguments, code=0):
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """A folder with data in a table and in images, and the results of both."""
    place, rng = tmp_path_factory.mktemp("audited"), np.random.default_rng(0)
    kind = np.arange(40) % 2
    frame = pd.DataFrame({"size": rng.normal(size=40) + 5 * kind, "kind": np.array(["ant", "bee"])[kind]})
    frame.to_csv(place / "data.csv", index=False)
    for row in range(16):
        path = place / f"photos/{('ant', 'bee')[row % 2]}/{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 60, (8, 8)) + 180 * (row % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    options = ["--model", "none", "--no-progress", "--quiet"]
    call("score", place / "data.csv", "--label", "kind", "--out", place / "table", *options)
    call("score", place / "photos", "--out", place / "images", "--scorers", "parzen/input", *options)
    return place


def test_a_queue_goes_out_and_answers_come_back_as_a_decision_file(audited, tmp_path):
    results, data = audited / "table", audited / "data.csv"
    call("review", results, "--budget", 8, "--out", tmp_path / "r")
    queue = tmp_path / "r/decisions.jsonl"
    to_tool = ["export", results, data, "--tool", "prodigy", "--label", "kind"]
    said = json.loads(call(*to_tool, "--rows", queue, "--out", tmp_path / "out", "--json"))
    tasks = [json.loads(line) for line in Path(said["files"]["tasks.jsonl"]).read_text("utf-8").splitlines()]
    assert [task["dataaudit"]["key"] for task in tasks] == Decisions.read(queue).table["key"].tolist()
    answers = tmp_path / "answers.jsonl"
    labels = ["ant" if number else "(remove)" for number in range(8)]
    lines = [
        json.dumps({**task, "answer": "accept", "accept": [label], "_session_id": "set-ann"})
        for task, label in zip(tasks, labels, strict=True)
    ]
    answers.write_text("\n".join(lines))
    back = ["answers", results, answers, "--tool", "prodigy", "--out", tmp_path / "d.jsonl"]
    assert "1 remove" in call(*back)
    decided = Decisions.read(tmp_path / "d.jsonl")
    assert set(decided.table["reviewer"]) == {"set-ann"}
    call(
        "apply",
        data,
        tmp_path / "d.jsonl",
        "--results",
        results,
        "--out",
        tmp_path / "corrected.csv",
        "--label",
        "kind",
    )
    assert len(pd.read_csv(tmp_path / "corrected.csv")) == 39
    assert "which exists" in call(*back, code=2)
    assert "a new or empty folder" in call(*to_tool, "--out", tmp_path / "out", code=2)
    answers.write_text(lines[0].replace(decided.fingerprint, "0" * 32))
    assert "that of this audit" in call(*back[:-1], tmp_path / "e.jsonl", code=2)
    assert not (tmp_path / "e.jsonl").exists()


def test_images_are_named_by_their_files_or_copied(audited, tmp_path):
    common = ["export", audited / "images", audited / "photos", "--tool", "fiftyone"]
    call(*common, "--rows", 4, "--out", tmp_path / "a")
    named = pd.read_csv(tmp_path / "a/labels.csv")
    assert (named["filepath"] == named["key"]).all()
    assert all((audited / "photos" / path).exists() for path in named["filepath"])
    call(*common, "--rows", 4, "--copy-images", "--out", tmp_path / "b")
    assert len(list((tmp_path / "b/data").iterdir())) == 4
    output = call(*common, "--tool", "fifty", "--out", tmp_path / "c", code=2)
    assert "did you mean 'fiftyone'?" in output
    assert "--rows" in call(*common, "--rows", "some", "--out", tmp_path / "c", code=2)
    assert "does not exist" in call(*common, "--rows", "some.jsonl", "--out", tmp_path / "c", code=2)
    assert not (tmp_path / "c").exists()
