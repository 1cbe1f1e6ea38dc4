"""A folder without room: rows are held in memory, for a call that may do so, and what is complete stays."""

import numpy as np
import pytest

from dataaudit.data import as_examples
from dataaudit.errors import StorageError
from dataaudit.representations import store
from dataaudit.representations.input import stored_inputs
from dataaudit.representations.store import RowStore
from tests.representations.stored import numbers, scored


def test_rows_that_a_full_disk_does_not_take_stay_in_memory_and_the_next_run_goes_on(
    data, tmp_path, small_blocks, full
):
    examples = as_examples(numbers(data))
    rows_store = RowStore(tmp_path, "data", None)
    part = np.asarray(examples.read(np.arange(400)))
    with full(4500):
        kept = rows_store.keeper("input", 400, {}, None)("rows")
        for first in range(0, 400, 50):
            kept.put(first, part[first : first + 50])
        np.testing.assert_array_equal(kept.whole(), part)
    (note,) = rows_store.notes
    assert "held in memory" in note
    assert str(tmp_path / "input.npy") in note
    rows_store.check_unchanged()
    rows_store.close()
    keep = RowStore(tmp_path, "data", None).keeper("input", 400, {}, None)
    left = keep("rows")
    assert left.done == 150
    left.close()
    found = stored_inputs(examples, keep, False, False)
    np.testing.assert_array_equal(found.array, part)


def test_only_a_disk_without_room_is_gone_on_without(tmp_path, small_blocks, full, monkeypatch):
    """Not a link at the file's place, nor a file that is gone, nor where memory is short as well."""
    part = np.ones((400, 6), np.float32)

    def begun(name):
        kept = store.OnDisk(tmp_path / name, 400, {}, spills=True)
        for first in range(0, 100, 50):
            kept.put(first, part[first : first + 50])
        return kept

    linked = begun("linked")
    linked.path.rename(tmp_path / "elsewhere")
    linked.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="link"):
        linked.put(100, part[100:150])
    gone = begun("gone")
    gone.path.unlink()
    with pytest.raises(StorageError, match=r"gone\.npy"):
        gone.put(100, part[100:150])
    short = begun("short")
    there = short.path.stat().st_size

    def none(*_):
        raise MemoryError

    monkeypatch.setattr(np, "empty", none)
    with full(3000), pytest.raises(StorageError, match="with room"):
        short.put(100, part[100:200])
    assert short.path.stat().st_size == there
    for kept in (linked, gone, short):
        kept.close()


def test_rows_that_nobody_may_hold_in_memory_end_at_a_full_disk(tmp_path, small_blocks, full):
    part = np.ones((400, 6), np.float32)
    kept = store.OnDisk(tmp_path / "input", 400, {})
    with full(4500), pytest.raises(StorageError, match="with room") as caught:
        kept.put(0, part)
    assert caught.value.arrived.startswith(str(tmp_path / "input.npy"))
    kept.close()


@pytest.mark.parametrize("size", [100, 5000])
def test_an_audit_goes_on_without_a_cache_that_has_no_room(data, tmp_path, small_blocks, full, size):
    """Its manifest does not fit at first, then it does, and the rows do not."""
    expected = scored(data, tmp_path / "room", ["knn_c_score/hidden"])
    with full(size):
        audit = scored(data, tmp_path / "none", ["knn_c_score/hidden"])
    np.testing.assert_array_equal(audit.columns["knn_c_score/hidden"], expected.columns["knn_c_score/hidden"])
    assert any("held in memory" in note for note in audit.settings["notes"])
    assert ("cache" in audit.settings) == (size == 5000)
    assert not any("held in memory" in note for note in expected.settings["notes"])
