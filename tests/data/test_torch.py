import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset

from dataaudit.data import as_examples, inspect
from dataaudit.errors import DataError


class Rows(Dataset):
    """Inputs and labels from two lists; counts how often each row is taken."""

    def __init__(self, inputs, given, **attributes):
        self.inputs, self.given = inputs, given
        self.taken = []
        for name, value in attributes.items():
            setattr(self, name, value)

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        self.taken.append(index)
        return self.inputs[index], self.given[index]


def rows(n=200, **attributes):
    labels = [row % 3 for row in range(n)]
    return Rows(list(np.arange(2.0 * n).reshape(n, 2)), attributes.pop("given", labels), **attributes)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([4, 9, 4, 9], ("4", "9")),
        (["b", "a", "b", "a"], ("a", "b")),
        ([True, False, True, True], ("False", "True")),
        ([1.0, 2.0, 1.0, 2.0], ("1", "2")),
        ([np.int8(1), np.int8(2), np.int8(1), np.int8(2)], ("1", "2")),
        (list(torch.tensor([3, 5, 3, 5])), ("3", "5")),
        (list(torch.tensor([[3], [5], [3], [5]])), ("3", "5")),
    ],
)
def test_labels_of_every_type(labels, names):
    examples = as_examples(rows(4, given=labels))
    assert examples.class_names == names
    assert inspect(examples).shape == (2,)


def test_labels_take_one_pass():
    dataset = rows()
    as_examples(dataset)
    counts = np.bincount(dataset.taken)
    assert len(counts) == 200
    # The probe of 64 rows looks before the pass does.
    assert counts.sum() == 264


@pytest.mark.parametrize("attribute", ["targets", "labels"])
@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_labels_beside_the_rows_spare_the_pass(attribute, kind):
    dataset = rows(**{attribute: kind([row % 3 for row in range(200)])})
    examples = as_examples(dataset)
    assert len(dataset.taken) == 64
    assert examples.labels.tolist() == [row % 3 for row in range(200)]


def test_labels_beside_the_rows_that_disagree_are_not_believed():
    dataset = rows(targets=[(row + 1) % 3 for row in range(200)], classes=["a", "b", "c"])
    examples = as_examples(dataset)
    assert examples.labels.tolist() == [row % 3 for row in range(200)]
    assert examples.class_names == ("0", "1", "2")


def test_a_disagreement_that_the_probe_missed_is_found_when_the_row_is_read():
    targets = [row % 3 for row in range(200)]
    targets[1] = 2
    examples = as_examples(rows(targets=targets))
    with pytest.raises(DataError, match=r"label 1 in row 1, which had '2' before"):
        inspect(examples)
    with pytest.raises(DataError, match=r"label 1 in row 1, which had 'eel' before"):
        inspect(as_examples(rows(targets=targets, classes=["cat", "dog", "eel"])))


def test_labels_that_change_are_found():
    dataset = rows(4)
    examples = as_examples(dataset)
    dataset.given[2] = 0
    with pytest.raises(DataError, match="label 0 in row 2, which had '2' before"):
        examples.read(np.array([2]))


@pytest.mark.parametrize("wrong", [[0, 1], np.eye(200, 3), "labels", ["a.png"] * 200, None])
def test_an_attribute_of_another_kind_is_passed_over(wrong):
    assert as_examples(rows(targets=wrong)).labels.tolist() == [row % 3 for row in range(200)]


def test_class_names_of_the_data_set_are_kept():
    targets = [row % 3 for row in range(200)]
    examples = as_examples(rows(targets=targets, classes=["cat", "dog", "eel", "fox"]))
    assert examples.class_names == ("cat", "dog", "eel", "fox")
    assert inspect(examples).shape == (2,)
    part = as_examples(Subset(rows(targets=targets, classes=["cat", "dog", "eel"]), [5, 1, 3, 4]))
    assert part.class_names == ("cat", "dog", "eel")
    assert part.labels.tolist() == [2, 1, 0, 1]
    assert part.read(np.array([1]))[0].tolist() == [2, 3]


def test_labels_out_of_the_declared_classes():
    with pytest.raises(DataError, match="label 2 in rows 2, 5"):
        as_examples(rows(6, targets=[0, 1, 2, 0, 1, 2], classes=["cat", "dog"]))


def test_tensor_data_sets_and_their_subsets_are_indexed_directly():
    inputs, labels = torch.arange(12.0).reshape(6, 2), torch.tensor([7, 9, 7, 9, 7, 9])
    whole = as_examples(TensorDataset(inputs, labels))
    assert whole.class_names == ("7", "9")
    assert whole.read(np.array([5, 0])).tolist() == [[10, 11], [0, 1]]
    part = as_examples(Subset(Subset(TensorDataset(inputs, labels), [4, 3, 2, 1]), torch.tensor([3, 0, 1])))
    assert part.labels.tolist() == [1, 0, 1]
    assert part.read(np.array([0, 1, 2, 0])).tolist() == [[2, 3], [8, 9], [6, 7], [2, 3]]
    assert part.show(1).tolist() == [8, 9]
    column = as_examples(TensorDataset(inputs, labels[:, None]))
    assert column.labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_a_tensor_data_set_with_its_own_rows_is_asked_for_them():
    class Negated(TensorDataset):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return -x, 1 - y

    examples = as_examples(Negated(torch.ones(3, 2), torch.tensor([0, 1, 1])))
    assert examples.labels.tolist() == [1, 0, 0]
    assert examples.read(np.array([0])).tolist() == [[-1, -1]]


