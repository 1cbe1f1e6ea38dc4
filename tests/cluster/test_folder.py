"""Finished blocks survive; sums do not depend on the order in which blocks come; nothing else is taken for one."""

import os
import sys

import numpy as np
import pytest

import dataaudit
from dataaudit.cluster.engine import RayEngine
from dataaudit.cluster.folder import BlockFolder
from dataaudit.cluster.tally import Tally
from dataaudit.common import digests, folders
from dataaudit.density.exact import CpuEngine, ReferenceEngine
from dataaudit.errors import MissingPackageError, StorageError

LAYOUT = {"bandwidth": 2.0}
BELONGS = {"rows": "r", "settings": {"block_rows": 40}}


def opened(path, data=None, layout=LAYOUT, files=(), **belongs):
    return BlockFolder(path, data or {"labels": "l"}, layout, BELONGS | belongs, list(files))


def carried(job, folder, order=None, **sizes):
    """Tally of a job whose blocks come in an order; how many were computed; shares of progress."""
    shares = []
    tally = Tally(job.schedule, folder, shares.append, **sizes)
    tasks = [task for task in (range(job.schedule.tasks) if order is None else order) if task in tally.missing]
    for task in tasks:
        tally.put(task, job(task))
    return tally, len(tasks), shares


@pytest.mark.parametrize("engine", [ReferenceEngine(), CpuEngine(threads=1)])
def test_blocks_add_up_whatever_their_order(rows, job, engine, tmp_path):
    made = job(*rows, engine)
    tally, count, shares = carried(made, None)
    assert count == made.schedule.tasks
    assert abs(sum(shares) - 1) < 1e-9
    wanted = ReferenceEngine().sums(*rows, 2.0)
    np.testing.assert_allclose(tally.sums, [wanted.total, wanted.same], rtol=1e-5)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(count).tolist()
        folder = opened(tmp_path / str(seed))
        again, _, _ = carried(made, folder, order)
        folder.close()
        np.testing.assert_array_equal(again.sums, tally.sums)


def test_what_was_finished_is_not_computed_again(rows, job, tmp_path):
    # Sums are added up early, as those of many more blocks would be.
    early = {"margin": 0}
    made = job(*rows)
    whole, count, _ = carried(made, None)
    order = np.random.default_rng(1).permutation(count).tolist()
    for stop in range(count + 1):
        path = tmp_path / str(stop)
        folder = opened(path)
        carried(made, folder, order[:stop], **early)
        folder.close()
        folder = opened(path)
        tally, computed, shares = carried(made, folder, **early)
        folder.close()
        assert computed == count - stop
        assert tally.resumed == stop
        assert abs(sum(shares) - 1) < 1e-9
        np.testing.assert_array_equal(tally.sums, whole.sums)
        assert len(list(path.rglob("*.npy"))) == 1


def test_damaged_files_are_named_and_made_again(rows, job, tmp_path):
    made = job(*rows)
    whole, count, _ = carried(made, None)
    folder = opened(tmp_path)
    carried(made, folder, range(1, count))
    folder.close()
    blocks = sorted(tmp_path.rglob("0000*.npy"))
    assert len(blocks) == count - 1
    blocks[0].write_bytes(blocks[0].read_bytes()[:-8])
    blocks[1].write_bytes(b"")
    content = bytearray(blocks[2].read_bytes())
    content[-1] ^= 1
    blocks[2].write_bytes(content)
    (blocks[3].parent / f"000004-half.npy.{'0' * 32}.partial").write_bytes(b"x")
    folder = opened(tmp_path)
    assert folder.damaged == [path.name for path in blocks[:3]]
    tally, computed, _ = carried(made, folder)
    folder.close()
    assert computed == 4
    np.testing.assert_array_equal(tally.sums, whole.sums)
    assert not list(tmp_path.rglob("*.partial"))


def in_place_of(path, content):
    """Put other content in the place of a file, under the digest that it has."""
    path.unlink()
    digest = digests.digest(np.ascontiguousarray(content).data) if isinstance(content, np.ndarray) else "0" * 32
    forged = path.with_name(f"{path.stem.rsplit('-', 1)[0]}-{digest}.npy")
    if isinstance(content, np.ndarray):
        np.save(forged, content)
    else:
        forged.write_bytes(content)


HEAD = digests.npy_header((2, 3), "<f8")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(content, id=name)
        for name, content in {
            "zeros after the first bytes": HEAD[:60] + bytes(200),
            "zeros": bytes(300),
            "an open bracket": HEAD[:12] + b"{'shape': (((((" + bytes(100),
            "many brackets": HEAD[:10] + b"(" * 118 + bytes(48),
            "more than there is": digests.npy_header((2, 2**60), "<f8") + bytes(48),
            "a negative size": HEAD.replace(b"(2, 3)", b"(-2,3)") + bytes(48),
            "objects": HEAD.replace(b"'<f8'", b"'|O' ") + bytes(48),
            "one dimension": np.zeros(6),
            "other columns": np.zeros((2, 3)),
            "another type": np.zeros((2, 80), np.float32),
            "NaN": np.full((2, 80), np.nan),
            "below 0": np.full((2, 80), -1.0),
        }.items()
    ],
)
def test_what_no_block_is_made_of_is_damage(rows, job, tmp_path, content):
    made = job(*rows)
    whole, count, _ = carried(made, None)
    folder = opened(tmp_path)
    carried(made, folder, range(1, count))
    folder.close()
    in_place_of(sorted(tmp_path.rglob("000001-*.npy"))[0], content)
    folder = opened(tmp_path)
    tally, computed, _ = carried(made, folder)
    folder.close()
    assert [name[:6] for name in folder.damaged] == ["000001"]
    assert computed == 2
    np.testing.assert_array_equal(tally.sums, whole.sums)
    assert len(list(tmp_path.rglob("*.damaged"))) == 1


