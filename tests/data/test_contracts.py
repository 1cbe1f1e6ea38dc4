"""Every adapter keeps the laws of `Examples`; one class an adapter and way of storing rows."""

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dataaudit.data import as_examples
from dataaudit.testing import ExamplesContract

INPUTS = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
LABELS = np.arange(7) % 3


class Pairs(torch.utils.data.Dataset):
    """Rows of any kind."""

    def __init__(self, inputs):
        self.inputs = inputs

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index], int(LABELS[index])


def images(modes="L"):
    return [Image.fromarray(np.full((4, 5), 20 * row, np.uint8)).convert(modes[row % len(modes)]) for row in range(7)]


def hugging_face(**columns):
    return datasets.Dataset.from_dict({**columns, "label": LABELS.tolist()})


class Laws(ExamplesContract):
    """The contract, and what the adapters of this package promise beyond it."""

    def test_no_rows_keep_shape_and_type(self):
        examples = self.examples()
        none, one = examples.read(np.arange(0)), examples.read(np.arange(1))
        assert len(none) == 0
        assert none.shape[1:] == one.shape[1:]
        if isinstance(one, np.ndarray):
            assert none.dtype == one.dtype

    def test_labels_cannot_be_written(self):
        with pytest.raises(ValueError, match="read-only"):
            self.examples().labels[0] = 1

    def test_arrays_are_plain_and_read_as_numbers(self):
        block = self.examples().read(np.arange(3))
        if isinstance(block, np.ndarray):
            assert type(block) is np.ndarray
            assert block.dtype.kind in "iub" or block.dtype in (np.float32, np.float64)

    def test_a_block_is_the_callers_to_change(self):
        examples = self.examples()
        block = examples.read(np.arange(3))
        if isinstance(block, np.ndarray):
            kept = block.copy()
            block[...] = 1
            np.testing.assert_array_equal(examples.read(np.arange(3)), kept)


class TestArray(Laws):
    def examples(self):
        return as_examples((INPUTS, LABELS))


class TestTensor(Laws):
    def examples(self):
        return as_examples((torch.tensor(INPUTS), torch.tensor(LABELS)))


class TestNestedLists(Laws):
    def examples(self):
        return as_examples((INPUTS.tolist(), LABELS.tolist()))


class TestMemmap(Laws):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path):
        self.path = tmp_path / "inputs.npy"
        np.save(self.path, INPUTS)

    def examples(self):
        return as_examples((np.load(self.path, mmap_mode="r"), LABELS))


class TestTransformedArray(Laws):
    def examples(self):
        return as_examples((INPUTS, LABELS), transform=lambda x: torch.tensor(x[:2]))


class TestTable(Laws):
    def examples(self):
        return as_examples(pd.DataFrame(INPUTS, columns=list("abc")).assign(label=LABELS))


class TestMixedTable(Laws):
    def examples(self):
        colour = pd.Categorical(["red", "blue", "red", "red", "blue", "red", "blue"])
        return as_examples((pd.DataFrame({"a": INPUTS[:, 0], "colour": colour}), LABELS))


class TestTransformedTable(Laws):
    def examples(self):
        frame = pd.DataFrame(INPUTS, columns=list("abc")).assign(label=LABELS)
        return as_examples(frame, transform=lambda row: [row["a"], row["b"]])


class TestTensorDataset(Laws):
    def examples(self):
        return as_examples(torch.utils.data.TensorDataset(torch.tensor(INPUTS), torch.tensor(LABELS)))


class TestSubset(Laws):
    def examples(self):
        whole = torch.utils.data.TensorDataset(torch.tensor(INPUTS), torch.tensor(LABELS))
        return as_examples(torch.utils.data.Subset(torch.utils.data.Subset(whole, [6, 5, 4, 3, 2, 1]), [0, 5, 2, 1]))


class TestTorchRows(Laws):
    def examples(self):
        return as_examples(Pairs(INPUTS))


class TestTorchImages(Laws):
    def examples(self):
        return as_examples(Pairs(images(["L", "RGB", "RGBA", "P"])))


class TestHuggingFaceNumbers(Laws):
    def examples(self):
        return as_examples(hugging_face(a=INPUTS[:, 0].tolist(), b=list(range(7)), c=[True, False] * 3 + [True]))


class TestHuggingFaceLists(Laws):
    def examples(self):
        return as_examples(hugging_face(vector=INPUTS.tolist()))


class TestHuggingFaceImages(Laws):
    def examples(self):
        return as_examples(hugging_face(image=images()).cast_column("image", datasets.Image()))


class TestHuggingFaceShuffled(Laws):
    def examples(self):
        return as_examples(hugging_face(vector=INPUTS.tolist()).shuffle(seed=0).select([5, 3, 2, 0, 1]))


class TestHuggingFaceTexts(Laws):
    def examples(self):
        texts = ["a", "bb", "ccc", "d", "ee", "fff", "g"]
        return as_examples(hugging_face(text=texts), transform=lambda text: [float(len(text))])
