import io
import tracemalloc
from datetime import date

import datasets
import numpy as np
import pyarrow as pa
import pytest
from datasets import Array2D, Array3D, ClassLabel, Dataset, Features, List, Value
from PIL import Image

from dataaudit.data import as_examples, inspect
from dataaudit.errors import DataError

LABEL = {"label": [0, 1, 0, 1]}
CLASSES = ClassLabel(names=["cat", "dog"])


def make(columns, **features):
    return Dataset.from_dict({**columns, **LABEL}, features=Features({**features, "label": CLASSES}))


def test_names_of_a_class_label_are_kept():
    examples = as_examples(make({"a": [1.0, 2, 3, 4]}, a=Value("float32")))
    assert examples.class_names == ("cat", "dog")
    assert examples.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "names"),
    [([7, 9, 7, 9], ("7", "9")), (list("baba"), ("a", "b")), ([True, False, True, True], ("False", "True"))],
)
def test_labels_without_declared_names(labels, names):
    assert as_examples(Dataset.from_dict({"a": [1.0, 2, 3, 4], "target": labels})).class_names == names


def test_a_class_label_comes_before_a_name():
    dataset = Dataset.from_dict(
        {"y": [1.0, 2, 3, 4], "animal": [0, 1, 0, 1]}, features=Features(y=Value("float32"), animal=CLASSES)
    )
    examples = as_examples(dataset)
    assert examples.class_names == ("cat", "dog")
    assert examples.read(np.arange(4))[:, 0].tolist() == [1, 2, 3, 4]


def test_a_label_that_is_not_clear_lists_the_columns():
    both = make({"a": [1.0, 2, 3, 4], "coarse": [0, 1, 0, 1]}, a=Value("float32"), coarse=CLASSES)
    with pytest.raises(DataError, match=r"2 possible label columns \('coarse', 'label'\) among 'a', 'coarse', 'label'"):
        as_examples(both)
    # The other ClassLabel is never an input unless it is named.
    assert as_examples(both, label="coarse").read(np.arange(2)).tolist() == [[1], [2]]
    assert as_examples(both, label="coarse", inputs=["a", "label"]).read(np.arange(2)).tolist() == [[1, 0], [2, 1]]
    with pytest.raises(DataError, match="no label column among 'a', 'b'"):
        as_examples(Dataset.from_dict({"a": [1.0, 2], "b": ["x", "y"]}))


@pytest.mark.parametrize(
    ("types", "read"),
    [
        (["float32", "int16"], np.float32),
        (["float16", "uint8"], np.float32),
        (["bool", "int8"], np.float32),
        (["float32", "float64"], np.float64),
        (["float32", "int32"], np.float64),
        (["uint64", "bool"], np.float64),
    ],
)
def test_numeric_columns_are_read_together(types, read):
    features = {name: Value(kind) for name, kind in zip("ab", types, strict=True)}
    examples = as_examples(make({"a": [1, 0, 1, 0], "b": [0, 1, 1, 0]}, **features))
    block = examples.read(np.array([2, 0]))
    assert block.dtype == read
    assert block.tolist() == [[1, 1], [1, 0]]
    assert examples.show(0) == {"a": 1, "b": 0}


def test_large_whole_numbers_keep_their_value():
    examples = as_examples(make({"a": [2**24 + 1, 2, 3, 2**40 + 1]}, a=Value("int64")))
    assert examples.read(np.array([0, 3])).tolist() == [[2**24 + 1], [2**40 + 1]]


@pytest.mark.parametrize("kind", ["float32", "int64", "bool"])
def test_a_missing_number_is_named(kind):
    with pytest.raises(DataError, match="NaN or infinite inputs in row 2;"):
        inspect(as_examples(make({"a": [1, 0, None, 1]}, a=Value(kind))))


