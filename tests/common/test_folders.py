"""Folders: what was written by an earlier version is read or refused, and locks hold."""

import dataclasses
import json
import os
import re
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dataaudit.common import digests, folders
from dataaudit.errors import StorageError

FIXTURES = Path(__file__).parents[1] / "fixtures"
make = SimpleNamespace(**runpy.run_path(str(FIXTURES / "make.py")))
KINDS = {name: kind for name, kind in folders.KINDS.items() if isinstance(kind, folders.FolderKind)}


def files_of(folder):
    """Files of a folder, by their paths in it; locks are none."""
    return {
        str(path.relative_to(folder)): path
        for path in sorted(folder.rglob("*.*"))
        if path.is_file() and path.suffix != ".lock"
    }


def test_every_kind_has_a_fixture_and_knows_its_files():
    """A kind that is added is tried here, once it has a line in make.OPEN."""
    assert KINDS.keys() == make.OPEN.keys()
    for name, kind in KINDS.items():
        inside = files_of(FIXTURES / name).keys() - {kind.manifest}
        assert [path for path in inside if not re.fullmatch(kind.files, path)] == []


@pytest.fixture
def fixture(tmp_path, monkeypatch):
    """Open a folder of a kind as it was written by an earlier version; to write one anew fails."""

    def refused(*arguments, **options):
        raise AssertionError("nothing is written")

    def opened(kind):
        shutil.copytree(FIXTURES / kind, tmp_path / kind)
        monkeypatch.setattr(folders, "put", refused)
        return make.OPEN[kind](tmp_path / kind)

    return opened


def same(found, expected, where=""):
    """Raise unless two values are equal: type for type, and NaN equal to NaN."""
    if dataclasses.is_dataclass(expected):
        assert type(found) is type(expected), where
        names = [field.name for field in dataclasses.fields(expected) if not field.name.startswith("_")]
        same({name: getattr(found, name) for name in names}, {name: getattr(expected, name) for name in names}, where)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name, value in expected.items():
            same(found[name], value, f"{where}.{name}")
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype, where
        np.testing.assert_array_equal(found, expected, err_msg=where)
    elif isinstance(expected, pd.Index):
        pd.testing.assert_index_equal(found, expected)
    else:
        assert found == expected or (found != found and expected != expected), where


def test_an_audit_is_read(fixture):
    same(fixture("audit"), make.audit())


def test_holdout_runs_are_read(fixture):
    store = fixture("holdout")
    ((name,),) = store.runs([make.RUN]).values()
    same(store.read(name, make.N), make.record())


def test_representations_are_read(fixture):
    rows = make.kept_rows(fixture("representations"))
    assert rows.begun == make.N
    found = rows.whole()
    assert isinstance(found, np.memmap)
    same(np.asarray(found), make.ROWS)


def test_a_stream_is_read(fixture):
    found = fixture("stream").with_format("numpy")
    same(np.stack([found["a"][:], found["b"][:]], 1), make.ROWS)
    same(found["label"][:], make.LABELS)
    assert found.features["label"].names == ["ant", "bee", "cat"]


def test_blocks_are_read(fixture):
    found = fixture("blocks")
    sums, done = found.begin(make.N, [3, 3, 3])
    assert done == 1
    same(sums, make.SUMS)
    assert 0 not in found
    for task in (1, 2):
        same(found.read(task), make.BLOCKS[task])
    assert not found.damaged
    found.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entry", ["format", "version"])
