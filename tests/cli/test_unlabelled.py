"""Labels that mean none, on the command line."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import dataaudit
from dataaudit.cli import app

N, NONE = 60, [4, 31]
KINDS = np.arange(N) % 3


def call(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def frame(labels, none):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"size": rng.normal(size=N) + 6 * KINDS, "width": rng.normal(size=N) - 6 * KINDS})
    table["label"] = [none if row in NONE else label for row, label in enumerate(labels)]
    return table


@pytest.mark.parametrize(
    ("labels", "none", "spelled", "model"),
    [
        (np.array(["ant", "bee", "cat"])[KINDS], "?", "?", "mlp"),
        (KINDS, -1, "-1", "none"),
        (KINDS.astype(str), None, "?", "none"),
    ],
)
def test_rows_of_a_table_without_a_label_are_suggested_one(tmp_path, labels, none, spelled, model):
    frame(labels, none).to_csv(tmp_path / "table.csv", index=False)
    out = tmp_path / "results"
    options = ["--unlabelled", spelled, "--out", out, "--model", model, "--no-progress"]
    done = call("score", tmp_path / "table.csv", *options, *(["--epochs", 20] if model == "mlp" else []))
    assert done.exit_code == 0, done.output
    found = pd.read_csv(out / "unlabelled.csv", dtype=str)
    assert found["row"].tolist() == [str(row) for row in NONE]
    assert found["suggested"].tolist() == np.asarray(labels).astype(str)[NONE].tolist()
    assert f"Unlabelled: {out / 'unlabelled.csv'}" in done.output
    again = call("report", out, "--data", tmp_path / "table.csv")
    assert again.exit_code == 0, again.output
    frame(labels, labels[0]).to_csv(tmp_path / "table.csv", index=False)
    assert call("score", tmp_path / "table.csv", "--out", out, "--model", "none", "--no-progress").exit_code == 0
    assert not (out / "unlabelled.csv").exists()


def test_a_folder_of_images_may_be_of_those_without_a_label(tmp_path):
    # "bat" comes before "todo" in the order of files, and "wren" after it.
    for row, kind in enumerate(KINDS):
        folder = tmp_path / "images" / ("todo" if row in NONE else ("ant", "bat", "wren")[kind])
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((12, 12, 3), row)
        pixels[..., kind] += 150
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{row:02d}.png")
    options = ["--unlabelled", "todo", "--out", tmp_path / "results", "--epochs", 1, "--no-progress", "--device", "cpu"]
    done = call("score", tmp_path / "images", *options)
    assert done.exit_code == 0, done.output
    found = pd.read_csv(tmp_path / "results/unlabelled.csv")
    assert found["file"].tolist() == [f"todo/{row:02d}.png" for row in NONE]
    assert set(found["suggested"]) <= {"ant", "bat", "wren"}
    suspects = pd.read_csv(tmp_path / "results/suspects.csv")
    assert len(suspects)
    assert [file.partition("/")[0] for file in suspects["file"]] == suspects["given"].tolist()
    assert len(dataaudit.Audit.load(tmp_path / "results/audit").rows) == N - len(NONE)