@pytest.mark.parametrize(
    ("feature", "shape"),
    [
        (List(Value("uint8")), (6,)),
        (List(Value("uint8"), length=6), (6,)),
        (datasets.LargeList(Value("uint8")), (6,)),
        (datasets.Sequence(Value("uint8")), (6,)),
        (List(List(Value("uint8"))), (2, 3)),
        (List(List(Value("uint8"), length=3), length=2), (2, 3)),
        (Array2D((2, 3), "uint8"), (2, 3)),
        (Array3D((1, 2, 3), "uint8"), (1, 2, 3)),
    ],
)
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 2], [3, 0, 3], [2, 1], [0, 2, 1, 3]])
def test_lists_keep_shape_type_and_order(feature, shape, order):
    values = np.random.default_rng(0).integers(0, 255, (4, *shape)).astype(np.uint8)
    block = as_examples(make({"x": values.tolist()}, x=feature)).read(np.array(order))
    assert block.dtype == np.uint8
    np.testing.assert_array_equal(block, values[order])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2], [3, 4], [5], [6, 7]], r"other lengths than 2 \(row 0\) in row 2;"),
        ([[1, 2], None, [5, 6], None], "no list in rows 1, 3;"),
        ([[1, 2], [3, None], [5, 6], [7, 8]], "NaN or infinite inputs in row 1;"),
    ],
)
def test_lists_that_do_not_fit_name_the_row(values, message):
    with pytest.raises(DataError, match=message):
        inspect(as_examples(make({"x": values}, x=List(Value("float32")))))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[[1, 2], [3, 4]], [[1, 2], [3]], [[1, 2], [3, 4]], [[1, 2], [3, 4]]], "in row 1;"),
        ([[[1, 2]], [[1, 2]], [[1, 2], [3, 4]], [[1, 2]]], "in row 2;"),
        ([[[1, 2]], [[1, 2]], [[1, 2]], [None]], "no list in row 3;"),
    ],
)
def test_nested_lists_that_do_not_fit_name_the_row(values, message):
    with pytest.raises(DataError, match=message):
        as_examples(make({"x": values}, x=List(List(Value("float32"))))).read(np.arange(4))


def test_a_selection_and_a_shuffle_are_honoured():
    dataset = Dataset.from_dict({"a": np.arange(50.0), "label": np.arange(50) % 5}).shuffle(seed=1).select(range(40))
    expected = np.array(dataset["a"])
    examples = as_examples(dataset)
    assert examples.labels.tolist() == (expected % 5).astype(int).tolist()
    np.testing.assert_array_equal(examples.read(np.arange(40))[:, 0], expected)
    np.testing.assert_array_equal(examples.read(np.array([39, 3, 3]))[:, 0], expected[[39, 3, 3]])


@pytest.mark.parametrize("kind", [None, "numpy", "torch", "pandas", "arrow"])
def test_the_callers_format_stays_and_does_not_matter(kind):
    dataset = make({"a": [1.5, 2, 3, 4]}, a=Value("float64")).with_format(kind)
    before = dataset.format
    examples = as_examples(dataset)
    assert examples.read(np.arange(2)).tolist() == [[1.5], [2]]
    assert examples.show(0) == {"a": 1.5}
    assert dataset.format == before


def test_a_transform_set_on_the_data_set_makes_the_rows():
    def doubled(batch):
        return {"x": [np.array([2 * value]) for value in batch["a"]], "label": batch["label"]}

    dataset = make({"a": [1.0, 2, 3, 4]}, a=Value("float32")).with_transform(doubled)
    examples = as_examples(dataset)
    assert examples.read(np.array([3, 0])).tolist() == [[8], [2]]
    assert examples.class_names == ("cat", "dog")
    with pytest.raises(DataError, match=r"no column of arrays, images or texts among 'a', 'label'"):
        as_examples(dataset.with_transform(lambda batch: batch))


def test_rows_stay_on_disk(tmp_path):
    """60 MB on disk; reading 100 rows allocates about as much as they hold, in Arrow's memory and in NumPy's."""
    features = Features(x=List(Value("float32"), length=1500), label=CLASSES)

    def rows():
        for row in range(10_000):
            yield {"x": np.full(1500, row, np.float32), "label": row % 2}

    Dataset.from_generator(
        rows, features=features, cache_dir=str(tmp_path / "cache"), writer_batch_size=500
    ).save_to_disk(tmp_path / "saved")
    dataset = datasets.load_from_disk(tmp_path / "saved")
    pool = pa.default_memory_pool()
    reached, held = pool.max_memory(), pool.bytes_allocated()
    order = np.random.default_rng(0).permutation(10_000)
    tracemalloc.start()
    try:
        examples = as_examples(dataset)
        total = sum(float(examples.read(order[start : start + 100])[:, 0].sum()) for start in range(0, 10_000, 100))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == sum(range(10_000))
    assert peak < 6 * 10**6
    assert pool.max_memory() <= max(reached, held + 6 * 10**6)