def test_other_kinds_and_versions_are_refused(kind, entry, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(FIXTURES / kind, folder)
    manifest = folder / KINDS[kind].manifest
    content = json.loads(manifest.read_text())
    assert (content["format"], content["version"]) == (KINDS[kind].format, KINDS[kind].version)
    del content[folders.SEAL]
    folders.replace(manifest, content | {entry: "another"})
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(StorageError) as caught:
        make.OPEN[kind](folder)
    assert caught.value.arrived.startswith("a folder of format (")
    assert "'another'" in caught.value.arrived
    assert caught.value.expected == f"format {(KINDS[kind].format, KINDS[kind].version)!r}"
    assert caught.value.action == "use the version of dataaudit that wrote it, or name another folder"
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == before


def cut(content):
    return content[: len(content) // 2]


def without_seal(content):
    fields = json.loads(content)
    return json.dumps({name: fields[name] for name in fields if name != folders.SEAL}).encode()


DAMAGE = {
    "another entry": lambda content: json.dumps(json.loads(content) | {"another": 1}).encode(),
    "another version": lambda content: re.sub(rb'"version": \d+', b'"version": 99', content),
    "another format": lambda content: content.replace(b"dataaudit ", b"dataaudis "),
    "no seal": without_seal,
    "cut": cut,
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "a list": lambda content: b"[]",
}
CACHES = ("representations", "stream")


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in CACHES])
def test_a_damaged_manifest_is_refused(kind, damage, tmp_path):
    shutil.copytree(FIXTURES / kind, tmp_path / kind)
    manifest = tmp_path / kind / KINDS[kind].manifest
    manifest.write_bytes(DAMAGE[damage](manifest.read_bytes()))
    with pytest.raises(StorageError, match=r"damaged: its checksum is another; expected what was written|is not JSON"):
        make.OPEN[kind](tmp_path / kind)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", CACHES)
