"""What commands print and write, and with which exit code they end."""

import json
import logging
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import dataaudit
from dataaudit import Audit
from dataaudit.cli import app


def call(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two classes that are apart, with labels of which 6 of 120 are wrong; names hold what is dangerous to show."""
    rng = np.random.default_rng(0)
    kind = np.arange(120) % 2
    given = np.where(np.arange(120) < 6, 1 - kind, kind)
    frame = pd.DataFrame({"a": rng.normal(size=120) + 6 * kind, "b": rng.normal(size=120)})
    frame["kind"] = np.array(["=1+1", "\x1b[2Jbee"])[given]
    frame["code"] = [f"@{row}" for row in range(120)]
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def arguments(table):
    return ["score", table, "--label", "kind", "--key", "code", "--model", "none", "--no-progress"]


@pytest.fixture(scope="module")
def results(arguments, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "r"
    done = call(*arguments, "--out", out)
    assert done.exit_code == 0, done.output
    return out, done.output


def test_a_pipe_gets_plain_text_that_no_terminal_acts_on(results):
    _, output = results
    assert set(output) <= set(map(chr, range(32, 127))) | {"\n"}
    assert "\\x1b[2Jbee" in output
    head = next(line for line in output.splitlines() if line.startswith("row "))
    assert head.split() == ["row", "code", "given", "suggested", "score", "margin"]


def test_no_cell_of_a_file_is_a_formula_unless_that_is_asked_for(arguments, results, tmp_path):
    out, _ = results
    for name in ("suspects.csv", "mislabeled.csv"):
        cells = pd.read_csv(out / name, dtype=str, keep_default_na=False).to_numpy().ravel()
        assert not [cell for cell in cells if cell[:1] in "=+@\t\r" and cell]
        assert {"'=1+1", "'@0"} <= set(cells)
    done = call(*arguments, "--out", tmp_path / "r", "--no-safe-cells", "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    assert {"=1+1", "@0"} <= set(pd.read_csv(tmp_path / "r/suspects.csv", dtype=str).to_numpy().ravel())


def test_lists_of_texts_have_the_text_beside_the_labels(tmp_path):
    rng, kind = np.random.default_rng(0), np.arange(60) % 2
    words = [["match", "goal", "team", "coach"], ["rain", "wind", "cloud", "storm"]]
    texts = ["\n ".join([*rng.permutation(words[one]), f"@{row}"]) for row, one in enumerate(kind)]
    texts[0], texts[1] = "=" + texts[0], texts[1] + " x" * 500
    labels = np.where(np.arange(60) < 2, 1 - kind, kind).astype(str)
    pd.DataFrame({"text": texts, "label": labels}).to_csv(tmp_path / "t.csv", index=False)
    done = call("score", tmp_path / "t.csv", "--label", "label", "--out", tmp_path / "r", "--no-progress", "--top", 60)
    assert done.exit_code == 0, done.output
    lists = {name: pd.read_csv(tmp_path / "r" / f"{name}.csv", dtype=str) for name in ("suspects", "mislabeled")}
    assert list(lists["suspects"]) == ["row", "line", "given", "suggested", "text", "score", "margin"]
    assert list(lists["mislabeled"])[:5] == ["row", "line", "given", "suggested", "text"]
    shown = lists["suspects"].set_index("row")["text"]
    lines = [" ".join(text.split()) for text in texts]
    assert shown["0"] == f"'{lines[0]}"
    assert shown["1"] == f"{lines[1][:199]}…"
    assert shown[[str(row) for row in range(2, 60)]].tolist() == lines[2:]


def test_one_object_tells_what_was_found(arguments, tmp_path):
    done = call(*arguments, "--out", tmp_path / "r", "--json", "--top", 7)
    found = json.loads(done.output)
    audit = Audit.load(tmp_path / "r/audit")
    assert found["noise_rate"]["known"] is True
    assert found["noise_rate"]["estimate"] == pytest.approx(audit.noise_rate().rate)
    assert [row["row"] for row in found["suspects"]] == audit.suspects(7)["row"].tolist()
    assert found["classes"] == list(audit.class_names)
    assert found["files"]["audit"] == str((tmp_path / "r/audit").resolve())


@pytest.mark.parametrize(("share", "code"), [(0.5, 0), (0.01, 3)])
def test_a_script_learns_by_the_exit_code_if_too_many_labels_are_wrong(arguments, tmp_path, share, code):
    done = call(*arguments, "--out", tmp_path / "r", "--fail-above", share, "--quiet")
    assert done.exit_code == code
    assert (f"--fail-above {share}" in done.output) == bool(code)
    assert (tmp_path / "r/audit").exists()


def test_what_is_not_known_has_an_exit_code_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "kind": np.array(["no", "yes"])[np.arange(60) % 2]})
    frame.to_csv(tmp_path / "noise.csv", index=False)
    done = call("score", tmp_path / "noise.csv", "--out", tmp_path / "r", "--model", "none", "--fail-above", 0.5)
    assert done.exit_code == 4
    assert "is not known" in done.output
    done = call("score", tmp_path / "noise.csv", "--out", tmp_path / "q", "--fail-above", 1.5)
    assert done.exit_code == 2
    assert "--fail-above 0.05" in done.output


def test_a_file_sets_options_and_the_command_line_goes_before(table, tmp_path):
    config = tmp_path / "audit.toml"
    config.write_text(
        f'data = {str(table)!r}\nlabel = "code"\nexclude = ["b", "code"]\n[score]\nmodel = "none"\ntop = 3\n'
        f'quiet = true\nout = {str(tmp_path / "r")!r}\n[report]\ntitle = "x"\n'
    )
    done = call("score", "--config", config, "--label", "kind")
    assert (done.exit_code, done.output) == (0, "")
    audit = Audit.load(tmp_path / "r/audit")
    assert audit.settings["data"] == {"label": "kind", "inputs": ["a"]}
    assert len(pd.read_csv(tmp_path / "r/suspects.csv")) == 3
    for content, words in [("labl = 1", "did you mean 'label'"), ("label", "cannot be read")]:
        config.write_text(content)
        done = call("score", "--config", config, table, "--out", tmp_path / "q")
        assert done.exit_code == 2, done.output
        assert words in done.output


def test_the_page_is_written_again(table, results, tmp_path):
    out, _ = results
    assert call("report", out, "--out", tmp_path / "page.html").exit_code == 0
    bare = (tmp_path / "page.html").read_text("utf-8")
    done = call("report", out, "--data", table, "--rows", 5, "--title", "Ants and bees")
    assert done.exit_code == 0, done.output
    page = (out / "report.html").read_text("utf-8")
    assert "Ants and bees" in page
    first = pd.read_csv(table).loc[0, "a"]
    assert f"{first:.6g}" in page
    assert f"{first:.6g}" not in bare
    for more, words in [(["--data", tmp_path / "absent.csv"], "does not exist"), (["--rows", "many"], "--rows many")]:
        done = call("report", out, *more)
        assert done.exit_code == 2
        assert words in done.output
    assert call("report", tmp_path).exit_code == 2


def test_an_audit_of_the_command_line_knows_the_table_in_python(table, tmp_path):
    out = tmp_path / "r"
    done = call("score", table, "--label", "kind", "--key", "code", "--epochs", 1, "--out", out, "--no-progress")
    assert done.exit_code == 0, done.output
    audit = Audit.load(out / "audit")
    assert "audit_consensus" in audit.to_frame(pd.read_csv(table))


def test_the_program_is_there_as_a_module_with_versions_and_completion(tmp_path):
    def run(*arguments, **more):
        command = [sys.executable, "-m", "dataaudit", *arguments]
        environment = {**os.environ, **more}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True).stdout

    info = run("info").splitlines()
    assert [line.split()[0] for line in info[:2]] == ["python", "dataaudit"]
    assert dataaudit.__version__ in info[1]
    completed = run(_DATAAUDIT_COMPLETE="complete_bash", COMP_WORDS="dataaudit sc", COMP_CWORD="1")
    assert completed.split() == ["score"]


def test_what_is_logged_is_a_line_on_standard_error(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert call("report", tmp_path, "--log-level", "loud").exit_code == 2
    with pytest.raises(SystemExit):
        app(["report", str(tmp_path), "--log-level", "info"])
    logging.getLogger("somebody").info("heard")
    assert "INFO: heard" in capsys.readouterr().err
