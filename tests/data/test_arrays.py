import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dataaudit.data import as_examples, inspect
from dataaudit.data.arrays import ArrayExamples
from dataaudit.data.images import to_pixels
from dataaudit.errors import DataError


class Counted(np.memmap):
    """Notes how many rows every read takes."""

    taken = None

    def __getitem__(self, key):
        if self.taken is not None:
            self.taken.append(len(key) if hasattr(key, "__len__") else key)
        return super().__getitem__(key)

    def __array__(self, *args, **kwargs):
        raise AssertionError("the whole array was asked for")


def labels(n):
    return np.arange(n) % 2


def test_inputs_are_kept_by_reference():
    inputs = np.zeros((4, 2), np.float32)
    examples = as_examples((inputs, labels(4)))
    inputs[2] = 5
    assert examples.read(np.array([2])).tolist() == [[5, 5]]


def test_a_memory_map_gives_the_rows_asked_for_and_no_more(tmp_path):
    path = tmp_path / "inputs.bin"
    np.arange(3000, dtype=np.float32).reshape(1000, 3).tofile(path)
    inputs = Counted(path, dtype=np.float32, mode="r", shape=(1000, 3))
    inputs.taken = []
    examples = as_examples((inputs, labels(1000)))
    assert inputs.taken == []
    assert examples.read(np.array([999, 0, 999])).tolist() == [[2997, 2998, 2999], [0, 1, 2], [2997, 2998, 2999]]
    assert inputs.taken == [3]


def test_a_large_memory_map_is_never_copied(tmp_path):
    """A sparse file of 2 GB: a copy of it, however brief, would not pass unnoticed."""
    path = tmp_path / "inputs.bin"
    with path.open("wb") as file:
        file.truncate(2 * 10**9)
    inputs = np.memmap(path, dtype=np.uint8, mode="r", shape=(20_000, 1000, 100))
    tracemalloc.start()
    try:
        examples = as_examples((inputs, labels(20_000)))
        assert examples.read(np.arange(0, 20_000, 1000)).shape == (20, 1000, 100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 10**6


def test_pixels_stay_pixels():
    assert as_examples((np.zeros((4, 8, 8), np.uint8), labels(4))).read(np.arange(2)).dtype == np.uint8


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (np.float16, np.float32),
        (np.longdouble, np.float64),
        (">f4", np.float32),
        (">i2", np.int16),
        (np.float64, np.float64),
        (bool, bool),
    ],
)
def test_types_arrive_as_a_model_takes_them(stored, read):
    inputs = np.array([[0, 1], [1, 1], [1, 0], [0, 0]]).astype(stored)
    block = as_examples((inputs, labels(4))).read(np.arange(4))
    assert block.dtype == np.dtype(read)
    assert block.dtype.isnative
    np.testing.assert_array_equal(block, inputs)


def test_tensors_of_half_precision_and_with_gradients():
    inputs = torch.tensor([[0.5, 1], [1, 2], [2, 3], [3, 4]], dtype=torch.bfloat16, requires_grad=True)
    block = as_examples((inputs, torch.tensor([0, 1, 0, 1]))).read(np.array([0, 3]))
    assert block.dtype == np.float32
    assert block.tolist() == [[0.5, 1], [3, 4]]


def test_a_series_and_a_frame():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4]})
    assert as_examples((frame, pd.Series(["n", "p", "n", "p"]))).class_names == ("n", "p")
    texts = pd.Series(["one", "three", "seven", "ten"])
    examples = as_examples((texts, [0, 1, 0, 1]), transform=lambda text: np.array([len(text)]))
    assert examples.read(np.arange(4)).tolist() == [[3], [5], [5], [3]]
    assert examples.show(1) == "three"


def test_lists_of_texts_tensors_and_images_with_a_transform():
    assert as_examples((["a", "bb"], [0, 1]), transform=lambda text: [len(text)]).show(1) == "bb"
    assert as_examples(([torch.zeros(2), torch.ones(2)], [0, 1])).read(np.array([1])).tolist() == [[1, 1]]
    pictures = [Image.new("L", (5, 4)), Image.new("L", (5, 4))]
    examples = as_examples((pictures, [0, 1]), transform=to_pixels)
    assert examples.read(np.arange(2)).shape == (2, 1, 4, 5)
    assert examples.show(0) is pictures[0]
    assert as_examples((pictures, [0, 1])).read(np.arange(2)).tolist() == np.zeros((2, 1, 4, 5)).tolist()


