"""Refusals of the command line's own: each advice names options that are there, and works when it is followed.

What the library refuses in the command line's words is followed in tests/cli/test_advice.py.
"""

import shlex

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import dataaudit
from dataaudit.cli import app
from dataaudit.review.decisions import Decisions
from tests.advice.embedding_models import BERT, WORDS

RESOLVED = "apply good.csv first.jsonl second.jsonl --results results --out "
CASES = {
    "a model beside a model of vectors": (
        "score texts.csv --no-progress --out v --model mlp --embed model",
        {
            "drop --model": "score texts.csv --no-progress --out v --embed model",
            "drop --embed": "score good.csv --no-progress --epochs 1 --out w --model mlp",
        },
    ),
    "a network for texts": (
        "score texts.csv --no-progress --out a --model mlp",
        {"--model none": "score texts.csv --no-progress --out a --model none"},
    ),
    "runs of texts": (
        "score texts.csv --no-progress --out b --runs 2",
        {"leave --scorers and --runs out": "score texts.csv --no-progress --out b"},
    ),
    "epochs of no network": (
        "score good.csv --no-progress --out q --model none --epochs 1",
        {
            "drop --epochs": "score good.csv --no-progress --out q --model none",
            "drop --model": "score good.csv --no-progress --out r --epochs 1",
        },
    ),
    "a recipe and epochs for texts": (
        "score texts.csv --no-progress --out s --recipe plain --epochs 3",
        {"drop --recipe and --epochs": "score texts.csv --no-progress --out s"},
    ),
    "epochs beside a model of vectors": (
        "score texts.csv --no-progress --out t --embed model --epochs 3",
        {"drop --epochs": "score texts.csv --no-progress --out t --embed model"},
    ),
    "an unknown network": (
        "score good.csv --no-progress --out c --model mpl",
        {"did you mean 'mlp'": "score good.csv --no-progress --epochs 1 --out c --model mlp"},
    ),
    "settings that are no TOML": (
        "score good.csv --no-progress --out d --model none --config broken.toml",
        {"label = 'kind'": "score good.csv --no-progress --out d --model none --config good.toml"},
    ),
    "settings of another name": (
        "score good.csv --no-progress --out e --model none --config odd.toml",
        {"did you mean 'label'": "score good.csv --no-progress --out e --model none --config good.toml"},
    ),
    "an unknown level": (
        "score good.csv --no-progress --out f --model none --log-level loud",
        {"choose from": "score good.csv --no-progress --out f --model none --log-level error"},
    ),
    "results in a file": (
        "score good.csv --no-progress --model none --out good.csv",
        {"--out": "score good.csv --no-progress --model none --out g"},
    ),
    "results beside other files": (
        "score good.csv --no-progress --model none --out .",
        {"--out": "score good.csv --no-progress --model none --out h"},
    ),
    "a share that is none": (
        "score good.csv --no-progress --model none --out i --fail-above 3",
        {"--fail-above 0.05": "score good.csv --no-progress --model none --out i --fail-above 0.9"},
    ),
    "no audit": ("report model", {"dataaudit score wrote": "report results --data good.csv --out j.html"}),
    "a data set of another column": (
        "report results --data renamed.csv --out k.html",
        {
            "that was audited": "report results --data good.csv --out k.html",
            "--label kinds": "report results --data renamed.csv --out l.html --label kinds",
        },
    ),
    "data that are read twice": (
        "apply - first.jsonl --results results --out m.csv",
        {"DATA": "apply good.csv first.jsonl --results results --out m.csv"},
    ),
    "a file that is there": (
        "answers results tasks.json --tool label_studio --out good.csv",
        {"--out": "answers results tasks.json --tool label_studio --out n.csv"},
    ),
    "reviewers who differ": (
        RESOLVED + "o.csv",
        {
            "--resolve majority": RESOLVED + "o.csv --resolve majority",
            "--resolve unsure": RESOLVED + "p.csv --resolve unsure",
        },
    ),
}


def call(command, given=None):
    return CliRunner().invoke(app, shlex.split(command), input=given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files that are right, files with a fault each, and an audit."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    kind = np.arange(40) % 2
    frame = pd.DataFrame({"size": rng.normal(size=40) + 5 * kind, "kind": np.array(["ant", "bee"])[kind]})
    frame.to_csv(folder / "good.csv", index=False)
    frame.rename(columns={"kind": "kinds"}).to_csv(folder / "renamed.csv", index=False)
    texts = [f"a{row % 6} the {row}" if one else f"b{row % 6} of {row}" for row, one in enumerate(kind)]
    pd.DataFrame({"text": texts, "label": kind}).to_csv(folder / "texts.csv", index=False)
    BERT.save_pretrained(folder / "model")
    WORDS.save_pretrained(folder / "model")
    (folder / "broken.toml").write_text("label: kind")
    (folder / "odd.toml").write_text("lable = 'kind'")
    (folder / "good.toml").write_text("label = 'kind'")
    done = call(f"score {folder / 'good.csv'} --no-progress --model none --out {folder / 'results'}")
    assert done.exit_code == 0, done.output
    done = call(f"export {folder / 'results'} {folder / 'good.csv'} --tool label_studio --out {folder / 'tasks'}")
    assert done.exit_code == 0, done.output
    (folder / "tasks/tasks.json").rename(folder / "tasks.json")
    audit = dataaudit.Audit.load(folder / "results/audit")
    for name, word in (("first", "keep"), ("second", "remove")):
        table = pd.DataFrame({"row": [1, 2], "decision": [word, "keep"], "reviewer": name})
        Decisions.of(table, audit.settings["fingerprint"], audit.class_names, name).write(folder / f"{name}.jsonl")
    return folder


@pytest.mark.parametrize("kind", CASES)
def test_what_is_advised_works(folder, monkeypatch, noted, kind):
    monkeypatch.chdir(folder)
    command, followed = CASES[kind]
    refused = call(command, "")
    assert refused.exit_code == 2, refused.output
    lines = refused.output.splitlines()
    assert [line.split(":")[0] for line in lines] == ["found", "expected", "to do"]
    advices = lines[2].split(", or ")
    assert len(advices) == len(followed)
    for advice, (piece, then) in zip(advices, followed.items(), strict=True):
        assert piece in advice
        done = call(then)
        assert done.exit_code == 0, done.output


def test_no_advice_is_left_out(left):
    assert left("cli") == set()
