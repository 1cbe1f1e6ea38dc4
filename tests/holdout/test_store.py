"""Records, and the folder they lie in."""

import io
import os
from pathlib import Path

import fsspec
import numpy as np
import pytest

from dataaudit.common import digests, folders
from dataaudit.errors import StorageError
from dataaudit.holdout.base import Outcome
from dataaudit.holdout.plan import Plan, Run
from dataaudit.holdout.records import Record
from dataaudit.holdout.store import KIND, DamagedRecordError, Store

BELONGS = {"plan": "p" * 32, "data": "d" * 32, "recipe": "r" * 32, "about": {"recipe": {"recipe": {"epochs": 5}}}}


def record(number=3, n=19, ratio=0.7):
    held = Plan(np.zeros(n, np.int64), 0).held_out(Run(ratio, number))
    rng = np.random.default_rng(number)
    return Record.of(Run(ratio, number), held, Outcome(rng.random(held.sum()) < 0.5, rng.random(held.sum())), 2)


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    yield Store(str(tmp_path / "runs") if request.param == "local" else f"memory://{tmp_path.name}")
    files = fsspec.filesystem("memory")
    if files.exists(f"/{tmp_path.name}"):
        files.rm(f"/{tmp_path.name}", recursive=True)


def test_a_record_keeps_what_it_was_given():
    held = np.array([True, False, True, True, False])
    made = Record.of(Run(0.4, 7), held, Outcome(np.array([True, False, True]), np.array([0.9, 0.1, 1.0])))
    back = Record.from_bytes(made.to_bytes(), "x", 5)
    assert back.run == Run(0.4, 7)
    found, correct = back.unpacked(5)
    assert found.tolist() == held.tolist()
    assert correct.tolist() == [True, False, False, True, False]
    np.testing.assert_allclose(back.probability, [0.9, 0.1, 1.0], atol=5e-4)
    assert back.probability.dtype == np.float16
    assert made.to_bytes() == back.to_bytes()


@pytest.mark.parametrize(
    ("correct", "probability", "message"),
    [
        (np.ones(2, bool), np.ones(3), "one a row"),
        (np.ones(3), np.ones(3), "bool"),
        (np.ones(3, bool), np.array([0, 0.5, 1.1]), "outside"),
        (np.ones(3, bool), np.array([0, np.nan, 1]), "NaN"),
    ],
)
def test_wrong_outcomes_are_no_records(correct, probability, message):
    with pytest.raises(ValueError, match=message):
        Record.of(Run(0.5, 0), np.array([True, True, True, False]), Outcome(correct, probability))


def test_a_record_is_small():
    n = 60000
    held = Plan(np.zeros(n, np.int64), 0).held_out(Run(0.7, 0))
    made = Record.of(Run(0.7, 0), held, Outcome(np.ones(held.sum(), bool), np.ones(held.sum())))
    assert len(made.to_bytes()) < n / 8 * 2 + 2 * held.sum()


def test_records_are_found_again(store):
    store.open(BELONGS)
    for number in (3, 5):
        store.write(record(number))
    store.write(record(3))
    store.open(BELONGS)
    wanted = [Run(0.7, number) for number in range(5)]
    found = store.runs(wanted)
    assert list(found) == [Run(0.7, 3)]
    (name,) = found[Run(0.7, 3)]
    assert store.read(name, 19).to_bytes() == record(3).to_bytes()


@pytest.mark.parametrize("part", ["plan", "data", "recipe"])
def test_another_store_is_refused_with_both_fingerprints(store, part):
    store.open(BELONGS)
    with pytest.raises(StorageError, match="another") as caught:
        store.open({**BELONGS, part: "x" * 32, "about": {"recipe": {"recipe": {"epochs": 6}}}})
    assert BELONGS[part] in str(caught.value)
    assert "x" * 32 in str(caught.value)
    if part == "recipe":
        assert "recipe.epochs: 5 there, 6 here" in str(caught.value)