def test_inputs_are_inferred_by_kind(image_set, gray):
    assert as_examples(image_set(gray).add_column("id", list(range(6)))).read(np.arange(1)).shape == (1, 1, 4, 5)
    vectors = make({"x": [[1.0, 2]] * 4, "name": list("abcd")}, x=List(Value("float32")), name=Value("string"))
    assert as_examples(vectors).read(np.arange(1)).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("columns", "features", "message"),
    [
        ({"x": [[1]] * 4, "z": [[1]] * 4}, {"x": List(Value("int8")), "z": List(Value("int8"))}, r"\('x', 'z'\)"),
        ({"a": [1] * 4, "x": [[1]] * 4}, {"a": Value("int8"), "x": List(Value("int8"))}, r"\('a', 'x'\)"),
        ({"i": [None] * 4, "j": [None] * 4}, {"i": datasets.Image(), "j": datasets.Image()}, r"\('i', 'j'\)"),
        ({}, {}, "no image, number, list or text column among 'label'"),
    ],
)
def test_inputs_that_are_not_clear_list_the_candidates(columns, features, message):
    with pytest.raises(DataError, match=message) as caught:
        as_examples(make(columns, **features))
    assert "inputs=" in caught.value.action


def test_columns_by_name():
    dataset = make({"a": [1, 2, 3, 4], "b": [5, 6, 7, 8]}, a=Value("int8"), b=Value("int8"))
    assert as_examples(dataset, label="label", inputs="b").read(np.arange(2)).tolist() == [[5], [6]]
    assert as_examples(dataset, inputs=["b", "a"]).read(np.arange(1)).tolist() == [[5, 1]]
    for option in ({"label": "species"}, {"inputs": "species"}, {"inputs": ["a", "species"]}):
        with pytest.raises(DataError, match="'species'; expected one of the columns 'a', 'b', 'label'"):
            as_examples(dataset, **option)
    with pytest.raises(DataError, match="among the inputs"):
        as_examples(dataset, label="a", inputs=["a"])


def test_columns_that_do_not_go_together():
    dataset = make({"a": [1] * 4, "x": [[1]] * 4}, a=Value("int8"), x=List(Value("int8")))
    with pytest.raises(DataError, match=r"'a' \(number\), 'x' \(list\)"):
        as_examples(dataset, inputs=["a", "x"])
    joined = as_examples(dataset, inputs=["a", "x"], transform=lambda row: np.array([row["a"], *row["x"]]))
    assert joined.read(np.arange(1)).tolist() == [[1, 1]]
    assert joined.show(0) == {"a": 1, "x": [1]}
    days = make({"day": [date(2020, 1, 1)] * 4}, day=Value("date32"))
    with pytest.raises(DataError, match=r"'day' \(other\)"):
        as_examples(days, inputs="day")


def test_a_text_column_is_read_as_texts():
    dataset = make({"text": ["a", "bb", "c", "dd"]}, text=Value("string"))
    for options in ({}, {"inputs": "text"}):
        block = as_examples(dataset, **options).read(np.array([1, 0]))
        assert block.dtype == object
        assert block.tolist() == ["bb", "a"]
    examples = as_examples(dataset, transform=lambda text: [float(len(text))])
    assert examples.read(np.array([1, 0])).tolist() == [[2], [1]]
    assert examples.show(1) == "bb"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([-1, None, -1, None], "no label in any of 4 rows"),
        ([1, 1, 1, 1], r"one class \('dog'\)"),
    ],
)
def test_bad_class_labels(labels, message):
    dataset = Dataset.from_dict(
        {"a": [1.0, 2, 3, 4], "label": labels}, features=Features(a=Value("float32"), label=CLASSES)
    )
    with pytest.raises(DataError, match=message):
        as_examples(dataset)


def test_class_labels_beyond_the_declared_names():
    table = pa.table({"a": [1.0, 2, 3], "label": [0, 1, 5]})
    dataset = Dataset(table).cast_column("a", Value("float32"))
    dataset.info.features["label"] = CLASSES
    with pytest.raises(DataError, match="label 5 in row 2; expected a position in the 2 declared classes"):
        as_examples(dataset)


