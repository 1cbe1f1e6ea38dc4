"""Audits on disk: whole after any interruption and beside other writers, and believed only where they can be so."""

import dataclasses
import functools
import os
import runpy
import threading
from pathlib import Path

import numpy as np
import pytest

from dataaudit import Audit
from dataaudit.audit import storage
from dataaudit.common import folders
from dataaudit.errors import StorageError

make = runpy.run_path(str(Path(__file__).parents[1] / "fixtures" / "make.py"))
N = make["N"]


def numbered(number):
    """An audit that tells itself from others, with a file of its own for every part."""
    audit = make["audit"]()
    dynamics = dataclasses.replace(audit.dynamics, mean_margin=np.full(N, float(number)))
    return dataclasses.replace(audit, margin=np.full(N, float(number)), dynamics=dynamics, settings={"seed": number})


def number_of(folder):
    """Number of the audit in a folder, all of whose parts say the same."""
    audit = Audit.load(folder)
    found = {audit.settings["seed"], *audit.margin, *audit.dynamics.mean_margin}
    assert len(found) == 1
    return found.pop()


def replaced(audit, path, value):
    """An audit with another value at "dynamics.seen"; "settings/seed" leads into a mapping."""
    head, _, rest = path.partition(".")
    name, _, key = head.partition("/")
    inner = getattr(audit, name)
    if key:
        value = {**inner, key: replaced(inner[key], rest, value) if rest else value}
    elif rest:
        value = replaced(inner, rest, value)
    return dataclasses.replace(audit, **{name: value})


NESTED = functools.reduce(lambda inner, _: [inner], range(99), 0)
WHOLE, SHARES = np.arange(N) % 3, np.linspace(0, 1, N)
FORGED = [
    ("labels", WHOLE + 1),
    ("labels", WHOLE - 2),
    ("labels", WHOLE * 1.0),
    ("labels", WHOLE[1:]),
    ("class_names", ()),
    ("class_names", (1, 2, 3)),
    ("class_names", ("ant", "bee")),
    ("default", "margin"),
    ("default", None),
    ("suggested", WHOLE + 1),
    ("suggested", WHOLE - 2),
    ("suggested", WHOLE[:-1]),
    ("margin", np.append(SHARES, 0)),
    ("margin", WHOLE),
    ("columns/c_score", SHARES[1:]),
    ("columns/c_score", WHOLE),
    ("columns/c_score", np.stack([SHARES, SHARES])),
    ("columns/c_score", [0.5] * N),
    ("columns", {}),
    ("ties/another", SHARES),
    ("ties/c_score", SHARES[1:]),
    ("settings", []),
    ("settings/notes", "a note"),
    ("settings/notes", [3]),
    ("settings/search", {"name": "exact"}),
    ("settings/seed", -1),
    ("settings/seed", "0"),
    ("settings/fingerprint", 3),
    ("settings/agreement", {"trained": 2}),
    ("settings/agreement", [0.5]),
    ("settings/dropped_rows", 5),
    ("settings/dropped_rows", [1, 1]),
    ("settings/dropped_rows", [2, 1]),
    ("settings/dropped_rows", [-1]),
    ("settings/dropped_rows", [N + 1]),
    ("settings/dropped_rows", [10**40]),
    ("settings/dropped_rows", ["1"]),
    ("timings/total", "1 s"),
    ("timings", None),
    ("uncertainties/c_score.holdouts", WHOLE - 1),
    ("uncertainties/c_score.stderr", SHARES[1:]),
    ("uncertainties/c_score.reliability", "high"),
    ("uncertainties/another", make["audit"]().uncertainties["c_score"]),
    ("dynamics.epochs", 0),
    ("dynamics.epochs", 3),
    ("dynamics.epochs", True),
    ("dynamics.classes", 4),
    ("dynamics.seen", WHOLE + 3),
    ("dynamics.seen", WHOLE - 1),
    ("dynamics.correct", WHOLE + 1),
    ("dynamics.first_correct", WHOLE - 1),
    ("dynamics.suggested", WHOLE + 1),
    ("dynamics.mean_confidence", SHARES + 0.1),
    ("dynamics.mean_probabilities", np.full((N, 3), 1.1, np.float32)),
    ("dynamics.mean_probabilities", np.full((N, 2), 0.5, np.float32)),
    ("dynamics.probability_classes", np.full((N, 3), 3, np.int32)),
    ("dynamics.kept_epochs", np.array([1, 5])),
    ("dynamics.kept_epochs", np.array([1])),
    ("dynamics.confidence_by_epoch", np.full((2, N), -0.5, np.float16)),
    ("dynamics.correct_bits", np.zeros((4, 1), np.uint8)),
    ("dynamics.seen_bits", np.zeros((3, 2), np.uint8)),
    ("dynamics.epoch_weights", np.full(4, np.nan)),
    ("dynamics.epoch_weights", np.ones(5)),
    ("label_errors.probability", SHARES * 1.33),
    ("label_errors.probability", SHARES - 0.1),
    ("label_errors.rival", WHOLE - 2),
    ("label_errors.rival", WHOLE + 1),
    ("label_errors.rate", 1.5),
    ("label_errors.rate", None),
    ("label_errors.lower", -1.0),
    ("label_errors.upper", "1"),
    ("label_errors.estimates", {"one": "half"}),
    ("label_errors.pairs", np.array([[0, 3], [1, 2]])),
    ("label_errors.counts", np.ones(3)),
    ("label_errors.independent", 1),
    ("label_errors.unknown", 0),
    ("label_errors.vote.leading", WHOLE + 1),
    ("label_errors.vote.votes", np.full(N, 11)),
    ("label_errors.vote.depth", 0),
    ("label_errors.vote.space", None),
]


