"""The result: ranking, suspects, what it prints, and its folder on disk."""

import copy
import json
import os
import shutil
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import dataaudit
from dataaudit import Audit
from dataaudit.common import digests
from dataaudit.errors import DataError, SettingError, StorageError


@pytest.fixture(scope="module")
def audit(noisy):
    from torch import nn

    inputs, labels, _ = noisy
    names = np.array(["<b>ant</b>", "bee", "cat"])
    return dataaudit.score(
        lambda: nn.Linear(6, 3),
        (inputs, names[labels]),
        recipe=dataaudit.Recipe(epochs=4, batch_size=32),
        progress=False,
    )


def made(values, ties=None, suggested=None):
    n = len(values)
    return Audit(
        columns={"s": np.asarray(values, float)},
        ties={} if ties is None else {"s": np.asarray(ties, float)},
        labels=np.zeros(n, np.int64),
        class_names=("a", "b"),
        default="s",
        suggested=np.full(n, -1) if suggested is None else np.asarray(suggested),
        margin=np.zeros(n),
        settings={"model": "M", "seed": 0, "device": "cpu", "notes": []},
        timings={"total": 1.0},
    )


def test_it_is_frozen(audit):
    with pytest.raises(FrozenInstanceError):
        audit.default = "el2n"
    with pytest.raises(ValueError, match="read-only"):
        audit.columns["el2n"][0] = 9.0
    frame = audit.scores
    frame["mine"] = 1
    frame.loc[0, "el2n"] = 9.0
    assert "mine" not in audit.scores
    assert audit.scores.loc[0, "el2n"] != 9.0


@given(arrays(float, st.integers(1, 30), elements=st.sampled_from([0.0, 1.0, 2.0, float("nan")])), st.data())
def test_the_ranking_is_by_value_then_ties_then_position_and_nan_comes_last(values, data):
    ties = data.draw(arrays(float, len(values), elements=st.sampled_from([0.0, 1.0])))
    found = made(values, ties).ranking()
    assert found.dtype == np.int64
    expected = sorted(range(len(values)), key=lambda i: (np.isnan(values[i]), np.nan_to_num(values[i]), ties[i], i))
    assert found.tolist() == expected


def test_learning_speed_is_an_integer_and_margins_break_its_ties(audit):
    values = audit.scores["learning_speed"]
    assert (values == values.round()).all()
    order = audit.ranking("learning_speed")
    margin = audit.scores["mean_margin"].to_numpy()
    keys = list(zip(values.to_numpy()[order], margin[order], strict=True))
    assert keys == sorted(keys)


def test_suspects_are_blank_where_the_model_agrees_or_knows_nothing():
    table = made([3.0, 1.0, 2.0], suggested=[1, 0, -1]).suspects(5)
    assert table["row"].tolist() == [1, 2, 0]
    assert table["given"].tolist() == ["a", "a", "a"]
    assert table["suggested"].tolist() == ["", "", "b"]
    assert list(table) == ["row", "given", "suggested", "score", "margin"]


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3"])
def test_a_wrong_k_is_refused(audit, k):
    with pytest.raises(SettingError, match="whole number of at least 1"):
        audit.suspects(k)


def test_what_it_prints_fits_a_terminal_and_is_escaped(audit):
    lines = repr(audit).splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 12
    page = audit._repr_html_()
    assert "label_quality" in page
    assert "<b>ant</b>" not in page
    assert "&lt;b&gt;ant&lt;/b&gt;" in page
    long = replace(audit, class_names=("x" * 300, "y" * 300, "z" * 300))
    assert max(map(len, repr(long).splitlines())) <= 100


def test_a_saved_audit_is_loaded_whole(audit, tmp_path):
    folder = audit.save(tmp_path / "new" / "audit")
    loaded = Audit.load(folder)
    pd.testing.assert_frame_equal(loaded.scores, audit.scores, check_exact=True)
    np.testing.assert_array_equal(loaded.labels, audit.labels)
    np.testing.assert_array_equal(loaded.ranking("learning_speed"), audit.ranking("learning_speed"))
    assert loaded.class_names == audit.class_names
    assert loaded.settings == audit.settings
    assert loaded.timings == audit.timings
    pd.testing.assert_frame_equal(loaded.suspects(300), audit.suspects(300))
    for field in fields(audit.dynamics):
        mine, theirs = getattr(audit.dynamics, field.name), getattr(loaded.dynamics, field.name)
        np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
        assert getattr(mine, "dtype", None) == getattr(theirs, "dtype", None)
    assert repr(loaded) == repr(audit)


