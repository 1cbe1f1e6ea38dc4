"""Commands for people: the queue as a page and a file, and decisions applied to data as they lie on disk."""

import gzip
import json
import shlex

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataaudit import Audit, Decisions
from dataaudit.cli import app

N = 120
NAMES = np.array(["ant", "bee"])


def call(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def scored(data, out, *more):
    done = call("score", data, "--out", out, "--model", "none", "--no-progress", *more)
    assert done.exit_code == 0, done.output
    return Audit.load(out / "audit")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    kind = np.arange(N) % 2
    given = np.where(np.arange(N) % 20 == 7, 1 - kind, kind)
    return pd.DataFrame({"size": rng.normal(size=N) + 4 * kind, "kind": NAMES[given], "note": "a, b"})


def decided(audit, path, words, reviewer="ann"):
    rows = list(words)
    table = pd.DataFrame(
        {"row": rows, "decision": [word if word not in NAMES else "relabel" for word in words.values()]}
    )
    table["label"] = [word if word in NAMES else "" for word in words.values()]
    made = Decisions.of(table.assign(reviewer=reviewer), audit.settings["fingerprint"], audit.class_names)
    return made.write(path)


@pytest.mark.parametrize("name", ["data.csv", "data.tsv.gz", "data.jsonl", "data.parquet"])
def test_a_table_comes_out_as_it_lay_there_but_for_what_was_decided(frame, tmp_path, name):
    data, out = tmp_path / name, tmp_path / f"corrected-{name}"
    if name == "data.csv":
        # Letter by letter: numbers as they are spelled, quotes that nobody needs, a line within quotes, a blank one.
        lines = [f'{size:.9f}0,"{kind}","a ""b""\nc"' for size, kind in zip(frame["size"], frame["kind"], strict=True)]
        data.write_text("\r\n".join(["size,kind,note", *lines[:9], "", *lines[9:], ""]), newline="")
    elif name == "data.tsv.gz":
        data.write_bytes(gzip.compress(frame.to_csv(index=False, sep="\t").encode()))
    elif name == "data.jsonl":
        data.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    else:
        frame.to_parquet(data)
    audit = scored(data, tmp_path / "r", "--label", "kind", "--inputs", "size")
    words = {7: "bee" if frame["kind"][7] == "ant" else "ant", 20: "remove", 21: "keep", 22: "unsure", 23: ""}
    file = decided(audit, tmp_path / "d.jsonl", words)
    done = call("apply", data, file, "--results", tmp_path / "r", "--out", out, "--json", "--inputs", "size")
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert (said["relabelled"], said["removed"]) == (1, 1)
    changes = pd.read_csv(f"{out}.changes.csv")
    assert changes["row"].tolist() == [7, 20]
    if name == "data.csv":
        before, after = data.read_bytes().decode(), out.read_bytes().decode()
        blocks = before.replace(f"{lines[20]}\r\n", "").split(lines[7])
        assert after.startswith(blocks[0])
        assert after.endswith(blocks[1])
        middle = after[len(blocks[0]) : len(after) - len(blocks[1])]
        assert f",{words[7]}," in middle
        return
    made = {
        "data.tsv.gz": lambda path: pd.read_csv(path, sep="\t"),
        "data.jsonl": lambda path: pd.read_json(path, lines=True),
        "data.parquet": pd.read_parquet,
    }[name](out)
    expected = frame.copy()
    expected.loc[7, "kind"] = words[7]
    expected = expected.drop(index=20)
    pd.testing.assert_frame_equal(made.reset_index(drop=True), expected.reset_index(drop=True), check_dtype=False)


def test_the_command_that_score_names_corrects_the_data_as_it_stands(frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame.to_csv("my data.csv.gz", index=False)
    options = ("--label", "kind", "--inputs", "size", "--model", "none", "--no-progress")
    said = call("score", "my data.csv.gz", "--out", "r", *options).output.splitlines()
    program, *command = shlex.split(said[-1])
    assert program == "dataaudit"
    decided(Audit.load("r/audit"), tmp_path / "decisions.jsonl", {7: NAMES[int(frame["kind"][7] == NAMES[0])]})
    done = call(*command)
    assert done.exit_code == 0, done.output
    assert "1 of 120 labels were judged, and 1 found wrong" in done.output
    after = pd.read_csv("fixed.csv.gz")
    assert np.flatnonzero(after["kind"] != frame["kind"]).tolist() == [7]


def test_images_go_to_the_folders_of_their_classes(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(24):
        folder = tmp_path / "images" / NAMES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 60, (8, 8, 3)) + 180 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    audit = scored(tmp_path / "images", tmp_path / "r", "--scorers", "parzen/input")
    file = decided(audit, tmp_path / "d.jsonl", {0: "bee", 1: "remove"})
    done = call("apply", tmp_path / "images", file, "--results", tmp_path / "r", "--out", tmp_path / "made")
    assert done.exit_code == 0, done.output
    before = {path.relative_to(tmp_path / "images") for path in (tmp_path / "images").rglob("*.png")}
    after = {path.relative_to(tmp_path / "made") for path in (tmp_path / "made").rglob("*.png")}
    moved, gone = audit.identity[0], audit.identity[1]
    assert {path.as_posix() for path in before - after} == {moved, gone}
    assert {path.as_posix() for path in after - before} == {moved.replace("ant", "bee")}


def test_a_saved_data_set_is_saved_again(frame, tmp_path):
    datasets.Dataset.from_pandas(frame[["size", "kind"]]).save_to_disk(tmp_path / "set")
    audit = scored(tmp_path / "set", tmp_path / "r", "--label", "kind")
    file = decided(audit, tmp_path / "d.jsonl", {4: "remove"})
    done = call("apply", tmp_path / "set", file, "--results", tmp_path / "r", "--out", tmp_path / "made")
    assert done.exit_code == 0, done.output
    assert datasets.load_from_disk(tmp_path / "made").num_rows == N - 1


def test_a_queue_is_written_decided_and_continued(frame, tmp_path):
    data = tmp_path / "data.csv"
    frame.to_csv(data, index=False)
    audit = scored(data, tmp_path / "r", "--label", "kind")
    out = tmp_path / "review"
    done = call("review", tmp_path / "r", "--data", data, "--budget", 30, "--out", out, "--label", "kind")
    assert done.exit_code == 0, done.output
    assert "30 rows to look at" in done.output
    assert "a, b" in (out / "review.html").read_text("utf-8")
    queue = Decisions.read(out / "decisions.jsonl")
    assert queue.table["key"].tolist() == (queue.table["row"] + 2).tolist()
    right = np.arange(N) % 20 != 7
    words = np.where(right[queue.table["row"]], "keep", "remove")
    for name, reviewer in (("a", "ann"), ("b", "bob")):
        table = queue.table.assign(decision=words, reviewer=reviewer)
        Decisions.of(table, queue.fingerprint, queue.class_names).write(tmp_path / f"{name}.jsonl")
    both = ["--after", tmp_path / "a.jsonl", "--after", tmp_path / "b.jsonl"]
    done = call("review", tmp_path / "r", *both, "--budget", 10, "--out", tmp_path / "more")
    assert done.exit_code == 0, done.output
    assert "Agreement of reviewers" in done.output
    assert "errors (" in done.output
    assert "upper bound and no count: 30 looks" in done.output
    assert Decisions.read(tmp_path / "more/decisions.jsonl").table["place"].tolist() == list(range(31, 41))
    done = call("review", tmp_path / "r", "--budget", 30, "--out", out)
    assert done.exit_code == 2
    assert "which exists" in done.output
    decided(audit, tmp_path / "c.jsonl", {int(queue.table["row"][0]): "unsure"}, "cyd")
    Decisions.read(tmp_path / "a.jsonl").table.to_csv(tmp_path / "a.csv", index=False)
    for name in ("a.jsonl", "a.csv"):
        made = tmp_path / f"by-{name}.csv"
        done = call("apply", data, tmp_path / name, "--results", tmp_path / "r", "--out", made)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "by-a.csv.csv").read_bytes() == (tmp_path / "by-a.jsonl.csv").read_bytes()
    files = [tmp_path / "a.jsonl", tmp_path / "c.jsonl"]
    done = call("apply", data, *files, "--results", tmp_path / "r", "--out", tmp_path / "x.csv")
    assert done.exit_code == 2
    assert "--resolve majority" in done.output
    assert not (tmp_path / "x.csv").exists()
    done = call("apply", data, *files, "--results", tmp_path / "r", "--out", tmp_path / "x.csv", "--resolve", "unsure")
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(tmp_path / "x.csv")) == N - (words[1:] == "remove").sum()