def test_a_tensor_data_set_without_pairs():
    with pytest.raises(DataError, match="tuple of 1 items in row 0"):
        as_examples(TensorDataset(torch.zeros(3, 2)))
    with pytest.raises(DataError, match=r"shape \(3,\)"):
        as_examples(TensorDataset(torch.zeros(3), torch.tensor([0, 1, 0])))
    with pytest.raises(DataError, match=r"labels of shape \(3, 2\)"):
        as_examples(TensorDataset(torch.zeros(3, 2), torch.zeros(3, 2)))


def test_a_concatenation():
    examples = as_examples(ConcatDataset([rows(3), rows(4)]))
    assert examples.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert examples.read(np.array([3])).tolist() == [[0, 1]]


def test_grey_and_colour_images_become_colour():
    pictures = [Image.new("L", (5, 4), 7) for _ in range(99)] + [Image.new("RGB", (5, 4), (1, 2, 3))]
    examples = as_examples(Rows(pictures, [row % 2 for row in range(100)]))
    block = examples.read(np.array([0, 99]))
    assert block.shape == (2, 3, 4, 5)
    assert block.dtype == np.uint8
    assert block[:, :, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]
    assert examples.show(99) is pictures[99]


def test_a_colour_image_that_the_probe_missed_is_named():
    pictures = [Image.new("L", (5, 4)) for _ in range(200)]
    pictures[1] = Image.new("RGB", (5, 4))
    examples = as_examples(Rows(pictures, [row % 2 for row in range(200)]))
    assert examples.read(np.array([0])).shape == (1, 1, 4, 5)
    with pytest.raises(DataError, match="RGB image in row 1 of a grey data set"):
        inspect(examples)


def test_images_of_several_sizes_name_the_row():
    pictures = [Image.new("L", (5, 4)), Image.new("L", (5, 4)), Image.new("L", (6, 4))]
    with pytest.raises(DataError, match=r"shape \(1, 4, 6\) \(uint8\) in row 2, after \(1, 4, 5\)"):
        inspect(as_examples(Rows(pictures, [0, 1, 0])))


def test_an_image_that_does_not_decode_names_the_row(tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("L", (5, 4)).save(good)
    bad.write_bytes(b"no image")

    class Files(Rows):
        def __getitem__(self, index):
            return Image.open(self.inputs[index]), self.given[index]

    with pytest.raises(DataError, match=r"__getitem__ in row 2 \(UnidentifiedImageError") as caught:
        as_examples(Files([good, good, bad, good], [0, 1, 0, 1]))
    assert isinstance(caught.value.__cause__, OSError)


def test_a_row_that_fails_is_named():
    class Fails(Rows):
        def __getitem__(self, index):
            if index == 150:
                raise RuntimeError("lost")
            return super().__getitem__(index)

    with pytest.raises(DataError, match=r"error of Fails\.__getitem__ in row 150 \(RuntimeError: lost\)") as caught:
        as_examples(Fails(rows().inputs, rows().given))
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("row", "message"),
    [(torch.zeros(2), "a Tensor in row 0"), ((1, 2, 3), "tuple of 3 items in row 0"), ({"x": 1}, "a dict in row 0")],
)
def test_a_row_that_is_no_pair_is_named(row, message):
    class Single(Rows):
        def __getitem__(self, index):
            return row

    with pytest.raises(DataError, match=message):
        as_examples(Single([1, 2], [0, 1]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([None] * 4, "no label in any of 4 rows"),
        ([0, 1, 0.5, 1], "label 0.5 in row 2"),
        ([0, 1, torch.eye(3)[0], 1], r"label of shape \(3,\) in row 2"),
        ([0, 1, "two", 1], "labels of several types"),
        ([1, 1, 1, 1], "one class"),
        ([{"a": 1}] * 4, "labels of type dict"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(DataError, match=message):
        as_examples(rows(4, given=labels))


def test_empty():
    with pytest.raises(DataError, match="empty data set"):
        as_examples(rows(0))


def test_inputs_that_are_no_numbers_name_the_row():
    examples = as_examples(Rows([torch.zeros(2), "bb"], [0, 1]))
    with pytest.raises(DataError, match="type str in row 1") as caught:
        examples.read(np.array([1]))
    assert "transform=" in caught.value.action
    lengths = as_examples(Rows(["a", "bb"], [0, 1]), transform=lambda text: torch.tensor([len(text)]))
    assert lengths.read(np.array([1, 0])).tolist() == [[2], [1]]
    assert lengths.show(1) == "bb"


def test_a_transform_takes_the_image_itself():
    pictures = [Image.new("RGB", (5, 4)), Image.new("L", (5, 4))]
    examples = as_examples(Rows(pictures, [0, 1]), transform=lambda image: image.convert("L").resize((2, 2)))
    assert examples.read(np.arange(2)).shape == (2, 1, 2, 2)


def test_rows_that_are_not_finite_are_named():
    dataset = rows(9)
    dataset.inputs[4] = np.array([np.inf, 0])
    with pytest.raises(DataError, match="row 4;"):
        inspect(as_examples(dataset))