def test_another_format_and_other_folders_are_refused(tmp_path):
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(StorageError, match="letters"):
        Store(str(tmp_path)).open(BELONGS)
    Store(str(tmp_path / "runs")).open(BELONGS)
    manifest = tmp_path / "runs" / KIND.manifest
    manifest.write_text(manifest.read_text().replace('"version": ', '"version": 1'))
    with pytest.raises(StorageError, match="format"):
        Store(str(tmp_path / "runs")).open(BELONGS)
    manifest.write_text("{")
    with pytest.raises(StorageError, match="JSON"):
        Store(str(tmp_path / "runs")).open(BELONGS)


def damaged(content):
    yield content[:0]
    yield content[: len(content) // 2]
    yield content[:-1]
    yield bytes([content[0] ^ 1]) + content[1:]
    yield content[:40] + bytes([content[40] ^ 8]) + content[41:]


def test_every_kind_of_damage_is_seen(tmp_path):
    store = Store(str(tmp_path / "runs"))
    store.open(BELONGS)
    store.write(record())
    ((name,),) = store.runs([Run(0.7, 3)]).values()
    path = tmp_path / "runs" / name
    content = path.read_bytes()
    for broken in damaged(content):
        path.write_bytes(broken)
        with pytest.raises(StorageError, match="checksum"):
            store.read(name, 19)
        with pytest.raises(StorageError):
            Record.from_bytes(broken[:-9], name, 19)


def forged():
    """Archives that no run leaves, by what is wrong with them; checksums will be right."""
    good = {
        "run": np.array([0.7, 3.0]),
        "held_out": record().held_out,
        "correct": record().correct,
        "probability": record().probability,
        "missing_classes": np.array(2),
    }
    m = len(good["probability"])
    wrong = {
        "correct where not held out": {"correct": np.full_like(good["correct"], 255)},
        "more rows than there are": {"held_out": np.full_like(good["held_out"], 255)},
        "another number of rows": {"held_out": np.append(good["held_out"], np.uint8(0))},
        "rows of another type": {"held_out": good["held_out"].astype(np.uint16)},
        "NaN": {"probability": np.full(m, np.nan, np.float16)},
        "infinite": {"probability": np.full(m, np.inf, np.float16)},
        "below 0": {"probability": np.full(m, -1, np.float16)},
        "above 1": {"probability": np.full(m, 1.5, np.float16)},
        "complex": {"probability": np.full(m, 0.5j, np.complex64)},
        "texts": {"probability": np.full(m, "x")},
        "one too few": {"probability": good["probability"][1:]},
        "another run": {"run": np.array([0.7, 3.5])},
        "no number": {"run": np.array([np.nan, np.inf])},
        "infinitely many": {"run": np.array([0.7, np.inf])},
        "no classes": {"missing_classes": np.array(-1)},
        "many classes": {"missing_classes": np.array(2.0**80)},
        "an entry more": {"more": np.zeros(1)},
        "objects": {"probability": np.array([None] * m, object)},
        "much of it": {"probability": np.zeros(10**7, np.float16)},
    }
    for name, parts in wrong.items():
        yield name, archive({**good, **parts})
    yield "an entry less", archive({name: good[name] for name in list(good)[1:]})
    encrypted = bytearray(archive(good))
    for mark in (b"PK\3\4", b"PK\1\2"):
        encrypted[encrypted.index(mark) + (6 if mark == b"PK\3\4" else 8)] |= 1
    yield "encrypted", bytes(encrypted)
    unknown = bytearray(archive(good))
    for mark in (b"PK\3\4", b"PK\1\2"):
        unknown[unknown.index(mark) + (8 if mark == b"PK\3\4" else 10)] = 97
    yield "packed by nobody knows what", bytes(unknown)


def archive(parts):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **parts)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in forged()])
def test_what_no_run_leaves_is_damage(store, content):
    store.open(BELONGS)
    files, root = fsspec.core.url_to_fs(store.url)
    path = f"ratio-0.700000/000003-{digests.digest(content)}.npz"
    files.makedirs(f"{root}/ratio-0.700000", exist_ok=True)
    files.pipe_file(f"{root}/{path}", content)
    with pytest.raises(DamagedRecordError):
        store.read(path, 19)
    # Another process may do so too.
    for _ in range(2):
        store.put_aside(path)
        assert store.runs([Run(0.7, 3)]) == {}
        assert store.read(path, 19) is None