def test_what_does_not_fit_is_refused_and_nothing_written(frame, tmp_path):
    data = tmp_path / "data.csv"
    frame.to_csv(data, index=False)
    audit = scored(data, tmp_path / "r", "--label", "kind")
    file = decided(audit, tmp_path / "d.jsonl", {4: "remove"})
    changed = tmp_path / "changed.csv"
    frame.assign(size=frame["size"] + 1).to_csv(changed, index=False)
    queue, skipped = audit.review(6), tmp_path / "skipped.jsonl"
    some = queue.table.iloc[::2].assign(decision="keep")
    Decisions.of(some, queue.fingerprint, queue.class_names).write(skipped)
    renamed = tmp_path / "renamed.csv"
    frame.rename(columns={"kind": "sort"}).to_csv(renamed, index=False)
    for arguments, words in [
        (
            [renamed, file, "--results", tmp_path / "r", "--out", tmp_path / "x.csv"],
            "--label kind, which the audit rem",
        ),
        ([changed, file, "--results", tmp_path / "r", "--out", tmp_path / "x.csv"], "fingerprint"),
        ([data, file, "--results", tmp_path / "r", "--out", tmp_path / "x.jsonl"], "--out"),
        ([data, skipped, "--results", tmp_path / "r", "--out", tmp_path / "x.csv"], "without place 2, 4 of"),
        ([data, data, "--results", tmp_path / "r", "--out", tmp_path / "x.csv"], "to do:    pass a decision file"),
        ([data, file, "--results", tmp_path / "q", "--out", tmp_path / "x.csv"], "q, which does not"),
        ([data, file, "--results", tmp_path, "--out", tmp_path / "x.csv"], "no audit"),
        (["-", file, "--results", tmp_path / "r", "--out", tmp_path / "x.csv"], "standard input"),
        ([data, file, "--results", tmp_path / "r", "--out", file], "which exists"),
    ]:
        done = call("apply", *arguments)
        assert done.exit_code == 2, done.output
        assert words in done.output
    assert not list(tmp_path.glob("x.*"))