def test_labels_that_are_lists_or_fractions():
    with pytest.raises(DataError, match="labels of type ndarray"):
        as_examples(Dataset.from_dict({"a": [1.0, 2], "label": [[0, 1], [1, 0]]}))
    with pytest.raises(DataError, match=r"label 0\.5 in row 1"):
        as_examples(Dataset.from_dict({"a": [1.0, 2, 3], "label": [0, 0.5, 1]}))


def test_empty():
    with pytest.raises(DataError, match="empty data set"):
        as_examples(make({"a": [1.0, 2, 3, 4]}, a=Value("float32")).select([]))


def test_images_are_pixels_and_shown_as_images(image_set, gray):
    examples = as_examples(image_set(gray))
    block = examples.read(np.array([5, 0]))
    assert block.dtype == np.uint8
    assert block[:, 0, 0, 0].tolist() == [50, 0]
    assert examples.show(3).size == (5, 4)
    assert examples.show(3).getpixel((0, 0)) == 30


def test_grey_and_colour_images_become_colour(image_set, gray):
    block = as_examples(image_set([*gray, Image.new("RGB", (5, 4), (1, 2, 3))])).read(np.array([6, 1]))
    assert block[:, :, 0, 0].tolist() == [[1, 2, 3], [10, 10, 10]]


def test_a_colour_image_that_the_probe_missed_is_named(image_set):
    images = [Image.new("L", (2, 2)) for _ in range(200)]
    images[1] = Image.new("RGB", (2, 2))
    with pytest.raises(DataError, match="RGB image in row 1 of a grey data set"):
        inspect(as_examples(image_set(images)))


def test_images_are_decoded_when_they_are_read(image_set, monkeypatch):
    dataset = image_set([Image.new("L", (2, 2)) for _ in range(200)])
    examples = as_examples(dataset)
    decoded = []
    decode = datasets.Image.decode_example

    def counting(self, value, *args, **kwargs):
        decoded.append(1)
        return decode(self, value, *args, **kwargs)

    monkeypatch.setattr(datasets.Image, "decode_example", counting)
    examples.read(np.array([3, 100, 3]))
    assert len(decoded) == 3


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize("row", [0, 1, 199])
@pytest.mark.parametrize("content", [b"no image", b"", "cut"])
def test_an_image_that_does_not_decode_names_the_row(image_set, row, content):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))
    images = [{"bytes": png(noise), "path": None} for _ in range(200)]
    images[row] = {"bytes": png(noise)[:1000] if content == "cut" else content, "path": None}
    with pytest.raises(DataError, match=f"an image that does not decode in row {row} ") as caught:
        inspect(as_examples(image_set(images)))
    assert caught.value.__cause__ is not None


def test_a_missing_image_or_file_names_the_row(image_set, gray, tmp_path):
    with pytest.raises(DataError, match="no image in row 2;"):
        as_examples(image_set([gray[0], gray[1], None, gray[3]]))
    gray[0].save(tmp_path / "0.png")
    paths = [str(tmp_path / "0.png")] * 3 + [str(tmp_path / "lost.png")]
    with pytest.raises(DataError, match=r"does not decode in row 3 \(FileNotFoundError"):
        as_examples(image_set(paths))


def test_images_left_undecoded_by_the_caller(image_set, gray):
    dataset = image_set(gray).cast_column("image", datasets.Image(decode=False))
    assert as_examples(dataset).read(np.array([2]))[0, 0, 0, 0] == 20


def test_a_declared_mode_is_followed(image_set, gray):
    dataset = image_set(gray).cast_column("image", datasets.Image(mode="RGB"))
    assert as_examples(dataset).read(np.array([2])).shape == (1, 3, 4, 5)


def test_a_transform_takes_the_image_itself(image_set, gray):
    examples = as_examples(image_set(gray), transform=lambda image: np.asarray(image.resize((2, 2)))[None])
    assert examples.read(np.arange(3)).shape == (3, 1, 2, 2)
    fails = as_examples(image_set(gray), transform=lambda image: image.lost)
    with pytest.raises(DataError, match=r"transform= in row 4 \(AttributeError"):
        fails.read(np.array([4]))