def test_links_are_not_followed(tmp_path):
    store, elsewhere = Store(str(tmp_path / "runs")), tmp_path / "elsewhere"
    store.open(BELONGS)
    elsewhere.mkdir()
    film = elsewhere / f"film.{'a' * 32}.partial"
    film.write_bytes(b"precious")
    os.utime(film, (1, 1))
    (tmp_path / "runs/ratio-0.700000").symlink_to(elsewhere)
    for call in (lambda: store.runs([Run(0.7, 3)]), lambda: store.write(record())):
        with pytest.raises(StorageError, match="link"):
            call()
    assert [path.name for path in elsewhere.iterdir()] == [film.name]
    (tmp_path / "runs/ratio-0.500000").mkdir()
    name = f"ratio-0.500000/000003-{digests.digest(b'precious')}.npz"
    (tmp_path / "runs" / name).symlink_to(film)
    with pytest.raises(DamagedRecordError, match="link"):
        store.read(name, 19)
    store.put_aside(name)
    assert film.read_bytes() == b"precious"


def test_a_forged_manifest_is_refused(store):
    files, root = fsspec.core.url_to_fs(store.url)
    files.makedirs(root, exist_ok=True)
    for fields in ({**BELONGS, "about": []}, {**BELONGS, "about": {"plan": 3}, "plan": 5}, {"plan": "p"}, {}):
        files.pipe_file(f"{root}/{KIND.manifest}", folders.encoded(KIND.describe(fields)))
        with pytest.raises(StorageError):
            store.open(BELONGS)


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "runs"))
    store.open(BELONGS)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        store.write(record())
    assert [path.name for path in Path(tmp_path / "runs").rglob("*") if path.is_file()] == [KIND.manifest]


def test_what_a_killed_writer_left_is_swept_away(tmp_path):
    store = Store(str(tmp_path / "runs"))
    store.open(BELONGS)
    store.write(record())
    folder = tmp_path / "runs/ratio-0.700000"
    old, new = (folder / f"000009-x.npz.{letter * 32}.partial" for letter in "ab")
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert len(store.runs([Run(0.7, 3), Run(0.7, 9)])) == 1
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="the store"):
        Store(str(tmp_path / "file" / "runs")).open(BELONGS)


def test_an_unknown_protocol_is_named():
    with pytest.raises(StorageError, match="nowhere"):
        Store("nowhere://x").open(BELONGS)


def test_the_first_of_two_that_begin_a_store_wins(tmp_path, monkeypatch):
    store, other = Store(str(tmp_path / "runs")), {**BELONGS, "recipe": "x" * 32}
    put = Store._put

    def late(self, name, content, new=False):
        monkeypatch.undo()
        Store(self.url).open(other)
        put(self, name, content, new)

    monkeypatch.setattr(Store, "_put", late)
    with pytest.raises(StorageError, match="another recipe"):
        store.open(BELONGS)
    Store(str(tmp_path / "runs")).open(other)


def test_two_writers_of_one_run_leave_one_record(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    store = Store(str(tmp_path / "runs"))
    store.open(BELONGS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.write(record()), range(40)))
    assert [len(names) for names in store.runs([Run(0.7, 3)]).values()] == [1]
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_read_only_store_can_be_read(tmp_path):
    store = Store(str(tmp_path / "runs"))
    store.open(BELONGS)
    store.write(record())
    for path in (tmp_path / "runs", tmp_path / "runs/ratio-0.700000"):
        path.chmod(0o500)
    store.open(BELONGS)
    assert len(store.runs([Run(0.7, 3)])) == 1
    with pytest.raises(StorageError, match="Permission"):
        store.write(record(5))
