"""Every advice of an error names options that are there, and works when it is followed."""

import re
import shlex

import datasets
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from dataaudit.cli import app

OPTIONS = {
    option for param in get_command(app).commands["score"].params for option in param.opts + param.secondary_opts
}


def call(*arguments):
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data sets with a fault each."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    kind = np.arange(40) % 2
    frame = pd.DataFrame({"size": rng.normal(size=40) + 5 * kind, "kind": np.array(["añt", "bee"])[kind]})
    frame.to_csv(folder / "good.csv", index=False)
    frame.to_csv(folder / "semicolon.csv", index=False, sep=";")
    frame.to_csv(folder / "latin.csv", index=False, encoding="latin-1")
    frame.to_csv(folder / "named.txt", index=False)
    frame.assign(size=frame["size"].where(frame.index > 1, np.inf)).to_csv(folder / "infinite.csv", index=False)
    frame.assign(remark=[f"so much for {row}" for row in range(40)]).iloc[np.arange(120) % 40].assign(
        remark=[f"so much for {row}" for row in range(120)]
    ).to_csv(folder / "remarks.csv", index=False)
    frame.assign(empty=None).to_csv(folder / "empty.csv", index=False)
    frame.assign(other=frame["kind"]).to_csv(folder / "two.csv", index=False)
    texts = [f"{'moon star' if one else 'soup salt'} {row}" for row, one in enumerate(kind)]
    pd.DataFrame({"text": texts, "label": kind}).to_csv(folder / "texts.csv", index=False)
    datasets.DatasetDict({"train": datasets.Dataset.from_pandas(frame)}).save_to_disk(folder / "saved")
    for name, side in (("sizes", 3), ("damaged", 1)):
        for number in range(20):
            (folder / name / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (8 + number % side, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / "ab"[number % 2] / f"{number}.png")
    (folder / "damaged/a/0.png").write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("wrong", "followed"),
    [
        ("two.csv", "--label kind"),
        ("infinite.csv", "--on-bad-rows drop"),
        ("semicolon.csv", "--delimiter ';'"),
        ("latin.csv", "--encoding latin-1"),
        ("named.txt", "--format csv"),
        ("remarks.csv --label kind", "--exclude remark"),
        ("empty.csv", "--exclude empty"),
        ("saved --label kind", "--split train"),
        ("sizes", "--size 8"),
        ("damaged", "--on-bad-rows drop"),
        ("good.csv --model none --scorers mean_confidence", "--model mlp"),
        ("good.csv --model none --runs 2", "--model mlp"),
        ("good.csv --seed -1", "--seed 0"),
        ("good.csv --ratio 3 --runs 4", "--ratio 0.7"),
        ("good.csv --epochs 0", "--epochs 2"),
        ("good.csv --on-bad-rows skip", "--on-bad-rows drop"),
    ],
)
def test_advice_works(folder, tmp_path, wrong, followed):
    name, *more = shlex.split(wrong)
    quick = ["--epochs", "1"] if "--epochs" not in more and "--model none" not in wrong + followed else []
    command = [folder / name, "--out", tmp_path / "r", "--no-progress", *quick, *more]
    refused = call(*command)
    assert refused.exit_code == 2, refused.output
    lines = refused.output.splitlines()
    assert [line.split(":")[0] for line in lines] == ["found", "expected", "to do"]
    assert set(re.findall(r"(?<!\S)--[a-z-]+", refused.output)) <= OPTIONS
    assert not re.search(r"(?<!\w)[a-z_]+=(?!=)", re.sub("'[^']*'", "", refused.output))
    flag, value = shlex.split(followed)
    assert flag in lines[2]
    done = call(*command, flag, value)
    assert done.exit_code == 0, done.output


def test_no_network_is_advised_for_texts(folder, tmp_path):
    refused = call(folder / "texts.csv", "--out", tmp_path / "r", "--scorers", "c_score")
    assert refused.exit_code == 2
    assert refused.output.splitlines()[-1] == "to do:    leave --scorers and --runs out"
