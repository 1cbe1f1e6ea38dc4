import datasets
import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset, Features, List, Value
from hypothesis import given
from hypothesis import strategies as st

import dataaudit
from dataaudit.data import as_examples
from dataaudit.data.arrow import views
from dataaudit.data.chunks import ChunkedRows

WHOLE = np.random.default_rng(0).normal(size=(63, 4)).astype(np.float32)


@given(
    st.lists(st.integers(0, 63), max_size=5),
    st.lists(st.integers(0, 62), max_size=80),
    st.slices(63),
)
def test_rows_in_pieces_are_read_as_one_array(cuts, places, part):
    rows = ChunkedRows(np.split(WHOLE, sorted(cuts)))
    assert (rows.shape, rows.dtype, len(rows)) == (WHOLE.shape, WHOLE.dtype, 63)
    np.testing.assert_array_equal(rows[np.array(places, np.int64)], WHOLE[np.array(places, np.int64)])
    np.testing.assert_array_equal(rows[part], WHOLE[part])
    np.testing.assert_array_equal(np.asarray(rows), WHOLE)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(rows, copy=False)


def on_disk(folder, feature=None, rows=2500):
    labels = np.arange(rows) % 5
    made = np.random.default_rng(0).normal(size=(rows, 4)) + labels[:, None]
    features = Features(embedding=feature or List(Value("float32"), length=4), label=Value("int64"))
    Dataset.from_dict({"embedding": made.astype(np.float32), "label": labels}, features=features).save_to_disk(folder)
    return datasets.load_from_disk(folder), made.astype(np.float32)


@pytest.mark.parametrize("feature", [List(Value("float32"), length=4), List(Value("float32"))])
def test_lists_on_disk_are_seen_where_they_lie(tmp_path, feature):
    dataset, made = on_disk(tmp_path, feature)
    column = dataset.data["embedding"]
    assert column.num_chunks == 3
    found = views(column)
    for view, chunk in zip(found, column.chunks, strict=True):
        assert np.shares_memory(view, chunk.flatten().to_numpy())
    array = as_examples(dataset).array
    assert isinstance(array, ChunkedRows)
    np.testing.assert_array_equal(array[:], made)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1.0, 2.0], None]),
        pa.array([[1.0, 2.0], [1.0]]),
        pa.array([[1.0, None]]),
        pa.array([[True, False]]),
        pa.array([["a"]]),
        pa.array([[[1.0]]]),
        pa.array([1.0]),
        pa.array([[1.0]], pa.list_(pa.float16())),
        pa.array([], pa.list_(pa.float32())),
    ],
)
def test_lists_that_are_no_rows_of_numbers_are_not_seen_so(array):
    assert views(array) is None


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.int16()), pa.list_(pa.uint8(), 2)])
def test_part_of_a_chunk_is_seen(kind):
    array = pa.array([[row, 10 * row] for row in range(9)], kind)
    assert views(array[3:5])[0].tolist() == [[3, 30], [4, 40]]


def test_a_selection_or_a_transform_is_honoured(tmp_path):
    dataset, made = on_disk(tmp_path)
    assert as_examples(dataset.shuffle(seed=1)).array is None
    assert as_examples(dataset, transform=lambda row: row + 1).array is None
    part = as_examples(dataset.select(range(1500, 2400))).array
    np.testing.assert_array_equal(part[:], made[1500:2400])


@pytest.mark.parametrize("search", ["torch", "faiss"])
def test_neighbours_are_found_without_joining_the_pieces(tmp_path, monkeypatch, search):
    if search == "faiss":
        pytest.importorskip("faiss")
    dataset, made = on_disk(tmp_path)

    def joined(*_, **__):
        raise AssertionError("the rows were put into one array")

    options = {"scorers": "knn_c_score/input", "search": search, "progress": False}
    expected = dataaudit.score(None, (made, dataset["label"][:]), **options)
    monkeypatch.setattr(ChunkedRows, "__array__", joined)
    audit = dataaudit.score(None, dataset, inputs="embedding", **options)
    np.testing.assert_array_equal(audit.columns["knn_c_score/input"], expected.columns["knn_c_score/input"])


def test_mapped_images_with_their_axes_exchanged_are_not_copied(tmp_path, monkeypatch):
    """Channels last on disk, first in the model: no row can be flattened where it lies, nor need it be."""
    images = np.random.default_rng(3).normal(size=(300, 6, 5, 3)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r").transpose(0, 3, 1, 2)
    labels, scorer = np.arange(300) % 3, "knn_c_score/input"
    expected = dataaudit.score(None, (images.transpose(0, 3, 1, 2).copy(), labels), scorer, progress=False)

    def joined(*_, **__):
        raise AssertionError("the rows were put into one array")

    monkeypatch.setattr(ChunkedRows, "__array__", joined)
    audit = dataaudit.score(None, (mapped, labels), scorer, progress=False)
    np.testing.assert_array_equal(audit.columns[scorer], expected.columns[scorer])


def test_rows_in_pieces_may_have_axes_in_any_order():
    whole = np.arange(120).reshape(4, 5, 3, 2).transpose(0, 3, 1, 2)
    rows = ChunkedRows([whole[:1], whole[1:]])
    assert rows.shape == (4, 30)
    np.testing.assert_array_equal(rows[np.array([3, 0])], whole[[3, 0]].reshape(2, 30))
    np.testing.assert_array_equal(np.asarray(rows), whole.reshape(4, 30))


def test_densities_are_those_of_one_array(tmp_path):
    dataset, made = on_disk(tmp_path, rows=1200)
    audit = dataaudit.score(None, dataset, "parzen/input", inputs="embedding", progress=False)
    expected = dataaudit.score(None, (made, dataset["label"][:]), "parzen/input", progress=False)
    np.testing.assert_array_equal(audit.columns["parzen/input"], expected.columns["parzen/input"])
