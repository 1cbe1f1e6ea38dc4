"""A stream in a folder: the same scores as the data set it streams, gone on with, never mixed up."""

import os
import threading
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dataaudit import score
from dataaudit.common import digests, folders
from dataaudit.data import as_examples, streams
from dataaudit.errors import DataError, RowError, StorageError

NAMES = ["knn_c_score/input", "density/input", "heldout_confidence"]


@pytest.fixture(scope="module")
def whole():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=600)
    x = (rng.normal(size=(600, 8)) + y[:, None]).astype(np.float32)
    columns = datasets.Features(
        embedding=datasets.List(datasets.Value("float32")), label=datasets.ClassLabel(names=["a", "b", "c"])
    )
    return datasets.Dataset.from_dict({"embedding": x, "label": y}, features=columns)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of a few rows: `as_examples` has no option for what a crash may cost, and real ones are of 32 MiB."""
    monkeypatch.setattr(streams, "PART", 3000)
    monkeypatch.setattr(streams, "BATCH", 50)


def stored(stream, folder, **options):
    return as_examples(stream, inputs="embedding", label="label", folder=folder, **options)


def parts(folder):
    return sorted(path.name for path in (folder / "stream").glob("*.arrow"))


def generated(count, odd=None):
    """A stream that declares nothing about its columns."""

    def rows():
        for row in range(count):
            yield {"id": row, "embedding": [float(row), 1.0], "label": "odd" if row % 2 else "even"} | (
                (odd or {}).get(row, {})
            )

    return datasets.IterableDataset.from_generator(rows)


def test_scores_are_those_of_the_data_set(whole, tmp_path, small_parts):
    options = {"inputs": "embedding", "label": "label", "engine": "reference", "progress": False}
    plain = score(None, whole, NAMES, **options)
    stream = whole.to_iterable_dataset()
    kept = score(None, stream, NAMES, cache=tmp_path, **options)
    alone = score(None, stream, "knn_c_score/input", cache=tmp_path, **options)
    for name in NAMES:
        np.testing.assert_array_equal(plain.columns[name], kept.columns[name])
    assert kept.class_names == ("a", "b", "c")
    assert len(parts(tmp_path)) == 6
    assert alone.settings["cache"]["files"] == {}
    assert not any("nothing had to be kept" in note for note in alone.settings["notes"])
    # Sums over all pairs want one array: the pieces are put together on disk.
    assert "input.npy" in kept.settings["cache"]["files"]
    assert kept.mislabeled(rate=0.1).shape[0] == 60


def test_names_and_columns_come_from_the_pass(tmp_path):
    examples = stored(generated(300), tmp_path)
    assert examples.class_names == ("even", "odd")
    np.testing.assert_array_equal(examples.read(np.array([299, 4]))[:, 0], [299, 4])
    assert examples.columns == ("embedding",)
    assert examples.origin.dataset.column_names == ["embedding", "label"]
    # The pieces are read as they lie in the file.
    assert not examples.array.flags.owndata if isinstance(examples.array, np.ndarray) else examples.array.shape


def test_a_complete_pass_is_not_made_again(whole, tmp_path, small_parts):
    seen = []

    def counted(row):
        seen.append(1)
        return row

    stream = whole.to_iterable_dataset().map(counted, features=whole.features)
    first = stored(stream, tmp_path)
    # Whoever takes the first rows may have the next one made as well.
    assert 600 + streams.HEAD <= len(seen) <= 601 + streams.HEAD
    seen.clear()
    again = stored(stream, tmp_path)
    assert len(seen) <= streams.HEAD + 1
    np.testing.assert_array_equal(first.read(np.arange(600)), again.read(np.arange(600)))


@pytest.mark.parametrize("stop", [0, 130, 599])
def test_after_a_crash_the_files_are_gone_on_with(whole, tmp_path, small_parts, stop):
    def breaking(row, place):
        if place == stop and not (tmp_path / "repaired").exists() and len(seen) > streams.HEAD:
            raise KeyboardInterrupt
        seen.append(place)
        return row

    seen = []
    stream = whole.to_iterable_dataset().map(breaking, with_indices=True, features=whole.features)
    with pytest.raises(KeyboardInterrupt):
        stored(stream, tmp_path)
    before = {name: (tmp_path / "stream" / name).stat().st_mtime_ns for name in parts(tmp_path)}
    assert len(before) == stop // 100
    (tmp_path / "repaired").write_text("")
    found = stored(stream, tmp_path)
    np.testing.assert_array_equal(found.read(np.arange(600)), np.array(whole["embedding"], np.float32))
    assert (found.labels == whole["label"]).all()
    after = {name: (tmp_path / "stream" / name).stat().st_mtime_ns for name in before}
    assert after == before


def test_a_full_disk_is_told_and_the_next_call_goes_on(whole, tmp_path, small_parts, monkeypatch):
    sync, calls = os.fsync, []

    def full(file):
        calls.append(file)
        if len(calls) == 6:
            raise OSError(28, "No space left on device")
        sync(file)

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left on device.*with room"):
        stored(whole.to_iterable_dataset(), tmp_path)
    # The file that did not fit has gone: a part, its description, and so on.
    assert parts(tmp_path) == ["part-000000.arrow", "part-000001.arrow"]
    assert not list((tmp_path / "stream").glob("*.partial"))
    found = stored(whole.to_iterable_dataset(), tmp_path)
    np.testing.assert_array_equal(found.read(np.arange(600)), np.array(whole["embedding"], np.float32))


def test_another_stream_or_a_changed_file_is_refused(whole, tmp_path, small_parts):
    stored(whole.to_iterable_dataset(), tmp_path)
    with pytest.raises(StorageError, match="another head"):
        stored(whole.select(range(1, 600)).to_iterable_dataset(), tmp_path)
    renamed = whole.rename_column("embedding", "vector").to_iterable_dataset()
    with pytest.raises(StorageError, match="another columns"):
        as_examples(renamed, inputs="vector", label="label", folder=tmp_path)


def packed(path):
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    with pa.ipc.new_stream(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-600] ^= 1
    path.write_bytes(content)


def of_other_columns(path):
    with pa.ipc.new_stream(path, pa.schema({"a": pa.int64()})) as writer:
        writer.write_table(pa.table({"a": range(100)}))


DAMAGE = {
    "a flipped bit": flipped,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "packed": packed,
    "other columns": of_other_columns,
    "zeros": lambda path: path.write_bytes(bytes(5000)),
}


def sealed_again(folder):
    """Give the files of a forged stream right checksums."""
    described = folders.read(folder / "stream.json")
    for part in described["parts"]:
        if (folder / part["file"]).exists():
            part["digest"] = digests.digest((folder / part["file"]).read_bytes())
    folders.replace(folder / "stream.json", described)


@pytest.mark.parametrize("number", [0, 3, 5])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_named_put_aside_and_written_again(whole, tmp_path, small_parts, kind, number):
    stored(whole.to_iterable_dataset(), tmp_path)
    path = tmp_path / "stream" / parts(tmp_path)[number]
    before, kept = path.read_bytes(), [name for name in parts(tmp_path) if name != path.name]
    times = {name: (tmp_path / "stream" / name).stat().st_mtime_ns for name in kept}
    DAMAGE[kind](path)
    if kind != "a flipped bit":
        sealed_again(tmp_path / "stream")
    damaged = path.read_bytes() if path.exists() else None
    found = stored(whole.to_iterable_dataset(), tmp_path)
    assert found.notes == (f"{path} was damaged or gone, and was written again",)
    assert path.read_bytes() == before
    assert [aside.read_bytes() for aside in path.parent.glob("*.damaged")] == ([] if damaged is None else [damaged])
    np.testing.assert_array_equal(found.read(np.arange(600)), np.array(whole["embedding"], np.float32))
    assert {name: (tmp_path / "stream" / name).stat().st_mtime_ns for name in kept} == times
    assert stored(whole.to_iterable_dataset(), tmp_path).notes == ()


def test_a_damaged_index_is_named_and_the_stream_stored_again(whole, tmp_path, small_parts):
    stored(whole.to_iterable_dataset(), tmp_path)
    path = tmp_path / "stream/stream.json"
    path.write_bytes(path.read_bytes()[:-9])
    found = stored(whole.to_iterable_dataset(), tmp_path)
    assert found.notes == (f"{path} was damaged: the stream was stored again",)
    np.testing.assert_array_equal(found.read(np.arange(600)), np.array(whole["embedding"], np.float32))
    assert stored(whole.to_iterable_dataset(), tmp_path).notes == ()


@pytest.mark.parametrize(
    "forged",
    [
        lambda parts: parts[0].update(file="../../other.arrow"),
        lambda parts: parts[0].update(file="/etc/passwd"),
        lambda parts: parts[0].update(file=parts[1]["file"]),
        lambda parts: parts[0].update(rows=-1),
        lambda parts: parts[0].update(rows="100"),
        lambda parts: parts[0].update(digest=None),
        lambda parts: parts[0].pop("rows"),
        lambda parts: parts.__setitem__(0, "part-000000.arrow"),
        lambda parts: parts.clear(),
    ],
)
def test_a_forged_index_is_refused(whole, tmp_path, small_parts, forged):
    stored(whole.to_iterable_dataset(), tmp_path)
    path = tmp_path / "stream" / "stream.json"
    described = folders.read(path)
    forged(described["parts"])
    folders.replace(path, described)
    with pytest.raises(StorageError, match=r"stream\.json with"):
        stored(whole.to_iterable_dataset(), tmp_path)


@pytest.mark.parametrize("name", ["../../other.arrow", "/etc/passwd", "x/../../y"])
def test_an_index_that_leads_outside_is_no_damage_though_its_checksum_is_another(whole, tmp_path, small_parts, name):
    stored(whole.to_iterable_dataset(), tmp_path)
    path = tmp_path / "stream" / "stream.json"
    path.write_text(path.read_text().replace("part-000001.arrow", name))
    before = {inside.name: inside.read_bytes() for inside in path.parent.iterdir()}
    with pytest.raises(StorageError, match=r"stream\.json with a file .*outside its folder.*someone wrote it"):
        stored(whole.to_iterable_dataset(), tmp_path)
    assert {inside.name: inside.read_bytes() for inside in path.parent.iterdir()} == before


def test_two_calls_at_once_store_one_stream(whole, tmp_path, small_parts, monkeypatch):
    found, refused = [], []

    def storing(patience):
        # No option of a call: nobody should have to say how long a file that others write is waited for.
        monkeypatch.setattr(folders, "PATIENCE", patience)
        try:
            found.append(stored(whole.to_iterable_dataset(), tmp_path))
        except StorageError as error:
            refused.append(error.arrived)

    for patience in (60, 0.01):
        threads = [threading.Thread(target=storing, args=(patience,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) + len(refused) == 6
    assert len(found) >= 4
    assert all("another process or thread is writing" in error for error in refused)
    for examples in found:
        np.testing.assert_array_equal(examples.read(np.arange(600)), np.array(whole["embedding"], np.float32))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_file_is_refused_and_not_waited_for(whole, tmp_path, small_parts, make):
    stored(whole.to_iterable_dataset(), tmp_path)
    path = next(tmp_path.rglob("part-*.arrow"))
    path.unlink()
    make(path)
    with pytest.raises(StorageError, match=path.name):
        stored(whole.to_iterable_dataset(), tmp_path)


def test_links_are_refused(whole, tmp_path, small_parts):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "stream").symlink_to(outside)
    with pytest.raises(StorageError, match="a link to"):
        stored(whole.to_iterable_dataset(), tmp_path / "linked")
    stored(whole.to_iterable_dataset(), tmp_path)
    path = tmp_path / "stream" / parts(tmp_path)[0]
    path.rename(outside / path.name)
    path.symlink_to(outside / path.name)
    with pytest.raises(StorageError, match="a link to"):
        stored(whole.to_iterable_dataset(), tmp_path)
    assert len(list(outside.iterdir())) == 1


def test_a_row_of_another_kind_is_named(tmp_path):
    with pytest.raises(RowError, match="row 400 of the stream"):
        stored(generated(500, {400: {"embedding": "text"}}), tmp_path)
    with pytest.raises(DataError, match="without rows"):
        stored(generated(0), tmp_path / "none")


def test_rows_that_cannot_be_used_are_named_before_any_score(tmp_path):
    stream = generated(500, {490: {"embedding": [float("nan"), 0.0]}})
    options = {"inputs": "embedding", "label": "label", "cache": tmp_path, "progress": False}
    with pytest.raises(DataError, match="row 490"):
        score(None, stream, "knn_c_score/input", **options)
    kept = score(None, stream, "knn_c_score/input", on_bad_rows="drop", **options)
    assert len(kept) == 499


def test_images_keep_their_bytes(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(12, 5, 5), dtype=np.uint8)
    columns = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
    images = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(one) for one in pixels], "label": [0, 1] * 6}, features=columns
    )
    found = as_examples(images.to_iterable_dataset(), folder=tmp_path)
    np.testing.assert_array_equal(found.read(np.arange(12))[:, 0], pixels)


def test_a_split_of_streams(whole, tmp_path):
    both = datasets.IterableDatasetDict(train=whole.to_iterable_dataset())
    assert len(as_examples(both, split="train", folder=tmp_path)) == 600
