"""What commands take: tables in every dress, standard input, texts, images, bad rows, names of the hub."""

import gzip
import inspect
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataaudit import Audit
from dataaudit.cli import app
from dataaudit.data.files import READING


def call(*arguments, stdin=None):
    return CliRunner().invoke(app, [*map(str, arguments)], input=stdin)


def quick(data, out, *more, stdin=None):
    return call("score", data, "--out", out, "--epochs", 1, "--no-progress", *more, stdin=stdin)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    kind = np.arange(60) % 2
    return pd.DataFrame({"size": rng.normal(size=60) + 4 * kind, "kind": np.array(["ant", "bee"])[kind]})


def test_a_table_comes_on_standard_input(frame, tmp_path):
    packed = gzip.compress(frame.to_csv(index=False, sep=";").encode())
    done = quick("-", tmp_path / "r", "--delimiter", ";", stdin=packed)
    assert done.exit_code == 0, done.output
    assert list(Audit.load(tmp_path / "r/audit").identity[:2]) == [2, 3]
    rows = "".join(json.dumps(row) + "\n" for row in frame.to_dict("records"))
    done = quick("-", tmp_path / "r", "--format", "jsonl", stdin=rows)
    assert done.exit_code == 0, done.output
    assert list(Audit.load(tmp_path / "r/audit").identity[:2]) == [1, 2]


def test_a_data_set_of_the_hub_is_loaded_by_name(frame, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    (tmp_path / "set").mkdir()
    frame.to_json(tmp_path / "set/train.jsonl", orient="records", lines=True)
    done = quick(f"hf:{tmp_path / 'set'}", tmp_path / "r", "--split", "train", "--label", "kind")
    assert done.exit_code == 0, done.output
    assert len(Audit.load(tmp_path / "r/audit")) == 60
    for more, words in [([], "--split train"), (["--split", "test"], "cannot be loaded")]:
        done = quick(f"hf:{tmp_path / 'set'}", tmp_path / "q", "--label", "kind", *more)
        assert done.exit_code == 2
        assert words in done.output


def test_texts_need_no_network(tmp_path):
    words = np.array([["moon", "star", "sky"], ["soup", "salt", "pan"]])
    rng = np.random.default_rng(0)
    rows = [" ".join(rng.permutation([*words[row % 2], f"w{row}"])) for row in range(80)]
    frame = pd.DataFrame({"text": rows, "label": np.arange(80) % 2})
    frame.to_csv(tmp_path / "texts.csv", index=False)
    for model in ([], ["--model", "none"]):
        done = call("score", tmp_path / "texts.csv", "--out", tmp_path / "r", "--no-progress", *model)
        assert done.exit_code == 0, done.output
        assert Audit.load(tmp_path / "r/audit").settings["model"] == "none"
    done = quick(tmp_path / "texts.csv", tmp_path / "q", "--model", "mlp")
    assert done.exit_code == 2
    assert "--model none" in done.output


def test_rows_that_cannot_be_used_are_dropped_on_request(frame, tmp_path):
    frame.loc[3, "kind"] = None
    frame.loc[5, "size"] = np.inf
    frame.to_csv(tmp_path / "bad.csv", index=False)
    done = quick(tmp_path / "bad.csv", tmp_path / "r", "--label", "kind")
    assert done.exit_code == 2
    assert "--on-bad-rows drop" in done.output
    done = quick(tmp_path / "bad.csv", tmp_path / "r", "--label", "kind", "--on-bad-rows", "drop")
    assert done.exit_code == 0, done.output
    assert Audit.load(tmp_path / "r/audit").settings["dropped_rows"] == [3, 5]


def test_images_that_do_not_decode_are_dropped_on_request(tmp_path):
    for number in range(20):
        folder = tmp_path / "images" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((10, 10 + number % 3), 9 * number, np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "images/a/0.png").write_bytes(b"")
    done = quick(tmp_path / "images", tmp_path / "r", "--size", 8)
    assert done.exit_code == 2
    assert "--on-bad-rows drop" in done.output
    done = quick(tmp_path / "images", tmp_path / "r", "--size", 8, "--on-bad-rows", "drop")
    assert done.exit_code == 0, done.output
    audit = Audit.load(tmp_path / "r/audit")
    assert len(audit) == 19
    assert "a/0.png" not in audit.identity


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{folder}/t.csv", "--size", "12"], "drop --size"),
        (["{folder}/images", "--delimiter", ";"], "drop --delimiter"),
        (["{folder}/t.csv", "--on-bad-rows", "ignore"], "--on-bad-rows drop"),
        (["{folder}/t.csv", "--exclude", "size"], "at least one input column"),
        (["hf:{folder}/t.csv", "--encoding", "utf-8"], "drop --encoding"),
        (["{folder}/t.csv", "--format", "jsonl", "--missing", "NA"], "drop --missing"),
    ],
)
def test_options_that_do_not_apply_are_named(frame, tmp_path, arguments, words):
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "images/a").mkdir(parents=True)
    done = quick(*[arguments[0].format(folder=tmp_path), tmp_path / "r", *arguments[1:]])
    assert done.exit_code == 2, done.output
    assert words in done.output
    assert "Traceback" not in done.output


def test_words_for_missing_values_are_counted_and_can_be_classes(frame, tmp_path):
    frame = frame.assign(kind=np.where(frame["kind"] == "bee", "None", frame["kind"]), colour=["NA", *["red"] * 59])
    frame.loc[40:, "kind"] = "cat"
    frame.to_csv(tmp_path / "t.csv", index=False, sep=";")
    options = ("--label", "kind", "--delimiter", ";")
    done = quick(tmp_path / "t.csv", tmp_path / "r", *options)
    assert done.exit_code == 0, done.output
    assert "labels that count as missing: 'None' (20); --missing '' takes words as they are" in done.output
    assert "values of 'colour' that count as missing: 'NA' (1)" in done.output
    done = quick(tmp_path / "t.csv", tmp_path / "r", *options, "--missing", "NA")
    assert done.exit_code == 0, done.output
    assert "count as missing" not in done.output
    assert Audit.load(tmp_path / "r/audit").class_names == ("None", "ant", "cat")
    # How the file is read is remembered.
    done = call("review", tmp_path / "r", "--data", tmp_path / "t.csv", "--out", tmp_path / "q")
    assert done.exit_code == 0, done.output


def test_every_command_that_reads_a_table_reads_it_in_all_ways():
    """A command without one of these options could not read again what another one read."""
    options = {
        command.callback.__name__: inspect.signature(command.callback).parameters for command in app.registered_commands
    }
    reading = {name for name, taken in options.items() if "delimiter" in taken}
    assert {"score", "report", "review", "apply", "export"} <= reading
    for name in reading:
        assert {*READING, "size", "key", "exclude"} <= set(options[name]), name
