"""The commands as a user types them."""

import os
import signal
import subprocess
import sys

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

import dataaudit
from dataaudit import Audit, networks
from dataaudit.cli import app
from dataaudit.cli.models import network_for
from dataaudit.data import as_examples
from dataaudit.density import engines
from dataaudit.neighbours import search


def call(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def tree(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    kind = np.arange(120) % 2
    frame = pd.DataFrame({"size": rng.normal(size=120) + 4 * kind, "colour": np.array(["red", "blue"])[kind]})
    frame["kind"] = np.array(["[bold]ant", "bee"])[kind]
    frame.loc[7, "kind"] = "[bold]ant"
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_table_is_audited(table, tmp_path):
    out = tmp_path / "results"
    done = call("score", table, "--label", "kind", "--out", out, "--epochs", 15, "--no-progress", "--top", 3)
    assert done.exit_code == 0, done.output
    assert tree(out) == ["audit", "mislabeled.csv", "report.html", "suspects.csv"]
    agreed = str(dataaudit.Audit.load(out / "audit").agreement)
    assert "of those it was trained on" in agreed
    assert f"Labels that the model agrees with: {agreed}" in done.output
    assert agreed in (out / "report.html").read_text()
    suspects = pd.read_csv(out / "suspects.csv", keep_default_na=False)
    assert suspects.loc[0, "row"] == 7
    assert suspects.loc[0, "given"] == "[bold]ant"
    assert suspects.loc[0, "suggested"] == "bee"
    assert "[bold]ant" in done.output
    assert len(Audit.load(out / "audit")) == 120
    again = call("score", table, "--label", "kind", "--out", out, "--epochs", 1, "--no-progress")
    assert again.exit_code == 0


@pytest.mark.parametrize(("shape", "first"), [((12, 10, 3), (3, 12, 10)), ((12, 10), (1, 12, 10))])
def test_a_network_of_images_is_built_for_channels_first(shape, first):
    examples = as_examples((np.zeros((4, *shape), np.uint8), [0, 1, 0, 1]))
    network = network_for("small_cnn", examples)()
    assert network(torch.zeros(2, *first)).shape == (2, 2)


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
def test_other_tables(table, tmp_path, suffix):
    frame, path = pd.read_csv(table).rename(columns={"kind": "label"}), tmp_path / f"other{suffix}"
    if suffix == ".tsv":
        frame.to_csv(path, sep="\t", index=False)
    else:
        frame.to_parquet(path)
    done = call(
        "score", path, "--out", tmp_path / "r", "--epochs", 1, "--inputs", "size", "--scorers", "el2n,confidence"
    )
    assert done.exit_code == 0, done.output
    assert list(Audit.load(tmp_path / "r" / "audit").scores) == ["el2n", "confidence"]


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for kind in range(2):
        (folder / f"class {kind}").mkdir(parents=True)
        for number in range(12):
            pixels = np.full((10, 10), 200 * kind + number, np.uint8)
            Image.fromarray(pixels).save(folder / f"class {kind}" / f"{number}.png")
    return folder


def test_a_folder_of_images_is_audited_and_nothing_else_is_written(images, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "dataaudit", "score", images, "--label", "label", "--epochs", "2"]
    command += ["--out", tmp_path / "r"]
    environment = {**os.environ, "HOME": str(home), "COLUMNS": "100"}
    environment["CUDA_CACHE_DISABLE"] = "1"  # The driver of a CUDA device keeps what it compiles there.
    for name in ("HF_HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "class 0" in done.stdout
    assert "image/png" in (tmp_path / "r" / "report.html").read_text()
    assert list(home.rglob("*")) == []
    assert tree(tmp_path) == ["home", "images", "r"]
    assert Audit.load(tmp_path / "r" / "audit").class_names == ("class 0", "class 1")


def test_images_of_several_sizes_need_a_size(images, tmp_path):
    Image.fromarray(np.zeros((20, 10), np.uint8)).save(images / "class 0" / "odd.png")
    done = call("score", images, "--out", tmp_path / "r", "--epochs", 1)
    assert done.exit_code == 2
    assert "--size" in done.output
    done = call("score", images, "--out", tmp_path / "r", "--epochs", 1, "--size", 12, "--model", "mlp")
    assert done.exit_code == 0, done.output


def test_a_saved_data_set_is_audited(tmp_path):
    rows = {"x": np.random.default_rng(0).normal(size=(40, 3)).tolist(), "label": [0, 1] * 20}
    dataset = datasets.Dataset.from_dict(rows).cast_column("label", datasets.ClassLabel(names=["no", "yes"]))
    datasets.DatasetDict({"train": dataset}).save_to_disk(tmp_path / "saved")
    done = call("score", tmp_path / "saved", "--split", "train", "--out", tmp_path / "r", "--epochs", 1)
    assert done.exit_code == 0, done.output
    assert call("score", tmp_path / "saved", "--out", tmp_path / "q").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{table}", "--label", "knd"], "'kind'"),
        (["{table}"], "2 possible label columns"),
        (["{table}", "--label", "kind", "--inputs", "sise"], "'size'"),
        (["{table}", "--label", "kind", "--model", "mpl"], "did you mean 'mlp'"),
        (["{table}", "--label", "kind", "--model", "small_cnn"], "channels, height, width"),
        (["{table}", "--label", "kind", "--recipe", "mnst"], "did you mean 'mnist'"),
        (["{table}", "--label", "kind", "--scorers", "aum"], "choose from"),
        (["{table}", "--label", "kind", "--device", "cdua"], "did you mean 'cuda'"),
        (["{table}", "--label", "kind", "--epochs", "0"], "--epochs 0"),
        (["{table}", "--label", "kind", "--seed", "-1"], "--seed -1"),
        (["{table}", "--label", "kind", "--split", "train"], "--split"),
        (["{folder}/absent.csv", "--label", "kind"], "does not exist"),
        (["{folder}/nots.txt", "--label", "kind"], "did you mean '{folder}/notes.txt'? pass the path of one"),
        (["{folder}/notes.txt", "--label", "kind"], "the file"),
        (["{folder}", "--out", "{folder}/r"], "without images"),
        (["{folder}", "--label", "kind", "--out", "{folder}/r"], "--label"),
    ],
)
def test_wrong_input_is_explained_in_three_lines(table, tmp_path, arguments, words):
    (tmp_path / "notes.txt").write_text("no table")
    filled = [argument.format(table=table, folder=tmp_path) for argument in arguments]
    out = [] if "--out" in filled else ["--out", str(tmp_path / "r")]
    done = call("score", *filled, *out)
    assert done.exit_code == 2
    assert words.format(folder=tmp_path) in done.output
    assert [line.split(":")[0] for line in done.output.splitlines()[-3:]] == ["found", "expected", "to do"]
    assert "Traceback" not in done.output
    assert not (tmp_path / "r").exists()


def test_a_foreign_folder_is_refused_before_training(table, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    for command in (["score", table, "--label", "kind"], ["demo"]):
        done = call(*command, "--out", tmp_path / "mine")
        assert done.exit_code == 2
        assert "thesis.tex" in done.output
    assert call("score", table, "--label", "kind", "--out", table).exit_code == 2
    assert tree(tmp_path / "mine") == ["thesis.tex"]


def fill(folder, name, content="precious"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


@pytest.mark.parametrize("name", ["report.html", "suspects.csv", "audit/books.xls"])
def test_files_of_ours_by_name_alone_are_not_replaced(table, tmp_path, name, monkeypatch):
    monkeypatch.setattr(dataaudit, "score", lambda *_, **__: pytest.fail("trained first"))
    fill(tmp_path / "mine", name)
    for command in (["score", table, "--label", "kind"], ["demo"]):
        done = call(*command, "--out", tmp_path / "mine")
        assert done.exit_code == 2, done.output
        assert name.split("/")[0] in done.output
    assert (tmp_path / "mine" / name).read_text() == "precious"


def test_a_stranger_inside_an_earlier_audit_is_found_before_training(table, tmp_path, monkeypatch):
    arguments = ["score", table, "--label", "kind", "--out", tmp_path / "r", "--epochs", 1, "--no-progress"]
    assert call(*arguments).exit_code == 0
    fill(tmp_path / "r", f"report.html.{'0' * 32}.partial", "left by a run that was killed")
    assert call(*arguments).exit_code == 0
    fill(tmp_path / "r", "audit/books.xls")
    monkeypatch.setattr(dataaudit, "score", lambda *_, **__: pytest.fail("trained first"))
    assert call(*arguments).exit_code == 2
    assert (tmp_path / "r" / "audit" / "books.xls").read_text() == "precious"


def test_inputs_may_be_named_one_by_one(table, tmp_path):
    pages = []
    for number, inputs in enumerate((["--inputs", "size,colour"], ["--inputs", "size", "--inputs", "colour"])):
        out = tmp_path / str(number)
        done = call("score", table, "--label", "kind", "--out", out, "--epochs", 1, "--no-progress", *inputs)
        assert done.exit_code == 0, done.output
        pages.append((out / "report.html").read_text())
        assert "1 numeric column standardised, 1 column of categories" in done.output
    assert all('["size",' in page and '["colour",' in page for page in pages)


def test_a_long_parser_message_stays_three_lines(tmp_path):
    (tmp_path / "ragged.csv").write_text("a,label\n1,2\n1,2,3,4\n")
    done = call("score", tmp_path / "ragged.csv", "--out", tmp_path / "r")
    assert done.exit_code == 2
    assert [line.split(":")[0] for line in done.output.splitlines()] == ["found", "expected", "to do"]


SPEAKING = """
import sys
from dataaudit import Recorder, cli
end_epoch = Recorder.end_epoch
def speak(self):
    end_epoch(self)
    print("epoch", flush=True)
Recorder.end_epoch = speak
cli.main()
"""


@pytest.mark.parametrize(("side", "network"), [(24, networks.BlockCNN), (23, networks.SmallCNN)])
def test_images_of_24_pixels_and_more_get_the_network_of_blocks(side, network):
    for shape in ((3, side, 40), (side, 40, 3)):
        examples = as_examples((np.zeros((4, *shape), np.uint8), [0, 1, 0, 1]))
        assert isinstance(network_for(None, examples)(), network)


def test_the_length_of_the_automatic_recipe_can_be_set(table, tmp_path):
    done = call("score", table, "--label", "kind", "--out", tmp_path / "r", "--recipe", "auto", "--epochs", 3)
    assert done.exit_code == 0, done.output
    settings = Audit.load(tmp_path / "r" / "audit").settings
    assert settings["recipe"]["epochs"] == 3
    assert settings["recipe_chosen"]["rule"] == "network without two-dimensional convolutions"


def test_ctrl_c_keeps_complete_epochs(table, tmp_path):
    out = tmp_path / "r"
    command = [sys.executable, "-c", SPEAKING, "score", table, "--label", "kind", "--out", out, "--epochs", "1000000"]
    running = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(3):
        assert running.stdout.readline() == "epoch\n"
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "complete epochs are kept" in errors
    audit = Audit.load(out / "audit")
    assert audit.dynamics.epochs >= 3
    assert any("interrupted after" in note for note in audit.settings["notes"])
    assert audit.settings["model"] == "MLP"


@pytest.mark.parametrize(("option", "registry"), [("--engine", engines.REGISTRY), ("--search", search.REGISTRY)])
def test_help_names_what_is_registered(option, registry):
    [shown] = [given for given in get_command(app).commands["score"].params if option in given.opts]
    assert shown.help.split(": ")[1] == ", ".join(["auto", *registry.names()]) + "."


def test_representations_are_kept_in_the_folder_named(table, tmp_path):
    frame = pd.read_csv(table)[["size", "kind"]]
    frame.to_csv(table, index=False)
    kept = tmp_path / "kept"
    arguments = ("score", table, "--label", "kind", "--epochs", 1, "--no-progress", "--scorers", "density/hidden")
    done = call(*arguments, "--out", tmp_path / "results", "--cache", kept)
    assert done.exit_code == 0, done.output
    assert "representations.json" in tree(kept)
    assert any(name.startswith("hidden") and name.endswith(".npy") for name in tree(kept))
    assert Audit.load(tmp_path / "results/audit").settings["cache"]["folder"] == str(kept)


def test_list_and_version():
    listed = call("list")
    assert listed.exit_code == 0
    for name in ("label_quality", "small_cnn", "cifar10"):
        assert name in listed.output
    assert call("--version").output.strip() == dataaudit.__version__


def test_without_anything_to_learn_no_label_is_listed_as_wrong(tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"a": value, "kind": "yes" if row % 2 else "no"} for row, value in enumerate(rng.normal(size=60))]
    path = tmp_path / "noise.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    out = tmp_path / "r"
    for _ in range(2):
        done = call("score", path, "--label", "kind", "--out", out, "--epochs", 2)
        assert done.exit_code == 0, done.output
        assert not (out / "mislabeled.csv").exists()
        (out / "mislabeled.csv").write_text("of an earlier audit")
    done = call("score", path, "--label", "kind", "--out", out, "--epochs", 2)
    assert "how many labels are wrong is not known" in done.output
    assert not (out / "mislabeled.csv").exists()
    assert (out / "suspects.csv").exists()
    assert "How many labels are wrong is not known" in (out / "report.html").read_text()