def test_an_audit_without_dynamics_is_saved_too(tmp_path):
    loaded = Audit.load(made([1.0, np.nan]).save(tmp_path / "audit"))
    assert loaded.dynamics is None
    assert np.isnan(loaded.scores["s"][1])


def test_every_file_is_of_this_library_and_no_pickle(audit, tmp_path):
    folder = audit.save(tmp_path / "audit")
    assert {path.suffix for path in folder.iterdir()} == {".parquet", ".json"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit"]


def test_saving_again_replaces_and_leaves_nothing_behind(audit, tmp_path):
    folder = audit.save(tmp_path / "audit")
    (folder / "dynamics-38-0123456789abcdef.parquet.0123456789abcdef0123456789abcdef.partial").write_bytes(
        b"left by a crash"
    )
    made([1.0, 2.0]).save(folder)
    assert len(list(folder.glob("*[!k]"))) == 2
    assert len(Audit.load(folder)) == 2


def test_a_foreign_folder_is_refused_and_left_alone(audit, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StorageError, match="thesis"):
        audit.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(StorageError, match=r"without audit\.json"):
        Audit.load(tmp_path)
    with pytest.raises(StorageError):
        Audit.load(tmp_path / "nowhere")
    with pytest.raises(StorageError):
        audit.save(tmp_path / "thesis.tex")


def damage(kind, folder):
    manifest = folder / "audit.json"
    parquet = next(folder.glob("examples-*.parquet"))
    content = json.loads(manifest.read_text())
    if kind == "a byte of a table":
        data = bytearray(parquet.read_bytes())
        data[len(data) // 2] ^= 1
        parquet.write_bytes(data)
    elif kind == "a table cut short":
        parquet.write_bytes(parquet.read_bytes()[:-10])
    elif kind == "a missing table":
        parquet.unlink()
    elif kind == "a manifest that is no JSON":
        manifest.write_text("{")
    elif kind == "another format":
        manifest.write_text(json.dumps({**content, "format": "other"}))
    elif kind == "another version":
        manifest.write_text(json.dumps({**content, "version": 99}))
    elif kind == "an edited manifest":
        manifest.write_text(json.dumps({**content, "default": "el2n"}))
    elif kind == "a list":
        manifest.write_text("[]")
    else:
        content["files"]["examples"]["name"] = "../secret.parquet"
        content.pop("blake2b")
        content["blake2b"] = digests.digest(json.dumps(content, sort_keys=True).encode())
        manifest.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "kind",
    [
        "a byte of a table",
        "a table cut short",
        "a missing table",
        "a manifest that is no JSON",
        "another format",
        "another version",
        "an edited manifest",
        "a list",
        "a path outside",
    ],
)
def test_a_damaged_folder_is_refused(audit, tmp_path, kind):
    folder = audit.save(tmp_path / "audit")
    damage(kind, folder)
    with pytest.raises(StorageError) as caught:
        Audit.load(folder)
    assert caught.value.action


@pytest.mark.parametrize("when", range(6))
def test_a_full_disk_leaves_what_was_there(audit, tmp_path, monkeypatch, when):
    old = made([1.0, 2.0])
    old.save(tmp_path / "audit")
    before = {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()}
    written = []

    def full(descriptor):
        written.append(descriptor)
        if len(written) > when:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        audit.save(tmp_path / "audit")
    assert {path.name: path.read_bytes() for path in (tmp_path / "audit").iterdir()} == before
    written.clear()
    with pytest.raises(StorageError, match="No space left"):
        audit.save(tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_a_folder_that_cannot_be_written(audit, tmp_path, monkeypatch):
    def denied(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    from pathlib import Path

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(StorageError, match="Permission denied"):
        audit.save(tmp_path / "audit")


def test_a_loaded_audit_recognises_its_data_set(audit, noisy, tmp_path):
    inputs, labels, _ = noisy
    names = np.array(["<b>ant</b>", "bee", "cat"])
    loaded = Audit.load(audit.save(tmp_path / "audit"))
    assert loaded.report(tmp_path / "a.html", (inputs, names[labels])).exists()
    other = copy.deepcopy(inputs)
    other[7, 0] += 1
    with pytest.raises(DataError, match="fingerprint"):
        loaded.report(tmp_path / "b.html", (other, names[labels]))
    assert not (tmp_path / "b.html").exists()
    assert loaded.report(tmp_path / "c.html").exists()
    shutil.rmtree(tmp_path / "audit")
