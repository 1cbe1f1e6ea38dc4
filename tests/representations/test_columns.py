"""Columns of units of their own, and those that share one."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataaudit.data import as_examples
from dataaudit.data.chunks import ChunkedRows
from dataaudit.neighbours.labels import NeighbourLabelsNeed, labels_around
from dataaudit.neighbours.search import Torch
from dataaudit.pipeline.evidence_sources.ridge_loo import left_out_predictions
from dataaudit.representations import columns
from dataaudit.representations.columns import Levels, levelled, share_a_scale
from dataaudit.representations.input import InputRows, level_rows, place_rows, place_rows_beside
from dataaudit.representations.spaces import Space


def cloud(n=63, d=20, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize(
    ("rows", "shared"),
    [
        (cloud(257, 64), True),
        (np.maximum(cloud(257, 64), 0).astype(np.float16), True),
        (cloud(257, 64) * np.logspace(-3, 3, 64), False),
        (np.round(20 * cloud(257, 64)), False),
        (cloud(257, 5), False),
        ((100 * cloud(257, 64)).astype(np.int64), False),
        (np.zeros((63, 64), np.uint8), True),
        (np.full((63, 64), 0.5), True),
        (ChunkedRows([cloud(60, 64), cloud(3, 64, 1)]), True),
    ],
    ids=["embedding", "rectified", "units", "measurements", "few", "counts", "bytes", "constant", "chunks"],
)
def test_columns_that_share_a_scale_are_told_from_those_that_do_not(rows, shared):
    assert share_a_scale(rows) is shared


@pytest.mark.parametrize("n", [1, 2, 63, 257])
def test_levels_are_those_of_a_plain_loop(n):
    rows = cloud(n, 3) * [1e-3, 1.0, 1e3] + [5.0, 0.0, -7.0]
    found = np.asarray(levelled(rows))
    for place in range(3):
        column = rows[:, place]
        low, high = np.quantile(column, [0.01, 0.99])
        expected = (np.clip(column, low, high) - np.median(column)) / ((high - low) or 1.0)
        np.testing.assert_allclose(found[:, place], expected, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 257))
def test_factors_and_offsets_of_columns_change_nothing(seed, n):
    rng = np.random.default_rng(seed)
    rows = np.maximum(rng.normal(size=(n, 6)), -0.3)
    moved = rows * 10.0 ** rng.uniform(-3, 3, 6) + rng.normal(size=6)
    np.testing.assert_allclose(levelled(moved), levelled(rows), atol=1e-4)


def test_rare_values_are_not_blown_up_and_far_ones_are_cut_off():
    rows = np.zeros((1000, 2))
    rows[7, 0] = 3.0
    rows[:, 1] = np.linspace(0, 1, 1000)
    rows[3, 1] = 1e9
    found = np.asarray(levelled(rows))
    assert found[7, 0] == 1.0
    assert np.abs(found[:, 1]).max() < 0.52
    assert (np.asarray(levelled(np.ones((5, 2)))) == 0).all()
    left = np.asarray(levelled(rows, cut=False))
    assert left[3, 1] > 1e8
    np.testing.assert_array_equal(np.delete(left, 3, 0)[20:-20], np.delete(found, 3, 0)[20:-20])


def test_blocks_make_no_difference():
    rows = cloud(257, 7)
    whole = np.asarray(levelled(rows))
    np.testing.assert_array_equal(levelled(rows, block=70), whole)
    pieces = levelled(ChunkedRows([rows[:100], rows[100:]]), block=70)
    np.testing.assert_array_equal(pieces, whole)
    places = np.array([256, 3, 99, 3])
    np.testing.assert_array_equal(pieces[places], whole[places])
    np.testing.assert_array_equal(pieces[95:105], whole[95:105])


def test_settings_say_what_was_done_and_what_is_left_alone_is_not_copied(tmp_path):
    labels = np.arange(63) % 3
    np.save(tmp_path / "rows.npy", cloud(63, 64).astype(np.float32))
    kept = np.load(tmp_path / "rows.npy", mmap_mode="r")
    found, how = level_rows(as_examples((kept, labels)))
    assert np.shares_memory(found, kept)
    assert how["inputs"] == "flattened, as they are"
    tall = cloud() * np.arange(1, 21)
    found, how = level_rows(as_examples((tall, labels)))
    assert how["inputs"] == "columns levelled"
    images = cloud(63, 64).reshape(63, 8, 8) * np.arange(1, 9)
    assert level_rows(as_examples((images, labels)))[1]["inputs"] == "flattened, as they are"


def test_tables_and_arrays_are_levelled_alike():
    pd = pytest.importorskip("pandas")
    rows, labels = cloud(63, 4) * [1, 10, 100, 1000], np.arange(63) % 3
    frame = pd.DataFrame(rows, columns=list("abcd")).assign(label=labels)
    inputs = InputRows(as_examples(frame, label="label"))
    np.testing.assert_allclose(inputs.level[0], levelled(rows), atol=1e-6)
    np.testing.assert_allclose(inputs.plain[0].std(0), 1.0, atol=1e-5)


def test_a_memory_mapped_table_is_levelled_as_it_is_read(tmp_path):
    """Columns of unlike units in 160 MB of float64: half of that, all of it in float32, would not pass unnoticed."""
    n, d = 400_000, 50
    kept = np.lib.format.open_memmap(tmp_path / "table.npy", "w+", np.float64, (n, d))
    units, rng = np.logspace(-3, 3, d), np.random.default_rng(0)
    for start in range(0, n, 20_000):
        kept[start : start + 20_000] = rng.normal(size=(20_000, d)) * units
    kept.flush()
    labels = (np.asarray(kept[:, 0]) > 0).astype(np.int64)
    inputs = InputRows(as_examples((np.load(tmp_path / "table.npy", mmap_mode="r"), labels)))
    peaks = []
    tracemalloc.start()
    try:
        for step in (
            lambda: inputs.level,
            lambda: labels_around(
                NeighbourLabelsNeed(Space("input")), *inputs.level, labels, 2, Torch(), 0, False, depth=5, among=300
            ),
            lambda: left_out_predictions(inputs, None, labels, 2),
            lambda: [place_rows_beside(inputs.examples, inputs.examples)[0][start : start + 10] for start in (0, 9)],
        ):
            tracemalloc.reset_peak()
            step()
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert inputs.level[1]["inputs"] == "columns levelled"
    # Of each example 30 to 70 bytes are the answer.
    assert max(peaks) < 60 * 10**6, peaks


def test_new_rows_are_brought_to_the_scale_of_the_audited_ones():
    rows, new = cloud(257, 4), 30 * cloud(9, 4, 1) + 5
    factors, offsets = np.array([1e-3, 1, 1e3, 7]), np.array([0.0, -3, 5, 1e3])
    labels = np.arange(257) % 2
    audited = as_examples((rows, labels))
    plain = place_rows_beside(as_examples((new, labels[:9])), audited)
    moved = place_rows_beside(
        as_examples((new * factors + offsets, labels[:9])), as_examples((rows * factors + offsets, labels))
    )
    for one, other in zip(plain, moved, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(plain[1], place_rows(audited)[0])
    # What lies far out stays there.
    assert np.abs(plain[0]).max() > 5


def test_embeddings_and_images_are_places_as_they_are():
    labels = np.arange(63) % 3
    for rows in (cloud(63, 64), (cloud(63, 64) * np.arange(1, 65)).reshape(63, 1, 8, 8)):
        known = as_examples((rows, labels))
        new, audited = place_rows_beside(known, known)
        np.testing.assert_array_equal(new, rows.reshape(63, -1))
        assert np.shares_memory(audited, rows)


def test_rows_are_read_like_those_of_an_array_and_stay_finite():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 3)) * np.array([1.0, 1e3, 1e-3])
    found, whole = levelled(rows, cut=False), np.asarray(levelled(rows, cut=False))
    some = np.array([3, 3, 59, 0])
    for wanted in (3, -1, slice(5, 20, 4), some, rows[:, 0] > 0):
        np.testing.assert_array_equal(found[wanted], whole[wanted])
    for far in (1e40, 1e300):
        rows[7, 1] = far
        values = np.asarray(levelled(rows, cut=False))
        assert np.isfinite((values.astype(np.float32) ** 2).sum(1)).all()
        assert np.abs(values).max(1).argmax() == 7


def test_a_mapped_table_is_measured_some_columns_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 2**17)
    rows = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.float32, (3000, 1000))
    rows[:] = np.random.default_rng(0).normal(size=rows.shape) * np.geomspace(1, 1e4, 1000)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    tracemalloc.start()
    try:
        assert not share_a_scale(mapped)
        assert Levels.of(mapped, 2**17).scale.max() > 1e3
        assert tracemalloc.get_traced_memory()[1] < mapped.nbytes
    finally:
        tracemalloc.stop()