def test_a_cache_with_a_damaged_manifest_is_put_aside_and_made_again(kind, damage, tmp_path):
    folder = tmp_path / kind
    shutil.copytree(FIXTURES / kind, folder)
    (folder / "config.json").write_text("mine") if damage == "cut" else None
    whole = {name: path.read_bytes() for name, path in files_of(folder).items() if name != "config.json"}
    whole[KINDS[kind].manifest] = DAMAGE[damage](whole[KINDS[kind].manifest])
    (folder / KINDS[kind].manifest).write_bytes(whole[KINDS[kind].manifest])
    if damage == "cut":
        with pytest.raises(StorageError, match=r"config\.json"):
            make.OPEN[kind](folder)
        assert (folder / "config.json").read_text() == "mine"
        (folder / "config.json").unlink()
    make.OPEN[kind](folder)
    KINDS[kind].read(folder)
    aside = [path.name for path in folder.glob("*.damaged")]
    assert {name[: -len(".damaged") - 33]: (folder / name).read_bytes() for name in aside} == whole
    before = {name: path.stat().st_ino for name, path in files_of(folder).items()}
    make.OPEN[kind](folder)
    assert {name: path.stat().st_ino for name, path in files_of(folder).items()} == before


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_are_refused_and_left_alone(kind, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(StorageError, match=r"with 'thesis\.tex' in it; expected an empty folder, a new one, or"):
        make.audit().save(tmp_path) if kind == "audit" else make.OPEN[kind](tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def layout(root):
    """Files of a folder and the names in their JSON, less digests, which differ between versions of Arrow."""

    def names(value):
        if isinstance(value, dict):
            return {name: names(inner) for name, inner in value.items()}
        return [names(inner) for inner in value] if isinstance(value, list) else type(value)

    found = {}
    for path in sorted(root.rglob("*.*")):
        name = re.sub(r"-[0-9a-f]{16,32}\.(parquet|npz)$", r"-DIGEST.\1", str(path.relative_to(root)))
        found[name] = names(json.loads(path.read_text())) if path.suffix == ".json" else None
    return found


@pytest.fixture(scope="module")
def anew(tmp_path_factory):
    """Folders of every kind as they are written now."""
    root = tmp_path_factory.mktemp("anew")
    make.write(root)
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_the_fixtures_are_what_is_written_now(anew, kind):
    """A format that changes needs another number, and fixtures made anew."""
    assert layout(anew / kind) == layout(FIXTURES / kind)


def test_a_file_is_whole_or_what_it_was(tmp_path, monkeypatch):
    path = tmp_path / "file"
    folders.put(path, b"one ", b"two")
    assert path.read_bytes() == b"one two"
    folders.put(path, b"three", new=True)
    assert path.read_bytes() == b"one two"

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folders.put(path, b"four")
    assert [inner.name for inner in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"one two"


def test_differences_are_named_by_their_path():
    here = {"a": 1, "b": {"c": [1, 2], "d": None}}
    assert digests.difference({"a": 1, "b": {"c": [1, 2]}}, here) is None
    assert digests.difference({"a": 1, "b": {"c": [1, 3]}}, here) == ("b.c", [1, 3], [1, 2])
    # Tuples read back as lists.
    assert digests.difference({"a": [1, 2]}, {"a": (1, 2)}) is None


def test_nothing_is_written_read_or_removed_through_a_link(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("film.partial", f"x.{'0' * 32}.partial"):
        (outside / name).write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("file", "rows.npy.lock", f"x.{'0' * 32}.partial"):
        (folder / name).symlink_to(precious)
    (folder / "inner").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    refusals = {
        "link to": (
            lambda: folders.lock(folder / "rows.npy"),
            lambda: folders.content_of(folder / "file"),
            lambda: folders.opened(folder / "file", "r+b"),
            lambda: folders.inner(folder / "inner"),
        ),
        "which is no file": (lambda: folders.content_of(folder / "pipe"),),
    }
    for said, calls in refusals.items():
        for call in calls:
            with pytest.raises(StorageError, match=said):
                call()
    folders.put(folder / "file", b"ours")
    assert not (folder / "file").is_symlink()
    (folder / "film.partial").write_text("mine")
    folders.sweep(folder, 0)
    left = {path.name for path in folder.iterdir()}
    assert left == {"file", "rows.npy.lock", "inner", "pipe", "film.partial"}
    assert precious.read_text() == "mine"
    assert len(list(outside.iterdir())) == 2


def test_folders_are_tried_before_work(tmp_path):
    folders.try_writing(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(StorageError, match="can be read and written"):
        folders.try_writing(tmp_path / "absent")


def test_what_is_put_aside_keeps_its_content(tmp_path):
    (tmp_path / "rows.npy").write_bytes(b"rows")
    aside = folders.put_aside(tmp_path / "rows.npy")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [aside.read_bytes()] == [b"rows"]
    folders.FolderKind.refuse_strangers(KINDS["stream"], tmp_path, [aside.name])


@pytest.fixture
def notes(monkeypatch):
    """A kind of files that stand by themselves."""
    monkeypatch.setattr(folders, "KINDS", {})
    kind = folders.FileKind("dataaudit notes", 3, "notes")
    assert folders.KINDS["notes"] is kind
    return kind


def test_a_sealed_file_is_what_was_written_or_refused(notes):
    content = np.frombuffer(b"content\nof lines", np.uint8)
    sealed = np.concatenate([content, np.frombuffer(notes.foot(content), np.uint8)])
    np.testing.assert_array_equal(notes.unsealed(sealed, "file"), content)
    for place in range(len(sealed)):
        for bit in range(8):
            changed = sealed.copy()
            changed[place] ^= 1 << bit
            with pytest.raises(StorageError, match="damaged"):
                notes.unsealed(changed, "file")
        with pytest.raises(StorageError, match="damaged"):
            notes.unsealed(sealed[:place], "file")
    for other in (dataclasses.replace(notes, version=2), dataclasses.replace(notes, format="dataaudit letters")):
        with pytest.raises(StorageError, match=rf"ends with b'{other.format} {other.version}'; expected a file of"):
            notes.unsealed(np.concatenate([content, np.frombuffer(other.foot(content), np.uint8)]), "file")


def test_a_description_counts_by_what_it_says():
    described = {"a": (1, 2.5), 3: None, "é": {"b": 1e-300}}
    fields = folders.decoded(folders.encoded(described), "file")
    assert folders.unsealed(fields, "file") == {"a": [1, 2.5], "3": None, "é": {"b": 1e-300}}
    for nested in (b"[" * 10**5, b'{"a":' * 10**5, b"9" * 10**4):
        with pytest.raises(StorageError):
            folders.unsealed(folders.decoded(nested, "file"), "file")
