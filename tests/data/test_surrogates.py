"""Lone surrogates, which no file holds as UTF-8, in names of rows, values and files."""

import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import dataaudit
from dataaudit.cli import app

N = 30
TRUTH = np.arange(N) % 2
NAMES = pd.Series([f"row{number}\ud800" for number in range(N)], dtype=object)
SPELLED = [f"row{number}\\ud800" for number in range(N)]


def audited(kind):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 3)) + 4 * TRUTH[:, None], columns=list("abc"))
    table["label"] = TRUTH
    if kind == "key":
        return dataaudit.score(None, table.assign(who=NAMES), label="label", key="who", progress=False)
    index = pd.Index(NAMES, name="who") if kind == "index" else pd.MultiIndex.from_arrays([NAMES, TRUTH])
    return dataaudit.score(None, table.set_axis(index), label="label", progress=False)


@pytest.mark.parametrize("kind", ["index", "levels", "key"])
def test_names_of_rows_survive_every_output(tmp_path, kind):
    audit = audited(kind)
    named = audit.suspects(N)
    column = "who" if kind != "levels" else "level_0"
    assert sorted(named[column]) == sorted(SPELLED)
    named.to_csv(tmp_path / "named.csv")
    named.to_parquet(tmp_path / "named.parquet")
    assert SPELLED[int(named["row"].iloc[0])] in audit.report(tmp_path / "page.html").read_text("utf-8")
    audit.save(tmp_path / "audit")
    assert dataaudit.Audit.load(tmp_path / "audit").suspects(N)[column].tolist() == named[column].tolist()
    queue = audit.review(5)
    queue.write(tmp_path / "decisions.jsonl")
    assert len(dataaudit.Decisions.read(tmp_path / "decisions.jsonl")) == len(queue)
    audit.to_dataset().to_parquet(str(tmp_path / "whole.parquet"))
    assert len(audit.to_frame()) == N
    str(named).encode()


def test_values_that_no_file_holds_are_escaped_in_a_data_set():
    texts = [f"{'rain' if kind else 'goal'} {row}" for row, kind in enumerate(TRUTH)]
    texts[3] = "\ud800"
    for dataset in ((texts, TRUTH), (np.array(texts, object), TRUTH)):
        audit = dataaudit.score(None, dataset, on_bad_rows="drop", progress=False)
        assert audit.to_dataset()["input"][3] == "\\ud800"


def test_images_whose_names_are_no_utf_8_are_refused_by_name(tmp_path):
    for row in range(8):
        folder = tmp_path / "images" / "ab"[row % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), row, np.uint8)).save(folder / (os.fsdecode(b"\xff") + f"{row}.png"))
    done = CliRunner().invoke(app, ["score", str(tmp_path / "images"), "--out", str(tmp_path / "results")])
    assert done.exit_code == 2
    assert "8 images whose names are no UTF-8, such as a/\\udcff0.png" in done.output
