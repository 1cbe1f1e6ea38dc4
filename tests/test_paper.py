"""The paper from one command, on tiny data: everything is made or said, kept, and the same twice."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from benchmarks import summary
from benchmarks.paper import counts, run
from benchmarks.paper.__main__ import main, shared
from benchmarks.paper.datasets import of_file
from benchmarks.paper.items import ITEMS, NAMES
from benchmarks.paper.result import Compared, Law
from benchmarks.paper.setting import Data, Setting, Sizes

ROOT = Path(__file__).parents[1]
ALONE = ["--backend", "serial"]
SMALL = ["--examples", "120", "--runs", "2", "--epochs", "2", *ALONE]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Digits as the command reads them, with C-scores that somebody might have published, and people's votes."""
    bunch = load_digits()
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    images, scores = bunch.images.astype(np.uint8) * 15, rng.random(len(bunch.target))
    votes = rng.integers(10, size=(300, 10)) + 50 * np.eye(10, dtype=int)[bunch.target[:300]]
    np.savez(path, images=images[:300], labels=bunch.target[:300], cscores=scores[:300], votes=votes)
    return path


@pytest.fixture(scope="module")
def whole(digits, tmp_path_factory):
    """A folder of the whole command, and its exit status."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, main(["all", str(folder), "--images", str(digits), *SMALL])


def values_of(path):
    with path.open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "commit"} for row in csv.DictReader(file)]


def test_every_item_is_made_or_says_why_not(whole):
    folder, status = whole
    assert status == 0
    found = {path.stem: json.loads(path.read_text()) for path in (folder / "digits").glob("*.json")}
    assert set(found) - {"about"} == set(ITEMS)
    assert {name for name, result in found.items() if name != "about" and not result["made"]} == set()
    for name in ("figure-2", "figure-3", "figure-4", "figure-5", "figure-6", "figure-7", "figure-8", "figure-9"):
        assert f"{name}.png" in found[name]["files"]
    page = (folder / "index.html").read_text()
    assert all(f'id="{name}"' in page for name in ITEMS)
    assert '="http' not in page, "the page needs another file"


def test_a_second_call_makes_nothing_again(whole, digits, monkeypatch):
    def again(*arguments):
        raise AssertionError("made again")

    monkeypatch.setattr(run, "_write", again)
    folder, _ = whole
    assert main(["all", str(folder), "--images", str(digits), *SMALL]) == 0


def test_the_page_of_stand_ins_reads_what_the_command_writes(digits, tmp_path, monkeypatch):
    with np.load(digits) as archive:
        # Networks for colour images are the ones that train for as few epochs as are asked for.
        images = archive["images"][:60, :, :, None].repeat(3, axis=3)
        np.savez(tmp_path / "bare.npz", images=images, labels=archive["labels"][:60])
    sizes = ["--runs", "4", "--epochs", "1", *ALONE]
    assert main(["proxies", str(tmp_path), "--images", str(tmp_path / "bare.npz"), *sizes]) == 0
    monkeypatch.setattr("matplotlib.pyplot.subplots", lambda **options: (None, Drawn()))
    committed = summary.tables()
    made = replace(committed["proxies"], file=tmp_path / "bare/proxies.csv")
    for table in (committed["proxies"], made):
        monkeypatch.setattr(summary, "tables", lambda table=table: {"proxies": table})
        page = runpy.run_path(str(ROOT / "docs/concepts/02_stand_ins.py"))
        assert page["ax"].points == 2 * len(page["names"])
    whole = made.raw().set_index("score")
    assert whole.loc["holdout_probability", "holdout_probability"] == 1
    assert (whole["cost"] > 0).all()
    assert set(whole["runs"]) == {4}


class Drawn:
    """Axes that count the points with a place."""

    points = 0

    def plot(self, x, y, *style, **options):
        self.points += int(np.isfinite(x).sum())

    def __getattr__(self, name):
        return lambda *values, **options: None


def test_the_same_numbers_in_another_folder(whole, digits, tmp_path):
    folder, _ = whole
    assert main(["figure-9", str(tmp_path), "--images", str(digits), *SMALL]) == 0
    assert values_of(tmp_path / "digits" / "figure-9.csv") == values_of(folder / "digits" / "figure-9.csv")


def test_runs_in_several_processes_are_those_of_one(whole, digits, tmp_path):
    folder, _ = whole
    assert main(["table-3", str(tmp_path), "--images", str(digits), *SMALL, "--backend", "joblib"]) == 0
    assert values_of(tmp_path / "digits" / "table-3.csv") == values_of(folder / "digits" / "table-3.csv")


def test_other_data_in_the_same_folder_are_refused_and_said(whole, digits, tmp_path, capsys):
    folder, _ = whole
    other = tmp_path / "digits.npz"
    with np.load(digits) as archive:
        np.savez(other, images=archive["images"], labels=archive["labels"][::-1])
    assert main(["table-2", str(folder), "--images", str(other), *SMALL]) == 0
    assert "holds results of another data" in capsys.readouterr().out
    page = (folder / "index.html").read_text()
    assert "holds results of another data" in page
    assert 'id="table-2"' not in page, "results of the other data are shown as of these"


def test_two_classes_without_images_or_scores(tmp_path, capsys):
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 2
    np.savez(
        tmp_path / "rows.npz", inputs=(rng.normal(size=(60, 3)) + labels[:, None]).astype(np.float32), labels=labels
    )
    given = ["--images", str(tmp_path / "rows.npz"), "--runs", "2", *ALONE]
    folder = tmp_path / "out"
    assert main(["figure-6", str(folder), *given]) == 0
    assert "three classes or more" in capsys.readouterr().out
    assert main(["figure-4", str(folder), *given]) == 0
    assert "the table stands for them" in capsys.readouterr().out
    assert (folder / "rows" / "figure-4.csv").exists()
    assert not (folder / "rows" / "figure-4.png").exists()


def test_without_matplotlib_tables_are_written_and_it_is_said(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["figure-4", str(tmp_path), "--images", str(digits), *SMALL]) == 0
    assert "pip install 'dataaudit[plots]'" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "digits").glob("figure-4.*")].count("figure-4.csv") == 1


def test_a_run_that_stops_is_gone_on_with(digits, tmp_path, monkeypatch, capsys):
    given = ["figure-2", str(tmp_path), "--images", str(digits), *SMALL]
    with monkeypatch.context() as patched:
        patched.setattr(counts, "read_store", _stopped)
        with np.load(digits) as archive:
            unscored = tmp_path / "digits.npz"
            np.savez(unscored, images=archive["images"][:60], labels=archive["labels"][:60])
        given[3] = str(unscored)
        assert main(given) == 130
    assert "the same call goes on" in capsys.readouterr().err
    records = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("ratio-*/*.npz")}
    assert len(records) == 9 * 2
    assert main(given) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("ratio-*/*.npz")} == records


def _stopped(*arguments):
    raise KeyboardInterrupt


def test_counts_of_a_store_add_up_in_chunks():
    held = np.ones((4, 9, 2), np.uint16) * np.array([1, 1, 2, 4], np.uint16)[:, None, None]
    correct = held.copy()
    correct[3, :, 1] = 0
    found = counts.Counts(held, correct, 8, "made up")
    assert [counts.chunk_of(number) for number in range(8)] == [0, 1, 2, 2, 3, 3, 3, 3]
    assert found.integral.tolist() == [1.0, 0.5]
    assert found.doublings == [1, 2, 4, 8]
    assert [half[0].tolist() for half in found.halves(8)] == [[1.0, 1.0], [1.0, 0.0]]


def test_runs_added_to_counts_are_those_that_a_store_would_hold(digits, tmp_path):
    data = of_file(digits, "digits").mixed().first(30)
    setting = Setting(tmp_path, (data,), Sizes(None, None, runs=3, epochs=None, seeds=1), full=True, backend="serial")
    whole = counts.of(setting, data)
    first = counts.Counts(whole.held[:1], whole.correct[:1], 1, "made up")
    second, added = counts.extended(first, setting, data, 3, workers=1)
    np.testing.assert_array_equal(second.held, whole.held[:2])
    assert (second.runs, added.runs, added.source) == (2, 3, "made up")
    np.testing.assert_array_equal(added.held, whole.held)
    np.testing.assert_array_equal(added.correct, whole.correct)
    assert whole.correct.any()


def test_committed_counts_are_those_of_their_rows(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(counts, "COMMITTED", tmp_path / "counts.npz")
    in_file, mixed = of_file(digits, "digits"), of_file(digits, "digits").mixed()
    assert not np.array_equal(mixed.index, in_file.index)
    # As many as the row's place in the file says, so that any other order shows.
    held = np.broadcast_to(mixed.index % 200 + 20, (3, 9, 300)).astype(np.uint16)
    correct = held - (mixed.index % 7).astype(np.uint16)
    counts.keep(counts.Counts(held, correct, 4, "made up"), mixed)
    for data in (mixed, in_file):
        found = counts.committed(data)
        np.testing.assert_array_equal(found.held[0, 0], data.index % 200 + 20)
        np.testing.assert_array_equal(found.held - found.correct, np.broadcast_to(data.index % 7, (3, 9, 300)))
        assert (found.runs, found.source) == (4, "made up")
    assert counts.committed(mixed.first(299)) is None
    assert counts.committed(replace(mixed, labels=mixed.labels[::-1])) is None


def test_the_reliability_is_that_of_all_runs():
    rng = np.random.default_rng(0)
    held = np.ones((4, 9, 400), np.uint16)
    correct = (rng.random((4, 9, 400)) < rng.random(400)).astype(np.uint16)
    four, six = (counts.Counts(held[:3], correct[:3], runs, "made up") for runs in (4, 6))
    half = four.reliability()
    assert six.reliability(4) == half
    assert half < six.reliability() == pytest.approx(1.5 * half / (1 + 0.5 * half))


def test_a_law_is_told_by_its_interval():
    assert Law.above("", "", (0.2, 0.1, 0.3)).verdict == "holds"
    assert Law.above("", "", (-0.2, -0.3, -0.1)).verdict == "does not hold"
    assert Law.above("", "", (0.2, -0.1, 0.3)).verdict == "cannot be told here"
    assert not Compared("", 0.1, 0.2, 0.05).reproduced
    assert Compared("", 0.1, 0.2).reproduced


def odd(folder, name, **arrays):
    np.savez(folder / name, **{"images": np.zeros((6, 2, 2), np.uint8), "labels": np.arange(6) % 2, **arrays})


def test_a_file_that_is_no_data_set_is_refused(tmp_path, capsys):
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "table.csv").write_text("a,b")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04" + bytes(40))
    odd(tmp_path, "short.npz", labels=np.arange(3))
    odd(tmp_path, "scores.npz", cscores=np.ones(5))
    odd(tmp_path, "votes.npz", votes=np.ones((6, 3)))
    odd(tmp_path, "tested.npz", test_images=np.zeros((2, 2, 2)), test_labels=np.array([0, 7]))
    expected = {
        "array.npy": "no .npz file",
        "table.csv": "no .npz file",
        "cut.npz": "no .npz file",
        "short.npz": "labels [n]",
        "scores.npz": "cscores [6]",
        "votes.npz": "votes [6, 2]",
        "tested.npz": "without a test part",
        "missing.npz": "No such file",
    }
    for name, said in expected.items():
        assert main(["table-2", str(tmp_path / "out"), "--images", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err
    assert main(["table-2", str(tmp_path / "out")]) == 2
    assert "no data" in capsys.readouterr().err


def test_arguments_that_name_nothing_are_refused(digits, tmp_path, capsys):
    assert main(["table-2", str(digits), "--images", str(digits)]) == 2
    assert "File exists" in capsys.readouterr().err
    assert main(["table-2", str(tmp_path), "--images", str(digits), "--images", str(digits)]) == 2
    assert "another name for each" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["table-2", str(tmp_path), "--images", str(digits), "--runs", "0"])
    assert "above 0" in capsys.readouterr().err


def test_parts_of_sorted_data_hold_every_class_and_know_their_rows():
    labels = np.repeat(np.arange(5), 40)
    data = Data("sorted", np.arange(200.0)[:, None], labels, tuple("abcde")).mixed()
    assert set(data.first(5).labels) == set(range(5))
    assert np.bincount(data.first(50).labels).min() >= 3
    assert (data.inputs[:, 0] == data.index).all()
    assert (labels[data.index] == data.labels).all()


def test_the_cost_of_an_item_counts_what_it_shares():
    labels = np.arange(20) % 2
    bare = Data("bare", np.zeros((20, 3)), labels, ("a", "b"))
    scored = Data("scored", np.zeros((20, 3)), labels, ("a", "b"), published=np.ones(20))
    assert [item.name for item in shared([NAMES["figure-9"]], bare)] == ["figure-2", "figure-8", "figure-9"]
    assert [item.name for item in shared([NAMES["figure-9"]], scored)] == ["figure-8", "figure-9"]
    assert [item.name for item in shared([NAMES["figure-12"]], scored)] == ["figure-2", "figure-3"]
    assert [item.name for item in shared([NAMES["planted-errors"]], bare)] == ["planted-errors"]