@pytest.mark.parametrize(("path", "value"), FORGED, ids=[path for path, _ in FORGED])
def test_a_forged_audit_is_refused(path, value, tmp_path):
    """Whoever forges one has right checksums."""
    folder = replaced(make["audit"](), path, value).save(tmp_path / "audit")
    with pytest.raises(StorageError) as caught:
        Audit.load(folder)
    assert caught.value.arrived.startswith(str(folder))
    assert caught.value.action == storage.AGAIN


NEAR = make["neighbours"]()
AWAY = np.tile([2.0, 1.0], (N, 1))


@pytest.mark.parametrize(
    ("space", "forged"),
    [
        ("gradient", NEAR),
        ("input", dataclasses.replace(NEAR, indices=NEAR.indices + 1)),
        ("input", dataclasses.replace(NEAR, indices=NEAR.indices - 1)),
        ("input", dataclasses.replace(NEAR, indices=NEAR.distances)),
        ("input", dataclasses.replace(NEAR, indices=NEAR.indices[:, :1])),
        ("input", dataclasses.replace(NEAR, distances=AWAY)),
        ("input", dataclasses.replace(NEAR, distances=-AWAY)),
        ("input", dataclasses.replace(NEAR, distances=AWAY * np.nan)),
        ("input", dataclasses.replace(NEAR, settings={})),
        ("input", dataclasses.replace(NEAR, settings={"search": "exact", "recall": 2})),
    ],
)
def test_forged_neighbours_are_refused(space, forged, tmp_path, monkeypatch):
    monkeypatch.setattr(Audit, "_found", lambda audit: {space: forged})
    folder = make["audit"]().save(tmp_path / "audit", neighbours=True)
    with pytest.raises(StorageError) as caught:
        Audit.load(folder)
    assert caught.value.arrived.startswith(str(folder))


def forge(folder, change):
    """Change the manifest of an audit, and make it a checksum."""
    manifest = folders.read(folder / "audit.json")
    change(manifest)
    folders.replace(folder / "audit.json", manifest)


