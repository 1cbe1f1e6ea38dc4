"""Representations on disk: the same scores as in memory, gone on with after a crash, never mixed up."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit import Recipe, score
from dataaudit.common import folders
from dataaudit.errors import DataError, SettingError, StorageError
from dataaudit.pipeline.evidence_sources import space_collector
from dataaudit.representations import collect, store
from dataaudit.representations.store import RowStore
from tests.representations.stored import SCORERS, numbers, scored


def rows_made(audit):
    return {name: told["made_from_row"] for name, told in audit.settings["cache"]["files"].items()}


def test_scores_are_those_of_memory_bit_for_bit(data, tmp_path, small_blocks):
    plain, kept = scored(data, None), scored(data, tmp_path / "kept")
    for name in SCORERS:
        np.testing.assert_array_equal(plain.columns[name], kept.columns[name])
    assert set(rows_made(kept).values()) == {0}
    again = scored(data, tmp_path / "kept")
    assert set(rows_made(again).values()) == {400}
    for name in SCORERS:
        np.testing.assert_array_equal(plain.columns[name], again.columns[name])
    assert json.loads(json.dumps(again.settings)) == again.settings


def test_inputs_that_lie_in_no_array_are_stored_once(data, tmp_path, small_blocks, monkeypatch):
    names = ["density/input", "knn_c_score/input", "heldout_confidence"]
    table = numbers(data)
    plain = score(None, table, names, engine="reference", progress=False)
    reads = []
    monkeypatch.setattr(store.OnDisk, "put", lambda self, *a, put=store.OnDisk.put: reads.append(a[0]) or put(self, *a))
    kept = score(None, table, names, engine="reference", cache=tmp_path, progress=False)
    for name in names:
        np.testing.assert_array_equal(plain.columns[name], kept.columns[name])
    assert rows_made(kept) == {"input.npy": 0}
    np.testing.assert_array_equal(np.load(tmp_path / "input.npy"), data[0].astype(np.float64).astype(np.float32))
    assert reads
    reads.clear()
    score(None, table, names, engine="reference", cache=tmp_path, progress=False)
    assert not reads


def test_arrays_stay_where_they_are(data, tmp_path):
    np.save(tmp_path / "x.npy", data[0])
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    audit = score(None, (mapped, data[1]), "knn_c_score/input", cache=tmp_path / "kept", progress=False)
    assert audit.settings["cache"]["files"] == {}
    assert [path.name for path in (tmp_path / "kept").glob("*[!k]")] == ["representations.json"]
    assert any("nothing had to be kept" in note for note in audit.settings["notes"])


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_after_a_crash_only_the_rest_is_made(data, tmp_path, small_blocks, monkeypatch, blocks):
    whole = scored(data, None, ["density/hidden"])
    written, write = [], store.OnDisk._write

    def dying(self):
        if len(written) == blocks:
            raise KilledError
        written.append(1)
        write(self)

    with monkeypatch.context() as patch:
        patch.setattr(store.OnDisk, "_write", dying)
        with pytest.raises(KilledError):
            scored(data, tmp_path, ["density/hidden"])
    batches = []
    with monkeypatch.context() as patch:
        put = collect.Batch.__init__
        patch.setattr(collect.Batch, "__init__", lambda self, *a: batches.append(a[0]) or put(self, *a))
        rest = scored(data, tmp_path, ["density/hidden"])
    done = 50 * blocks
    assert [made for made in rows_made(rest).values()] == [done]
    assert [part.start for part in batches] == list(range(done, 400, 50))
    np.testing.assert_array_equal(whole.columns["density/hidden"], rest.columns["density/hidden"])


def test_a_torn_write_is_no_row(data, tmp_path, small_blocks):
    """What lies beyond the last described block was never complete."""
    keep = RowStore(tmp_path, "data", None).keeper("input", 400, {}, None)
    first = keep("rows")
    first.put(0, data[0][:100])
    first.close()
    with (tmp_path / "input.npy").open("ab") as file:
        file.write(b"torn")
    second = keep("rows")
    assert second.done == 100
    second.put(100, data[0][100:])
    np.testing.assert_array_equal(second.whole(), data[0])


def test_killed_for_real_and_run_again(tmp_path):
    """A process that is killed between two blocks, and a second that goes on."""
    code = (
        "import os, signal, sys, numpy as np; from dataaudit.representations import store; store.BLOCK = 4000;"
        "kept = store.RowStore(sys.argv[1], 'data', None).keeper('input', 500, {}, None)('rows')\n"
        "x = np.arange(5000, dtype=np.float32).reshape(500, 10); begun = kept.done\n"
        "for first in range(begun, 500, 50):\n"
        "    if first == 300 and not begun: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    kept.put(first, x[first:first + 50])\n"
        "print(begun, np.array_equal(kept.whole(), x))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["300", "True"]


def test_another_data_set_model_or_seed_is_refused(data, tmp_path):
    scored(data, tmp_path, ["density/hidden"])
    other = (data[0] + 1, data[1])
    with pytest.raises(StorageError, match="another data set"):
        scored(other, tmp_path, ["density/hidden"])
    for options in ({"seed": 1}, {"recipe": Recipe(epochs=2)}):
        with pytest.raises(StorageError, match="another model, recipe or seed"):
            scored(data, tmp_path, ["density/hidden"], **options)


def test_rows_of_other_weights_are_made_anew(data, tmp_path):
    """The same model and seed may come to other weights where sums have no fixed order."""
    keep = RowStore(tmp_path, "data", "model").keeper("hidden", 400, {"layer": None}, "these weights")
    made = keep("rows")
    made.put(0, data[0])
    made.whole()
    other = RowStore(tmp_path, "data", "model").keeper("hidden", 400, {"layer": None}, "other weights")
    assert other("rows").done == 0


def test_a_damaged_file_is_named_put_aside_and_made_again(data, tmp_path, small_blocks):
    scored(data, tmp_path, ["density/hidden"])
    [path] = tmp_path.glob("hidden*.npy")
    content = bytearray(path.read_bytes())
    before = bytes(content)
    content[-1] ^= 1
    for damaged in (content, content[: len(content) // 2], before + b"1234", bytes(len(content)), b""):
        path.write_bytes(damaged)
        audit = scored(data, tmp_path, ["density/hidden"])
        assert set(rows_made(audit).values()) == {0}
        assert len(audit.settings["cache"]["damaged"]) == 2
        assert any("were put aside, and their rows made anew" in note for note in audit.settings["notes"])
        asides = [tmp_path / name for name in audit.settings["cache"]["damaged"]]
        assert bytes(damaged) in [aside.read_bytes() for aside in asides]
        assert path.read_bytes() == before
    assert "damaged" not in scored(data, tmp_path, ["density/hidden"]).settings["cache"]


def test_a_damaged_manifest_is_named_and_rows_are_made_again(data, tmp_path, small_blocks):
    before = scored(data, tmp_path, ["density/hidden"])
    path = tmp_path / "representations.json"
    path.write_bytes(path.read_bytes()[:-9])
    audit = scored(data, tmp_path, ["density/hidden"])
    assert set(rows_made(audit).values()) == {0}
    assert len(audit.settings["cache"]["damaged"]) == 3
    assert any(name.startswith(path.name) for name in audit.settings["cache"]["damaged"])
    np.testing.assert_array_equal(audit.columns["density/hidden"], before.columns["density/hidden"])
    assert "damaged" not in scored(data, tmp_path, ["density/hidden"]).settings["cache"]


@pytest.mark.parametrize(
    "damage",
    [
        {"features": None},
        {"features": -1},
        {"features": "2"},
        {"features": True},
        {"dtype": "<q9"},
        {"dtype": "|O"},
        {"dtype": 4},
        {"blocks": None},
        {"blocks": 3},
        {"blocks": [4]},
        {"blocks": [["4", "digest"]]},
        {"blocks": [[2, "digest"], [2, "digest"]]},
        {"blocks": [[5, "digest"]]},
        {"blocks": [[4, None]]},
    ],
    ids=str,
)
def test_a_damaged_description_is_put_aside(damage, tmp_path):
    keep = RowStore(tmp_path, "data", None).keeper("input", 4, {}, None)
    made = keep("rows")
    made.put(0, np.zeros((4, 2), np.float32))
    made.whole()
    about = tmp_path / "input.json"
    described = folders.read(about) | damage
    folders.replace(about, {name: value for name, value in described.items() if value is not None})
    again = keep("rows")
    assert (again.done, len(again.damaged)) == (0, 2)
    again.put(0, np.zeros((4, 2), np.float32))
    np.testing.assert_array_equal(again.whole(), np.zeros((4, 2)))
    assert keep("rows").done == 4


def test_a_file_changed_while_it_is_read_is_refused(data, tmp_path, monkeypatch):
    sums = space_collector.density_sums

    def meddled(*arguments):
        [path] = tmp_path.glob("hidden*.npy")
        with path.open("r+b") as file:
            file.seek(200)
            file.write(b"\x01\x02\x03\x04")
        return sums(*arguments)

    monkeypatch.setattr(space_collector, "density_sums", meddled)
    with pytest.raises(StorageError, match="changed while its rows were read"):
        scored(data, tmp_path, ["density/hidden"])


def test_who_reads_reads_on_where_rows_are_made_anew(tmp_path):
    def kept(weights):
        rows = RowStore(tmp_path, "data", "model").keeper("hidden", 4, {}, weights)("rows")
        rows.put(0, np.full((4, 2), float(weights)))
        return rows, rows.whole()

    (_, first), (_, second) = kept("1"), kept("2")
    assert (first == 1).all()
    assert (second == 2).all()


@pytest.mark.parametrize("name", ["input.npy", "input.json"])
def test_links_are_refused(name, tmp_path):
    keep = RowStore(tmp_path, "data", None).keeper("input", 4, {}, None)
    made = keep("rows")
    made.put(0, np.zeros((4, 1)))
    made.whole()
    (tmp_path / name).rename(tmp_path / "elsewhere")
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    for _ in range(2):
        with pytest.raises(StorageError, match="a link to"):
            keep("rows")
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_two_writers_do_not_meet(tmp_path):
    keep = RowStore(tmp_path, "data", None, patience=0.05).keeper("input", 4, {}, None)
    held = keep("rows")
    with pytest.raises(StorageError, match="another process or thread is writing"):
        keep("rows")
    held.put(0, np.zeros((4, 1)))
    held.whole()
    assert keep("rows").done == 4


def test_folders_that_are_none(data, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"thesis\.txt"):
        scored(data, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(StorageError, match="with room"):
        scored(data, tmp_path / "thesis.txt" / "under")
    for wrong in (3, "", ["folder"]):
        with pytest.raises(SettingError, match="path of a folder"):
            scored(data, wrong)
    (tmp_path / "old").mkdir()
    folders.replace(tmp_path / "old/representations.json", {"format": "dataaudit representations", "version": 0})
    with pytest.raises(StorageError, match="use the version of dataaudit"):
        scored(data, tmp_path / "old")


def test_nan_in_a_late_row_is_named_before_anything_is_stored(data, tmp_path):
    x = data[0].copy()
    x[397, 2] = np.nan
    with pytest.raises(DataError, match="row 397"):
        score(None, numbers((x, data[1])), "density/input", cache=tmp_path / "kept", progress=False)
    assert not (tmp_path / "kept").exists()


def test_images_and_one_class_of_one(tmp_path):
    """Inputs of several dimensions keep their shape; constant rows and a class of one are no special case."""
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(40, 3, 4, 4), dtype=np.uint8)
    x[:20] = 7
    y = np.arange(40) % 2
    y[39] = 2
    dataset = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    names = ["density/input", "knn_c_score/input"]
    plain = score(None, dataset, names, engine="reference", progress=False)
    kept = score(None, dataset, names, engine="reference", cache=tmp_path, progress=False)
    for name in names:
        np.testing.assert_array_equal(plain.columns[name], kept.columns[name])
    assert np.load(tmp_path / "input.npy").shape == (40, 48)


def test_a_trained_module_is_read_once(data, tmp_path):
    """Nothing is trained, nothing is read again: the second call only looks at digests."""
    x, y = data
    fitted = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(fitted.parameters(), 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(fitted(torch.tensor(x)), torch.tensor(y)).backward()
        optimizer.step()
    audits = [
        score(fitted, data, "density/hidden", engine="reference", cache=tmp_path, progress=False) for _ in range(2)
    ]
    assert [set(rows_made(audit).values()) for audit in audits] == [{0}, {400}]
    assert dataaudit.Audit.load(audits[1].save(tmp_path.parent / "audit")).settings == audits[1].settings


def test_nothing_is_written_elsewhere(data, tmp_path, small_blocks, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scored(data, "kept", ["density/hidden"])
    assert [path.name for path in Path().iterdir()] == ["kept"]
    kept = sorted(path.suffix for path in Path("kept").iterdir())
    assert kept == [".json", ".json", ".npy"]