@pytest.mark.parametrize("name", ["000999", "sums-000999", "sums-000000"])
def test_tasks_that_there_are_not_are_damage(rows, job, tmp_path, name):
    made = job(*rows)
    opened(tmp_path).close()
    (inside,) = tmp_path.glob("sums-*")
    sums = np.zeros((2, made.schedule.rows))
    np.save(inside / f"{name}-{digests.digest(sums.data)}.npy", sums)
    folder = opened(tmp_path)
    tally, computed, _ = carried(made, folder)
    folder.close()
    assert computed == made.schedule.tasks
    assert len(folder.damaged) == 1
    np.testing.assert_array_equal(tally.sums, carried(made, None)[0].sums)


def test_links_are_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    block = np.zeros((2, 80))
    name = f"000001-{digests.digest(block.data)}.npy"
    np.save(elsewhere / name, block)
    opened(tmp_path / "own").close()
    (inside,) = (tmp_path / "own").glob("sums-*")
    (inside / name).symlink_to(elsewhere / name)
    folder = opened(tmp_path / "own")
    folder.close()
    assert folder.damaged == [name]
    inside.rename(tmp_path / "moved")
    inside.symlink_to(tmp_path / "moved")
    with pytest.raises(StorageError, match="link"):
        opened(tmp_path / "own")
    assert [path.name for path in elsewhere.iterdir()] == [name]


def test_a_full_disk_keeps_what_is_finished(rows, job, tmp_path, monkeypatch):
    made = job(*rows)
    whole, count, _ = carried(made, None)
    put, room = folders.put, [4]

    def full(path, *contents):
        room[0] -= 1
        if room[0] < 0:
            raise folders.unwritable(path, OSError(28, "No space left on device"))
        put(path, *contents)

    folder = opened(tmp_path)
    monkeypatch.setattr(folders, "put", full)
    with pytest.raises(StorageError, match=r"No space left.*next call goes on"):
        carried(made, folder)
    folder.close()
    monkeypatch.setattr(folders, "put", put)
    folder = opened(tmp_path)
    tally, computed, _ = carried(made, folder)
    folder.close()
    assert computed == count - 4
    np.testing.assert_array_equal(tally.sums, whole.sums)


def test_sums_of_something_else_are_refused(tmp_path):
    opened(tmp_path / "own").close()
    for other in ({"data": {"labels": "x"}}, {"rows": "x"}, {"settings": {"block_rows": 80}}):
        with pytest.raises(StorageError, match=r"block sums of other .* expected .*; pass another folder="):
            opened(tmp_path / "own", **other)
    opened(tmp_path / "own", layout={"bandwidth": 3.0}, rows="x").close()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange/notes.txt").touch()
    with pytest.raises(StorageError, match=r"notes\.txt"):
        opened(tmp_path / "strange")
    folders.replace(tmp_path / "own/blocks.json", {"format": "dataaudit block sums", "version": 99})
    with pytest.raises(StorageError, match="version of dataaudit that wrote it"):
        opened(tmp_path / "own")


def test_a_mapped_file_that_changed_is_refused_at_any_bandwidth(tmp_path):
    opened(tmp_path, files=["/rows.npy"]).close()
    with pytest.raises(StorageError, match=r"/rows\.npy, which was changed"):
        opened(tmp_path, files=["/rows.npy"], rows="x", layout={"bandwidth": 3.0})


def test_rows_that_lie_elsewhere_now_are_the_same(tmp_path):
    opened(tmp_path, files=["/rows.npy"]).close()
    opened(tmp_path, files=["/moved.npy"]).close()
    opened(tmp_path).close()


def test_one_process_writes_a_folder(tmp_path):
    first = opened(tmp_path)
    with pytest.raises(StorageError, match="another process"):
        opened(tmp_path)
    first.close()
    opened(tmp_path).close()


def test_a_worker_sees_that_a_mapped_file_changed(rows, job, tmp_path):
    x, labels = rows
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    made = job(np.asarray(mapped[10:]), labels[10:])
    assert made.source.files == [str(tmp_path / "x.npy")]
    np.testing.assert_array_equal(made(1), job(x[10:], labels[10:])(1))
    state = (tmp_path / "x.npy").stat()
    changed = np.load(tmp_path / "x.npy", mmap_mode="r+")
    changed[20] += 1
    changed.flush()
    with pytest.raises(StorageError, match="changed while its rows were read"):
        made(1)
    # A file of the same size and time, as another node may have: its digest tells.
    os.utime(tmp_path / "x.npy", ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(StorageError, match="another digest of rows 0"):
        made(0)
    (tmp_path / "x.npy").unlink()
    with pytest.raises(StorageError, match=r"cannot be opened on .*; expected rows that every node finds"):
        made(1)


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    data = np.zeros((4, 2), np.float32), [0, 1, 0, 1]
    with pytest.raises(MissingPackageError, match=r"pip install 'dataaudit\[ray\]'"):
        dataaudit.score(None, data, "density/input", engine="ray", progress=False)
    with pytest.raises(MissingPackageError, match=r"search 'ray'.*pip install 'dataaudit\[ray\]'"):
        dataaudit.score(None, data, "knn_c_score/input", search="ray", progress=False)
    with pytest.raises(MissingPackageError):
        RayEngine().check()