def set_at(*path):
    *names, value = path

    def change(manifest):
        for name in names[:-1]:
            manifest = manifest[name]
        manifest[names[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_at("files", "examples", "name", "../../secret.parquet"),
        set_at("files", "examples", "name", "/etc/passwd"),
        set_at("files", "examples", "name", None),
        set_at("files", "examples", "bytes", None),
        set_at("files", "examples", "bytes", 10**30),
        set_at("files", "examples", "bytes", 10),
        set_at("files", "examples", "arrays", 0, 1, "another"),
        set_at("files", "examples", "arrays", 0, -2, [N + 1]),
        set_at("files", "examples", "arrays", 0, -2, [10**12]),
        set_at("files", "examples", "arrays", 0, -2, [-1]),
        set_at("files", "examples", "arrays", 0, -2, [[]]),
        set_at("files", "examples", "arrays", 0, -1, "|O8"),
        set_at("files", "examples", "arrays", 0, -1, "<i8"),
        set_at("files", "examples", "arrays", 0, ["labels"]),
        set_at("files", "examples", "arrays", None),
        set_at("files", "examples", None),
        set_at("files", []),
        set_at("fields", "labels", [0] * N),
        set_at("fields", "columns", "c_score"),
        set_at("fields", "dynamics", {"epochs": 4}),
        set_at("fields", "label_errors", []),
        set_at("fields", "settings", "model", NESTED),
        lambda manifest: manifest.pop("fields"),
        lambda manifest: manifest["files"].pop("dynamics"),
        lambda manifest: manifest["fields"].pop("default"),
    ],
)
def test_a_forged_manifest_is_refused(change, tmp_path):
    folder = make["audit"]().save(tmp_path / "audit")
    forge(folder, change)
    with pytest.raises(StorageError):
        Audit.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("files"),
        lambda manifest: manifest["files"]["examples"].pop("name"),
        set_at("files", []),
        set_at("files", "examples", None),
        set_at("files", "examples", "name", ["a list"]),
        set_at("fields", "identity", "name"),
        lambda manifest: manifest.pop("fields"),
        set_at("files", "examples", "name", "../../secret.parquet"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_saving_over_a_forged_manifest_is_refused(change, late, tmp_path, monkeypatch):
    """Forged before the save, or while one is failing."""
    folder = make["audit"]().save(tmp_path / "audit")
    there = {path.name for path in folder.iterdir()}

    def full(*arguments):
        forge(folder, change)
        raise OSError(28, "No space left on device")

    if late:
        monkeypatch.setattr(folders, "put", lambda *arguments: monkeypatch.undo() or full())
    else:
        forge(folder, change)
    with pytest.raises(StorageError):
        make["audit"]().save(folder)
    assert {path.name for path in folder.iterdir()} == there


def test_a_file_is_read_as_far_as_the_manifest_says(tmp_path):
    folder = make["audit"]().save(tmp_path / "audit")
    for path in folder.glob("*.parquet"):
        size = path.stat().st_size
        os.truncate(path, 2**40)
        with pytest.raises(StorageError, match=rf"at most {size}"):
            Audit.load(folder)
        os.truncate(path, size)
    Audit.load(folder)


def test_a_file_outside_is_not_read_through_a_link(tmp_path):
    folder = make["audit"]().save(tmp_path / "audit")
    for path in [*folder.iterdir()]:
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
        with pytest.raises(StorageError, match="a link to"):
            Audit.load(folder)
        path.unlink()
        (tmp_path / path.name).rename(path)
    assert len(Audit.load(folder)) == N


@pytest.mark.parametrize("late", [False, True])
def test_an_interruption_at_any_step_leaves_the_old_or_the_new(late, tmp_path, monkeypatch):
    """Ctrl-C before or after each thing that is done to the disk."""
    found, step, folder = set(), [], tmp_path / "audit"

    def breaking(do):
        def done(*arguments, **options):
            step[0] -= 1
            result = None if step[0] == 0 and not late else do(*arguments, **options)
            if step[0] == 0:
                raise KeyboardInterrupt
            return result

        return done

    for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "iterdir")):
        monkeypatch.setattr(owner, name, breaking(getattr(owner, name)))
    step[:] = [0]
    numbered(0).save(folder, neighbours=True)
    for number in range(1, 100):
        before = number_of(folder)
        step[:] = [number]
        try:
            numbered(number).save(folder, neighbours=True)
        except KeyboardInterrupt:
            found.add(number_of(folder) == number)
            assert number_of(folder) in (before, number)
            continue
        break
    step[:] = [0]
    assert number > 20
    assert found == {False, True}
    # What interruptions left goes with the next save.
    assert number_of(folder) == number
    assert len(list(folder.iterdir())) == len(list(make["HERE"].joinpath("audit").iterdir()))


def test_savers_and_loaders_at_once(tmp_path):
    numbered(0).save(tmp_path / "audit")
    audits, seen, refused, failed = [numbered(number) for number in range(1, 4)], set(), [], []

    def saving(audit):
        for count in range(500):
            if count >= 6 and len(seen) > 1:
                break
            try:
                audit.save(tmp_path / "audit")
            except StorageError as error:
                refused.append(error.arrived)

    def loading():
        while any(thread.is_alive() for thread in savers):
            try:
                seen.add(number_of(tmp_path / "audit"))
            except Exception as error:
                failed.append(error)

    savers = [threading.Thread(target=saving, args=(audit,)) for audit in audits]
    for thread in savers:
        thread.start()
    loading()
    for thread in savers:
        thread.join()
    assert not failed
    assert all("another process or thread is writing" in error for error in refused)
    assert number_of(tmp_path / "audit") in (1, 2, 3)
    assert len(seen) > 1


def test_one_who_waits_too_long_is_told(tmp_path, monkeypatch):
    # `save` has no option for it, and ten seconds are too long for a test.
    monkeypatch.setattr(folders, "PATIENCE", 0.05)
    folder = numbered(0).save(tmp_path / "audit")
    with folders.lock(folder / "audit.json"), pytest.raises(StorageError, match=r"for 0\.05 seconds and more"):
        numbered(1).save(folder)
    assert number_of(folder) == 0
