"""Scores that were computed elsewhere."""

import os
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dataaudit
from dataaudit.common.digests import npy_header
from dataaudit.errors import DataError, SettingError


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(6, 2)), np.array([0, 1, 2, 0, 1, 2])


def scored(data, saved, **options):
    return dataaudit.score(None, data, known_scores=saved, progress=False, **options)


@pytest.mark.parametrize("key", ["scores", "cscores", "c_score"])
def test_an_authors_file(data, tmp_path, key):
    values = np.linspace(0, 1, 6, dtype=np.float32)
    np.savez(tmp_path / "cscores.npz", labels=data[1].astype(np.uint8), **{key: values})
    audit = scored(data, {"c_score": tmp_path / "cscores.npz"})
    np.testing.assert_array_equal(audit.columns["c_score"], values.astype(float))
    assert audit.default == "c_score"
    assert any("its labels are those of the data set" in note for note in audit.settings["notes"])


def test_labels_with_gaps_and_arrays(data, tmp_path):
    inputs, labels = data
    np.savez(tmp_path / "gaps.npz", labels=labels * 10, scores=np.zeros(6))
    scored((inputs, labels * 10), {"c_score": str(tmp_path / "gaps.npz")})
    audit = scored(data, {"c_score": np.arange(6.0), "mean_margin": list(range(6))})
    assert audit.ranking("mean_margin").tolist() == list(range(6))
    assert any("not checked" in note for note in audit.settings["notes"])
    np.save(tmp_path / "plain.npy", np.arange(6))
    assert scored(data, {"c_score": tmp_path / "plain.npy"}).columns["c_score"][5] == 5.0


def test_beside_other_scores(data):
    audit = dataaudit.score(None, data, "density/input", known_scores={"c_score": np.zeros(6)}, progress=False)
    assert list(audit.columns) == ["density/input", "c_score"]


def test_other_labels_are_refused(data, tmp_path):
    labels = data[1]
    other = labels.copy()
    other[[1, 4]] = 0
    np.savez(tmp_path / "other.npz", labels=other, scores=np.zeros(6))
    with pytest.raises(DataError, match=r"2 labels in known score 'c_score' that differ.*rows 1, 4"):
        scored(data, {"c_score": tmp_path / "other.npz"})
    np.savez(tmp_path / "short.npz", labels=labels[:5], scores=np.zeros(6))
    with pytest.raises(DataError, match="5 labels"):
        scored(data, {"c_score": tmp_path / "short.npz"})


@pytest.mark.parametrize(
    ("saved", "error", "message"),
    [
        ({"c_scor": np.zeros(6)}, SettingError, "did you mean 'c_score'"),
        ({"c_score": np.zeros(5)}, DataError, r"shape \(5,\)"),
        ({"c_score": np.full(6, np.inf)}, DataError, "infinite"),
        ({"c_score": "nowhere.npz"}, SettingError, "nowhere"),
        ({"c_score": {}}, SettingError, "dict"),
        ({}, SettingError, "known_scores={}"),
        ({"c_score": np.full(6, 1j)}, SettingError, "complex"),
        ({"c_score": np.full(6, np.nan)}, DataError, "no value but NaN"),
        ("file.npz", SettingError, "known_scores=str"),
    ],
)
def test_wrong_ones(data, saved, error, message):
    with pytest.raises(error, match=message):
        scored(data, saved)


def test_pickles_are_refused(data, tmp_path):
    np.savez(tmp_path / "bad.npz", scores=np.array([{}] * 6, object))
    with pytest.raises(SettingError, match="without pickle"):
        scored(data, {"c_score": tmp_path / "bad.npz"})
    np.savez(tmp_path / "empty.npz", other=np.zeros(6))
    with pytest.raises(SettingError, match="an array called"):
        scored(data, {"c_score": tmp_path / "empty.npz"})


@pytest.fixture
def bounded():
    """No more memory than there is now, and 300 MiB."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + 300 * 2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", ["scores", "labels", "c_score", "another"])
def test_archives_unpack_to_no_more_than_the_examples_need(data, tmp_path, bounded, name):
    arrays = {"scores": np.zeros(6), "labels": data[1]}
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key in {*arrays, name}:
            with archive.open(f"{key}.npy", "w") as file:
                np.save(file, arrays.get(key, np.zeros(6)))
                for _ in range(40 if key == name else 0):
                    file.write(bytes(10**7))
    if name == "another":
        scored(data, {"c_score": tmp_path / "bomb.npz"})
    else:
        with pytest.raises(SettingError, match=rf"\d{{9}} bytes of {name}; expected at most"):
            scored(data, {"c_score": tmp_path / "bomb.npz"})


def test_an_array_is_read_as_far_as_the_examples_need(data, tmp_path, bounded):
    np.save(tmp_path / "long.npy", np.zeros(10))
    with pytest.raises(DataError, match=r"shape \(10,\)"):
        scored(data, {"c_score": tmp_path / "long.npy"})
    (tmp_path / "long.npy").write_bytes(npy_header((10**9,), "<f8"))
    os.truncate(tmp_path / "long.npy", 8 * 10**9 + 128)
    with pytest.raises(SettingError, match="one value for each of 6 examples"):
        scored(data, {"c_score": tmp_path / "long.npy"})


def test_labels_are_positions_or_names_in_all_rows(data, tmp_path):
    """Classes 1, 2, 3: a 2 may be the class at position 2 or the class called 2, not now this, now that."""
    inputs, labels = data
    np.savez(tmp_path / "mixed.npz", labels=np.where(labels == 2, 2, labels + 1), scores=np.zeros(6))
    with pytest.raises(DataError, match="differ"):
        scored((inputs, labels + 1), {"c_score": tmp_path / "mixed.npz"})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"text"])
def test_broken_files(data, tmp_path, content):
    (tmp_path / "broken.npz").write_bytes(content)
    with pytest.raises(SettingError, match=r"broken\.npz"):
        scored(data, {"c_score": tmp_path / "broken.npz"})