def test_show_gives_the_row_before_the_transform():
    examples = as_examples((np.arange(8.0).reshape(4, 2), labels(4)), transform=lambda x: x[:1])
    assert examples.show(3).tolist() == [6, 7]
    assert examples.read(np.array([3])).tolist() == [[6]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.eye(4, dtype=torch.complex64), "complex64"),
        (np.arange(4), r"shape \(4,\).*inputs\[:, None\]"),
        (np.array(3.0), "without dimensions"),
        (np.array([["a"], ["b"], ["c"], ["d"]]), "inputs of type <U1"),
        (np.array([[1, {}]] * 4, dtype=object), "inputs of type object"),
        (np.array([["2020-01-01"]] * 4, dtype="M8[D]"), "datetime64"),
        (np.zeros((4, 2), complex), "complex128"),
        ([[1, 2], [3], [4], [5]], "nested lists of different lengths"),
        (np.ma.masked_equal(np.array([["a"], ["b"]] * 2), "a"), "masked inputs"),
        ([b"a", b"b", b"c", b"d"], "bytes.*decode"),
        ({0: [1]}, "inputs of type builtins.dict"),
        ("text", "inputs of type builtins.str"),
    ],
)
def test_inputs_that_are_no_numbers_are_refused(inputs, message):
    with pytest.raises(DataError, match=f"(?s){message}"):
        as_examples((inputs, labels(4)))


@pytest.mark.parametrize("given", [np.eye(4), torch.eye(4), "abcd", {0: 1}, 3, None, np.array(1)])
def test_labels_that_are_no_column_are_refused(given):
    with pytest.raises(DataError, match="one label for every example"):
        as_examples((np.eye(4), given))


def test_lengths_that_differ():
    with pytest.raises(DataError, match="4 inputs and 5 labels"):
        as_examples((np.eye(4), labels(5)))


def test_empty():
    with pytest.raises(DataError, match="empty data set"):
        as_examples((np.zeros((0, 2)), []))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_named(value):
    inputs = np.zeros((9, 2, 2))
    inputs[3, 1, 0] = inputs[7, 0, 1] = value
    with pytest.raises(DataError, match="NaN or infinite inputs in rows 3, 7;"):
        inspect(as_examples((inputs, labels(9))))


def test_a_failing_transform_names_the_row():
    def fails(x):
        if x[0] == 2:
            raise KeyError("two")
        return x

    examples = as_examples((np.arange(4.0)[:, None], labels(4)), transform=fails)
    with pytest.raises(DataError, match=r"transform= in row 2 \(KeyError: 'two'\)") as caught:
        examples.read(np.array([0, 2]))
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda x: "text", "type str in row 1"),
        (lambda x: None, "type NoneType in row 1"),
        (lambda x: 3.0, "single number"),
        (lambda x: [[1], [1, 2]], "type list in row 1"),
        (lambda x: torch.eye(2).to_sparse(), "type Tensor in row 1"),
    ],
)
def test_a_transform_must_return_numbers(made, message):
    with pytest.raises(DataError, match=message) as caught:
        as_examples((np.eye(4), labels(4)), transform=made).read(np.array([1]))
    assert "transform=" in caught.value.action


def test_transforms_of_several_shapes_or_types_name_the_row():
    ragged = as_examples((np.eye(4), labels(4)), transform=lambda x: x[: 1 + int(x[2])])
    with pytest.raises(DataError, match=r"shape \(2,\) \(float64\) in row 2, after \(1,\) \(float64\) in row 0"):
        ragged.read(np.arange(4))
    mixed = as_examples((np.eye(4), labels(4)), transform=lambda x: x.astype(np.uint8) if x[2] else x)
    with pytest.raises(DataError, match=r"\(uint8\) in row 2"):
        mixed.read(np.arange(4))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_mapped_file_goes_to_other_processes_by_name(tmp_path, order, mode):
    import pickle

    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", np.asarray(rng.normal(size=(500, 40)), order=order))
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    if mode != "r":
        mapped[3] = 7.0
    rows = np.array([3, 99, 0])
    for inputs in (mapped, mapped[10:300], mapped[::-2], mapped.reshape(500, 8, 5, order=order), np.asarray(mapped)):
        examples = ArrayExamples(inputs, np.arange(len(inputs)) % 3)
        sent = pickle.dumps(examples)
        assert (len(sent) < 10_000) == (mode != "c")
        np.testing.assert_array_equal(pickle.loads(sent).read(rows), examples.read(rows))
