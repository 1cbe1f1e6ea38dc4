import subprocess
import sys

import datasets
import numpy as np
import pandas as pd
import pytest
import torch

from dataaudit.data import as_examples
from dataaudit.data.arrays import ArrayExamples
from dataaudit.errors import DataError, SettingError


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.zeros(2), index % 2


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield torch.zeros(2), 0


class NoLength(torch.utils.data.Dataset):
    def __getitem__(self, index):
        return torch.zeros(2), index % 2


class RefusedLength(NoLength):
    def __len__(self):
        raise NotImplementedError


PLAIN = {"a": [1.0, 2.0, 3.0, 4.0], "label": [0, 1, 0, 1]}


def kinds():
    return {
        "arrays": (np.zeros((4, 2)), [0, 1, 0, 1]),
        "table": pd.DataFrame(PLAIN),
        "torch Dataset": Pairs(),
        "Hugging Face Dataset": datasets.Dataset.from_dict(PLAIN),
    }


@pytest.mark.parametrize("source", kinds())
def test_each_kind_finds_its_adapter(source):
    examples = as_examples(kinds()[source])
    assert examples.source == source
    assert examples.labels.tolist() == [0, 1, 0, 1]
    assert examples.class_names == ("0", "1")


def test_examples_pass_through():
    examples = ArrayExamples(np.zeros((4, 2)), [0, 1, 0, 1])
    assert as_examples(examples) is examples


@pytest.mark.parametrize(
    ("source", "option"),
    [
        ("arrays", {"label": "y"}),
        ("arrays", {"inputs": "x"}),
        ("arrays", {"split": "train"}),
        ("table", {"split": "train"}),
        ("torch Dataset", {"label": "y"}),
        ("torch Dataset", {"inputs": ["x"]}),
        ("torch Dataset", {"split": "train"}),
        ("Hugging Face Dataset", {"split": "train"}),
        ("examples", {"transform": np.abs}),
        ("examples", {"label": "y"}),
    ],
)
def test_an_option_that_does_not_apply_is_refused(source, option):
    dataset = {**kinds(), "examples": ArrayExamples(np.zeros((4, 2)), [0, 1, 0, 1])}[source]
    with pytest.raises(SettingError, match=f"{next(iter(option))}= for ") as caught:
        as_examples(dataset, **option)
    assert caught.value.action == f"leave out {next(iter(option))}="


def test_a_transform_must_be_callable():
    with pytest.raises(SettingError, match="transform of type str"):
        as_examples((np.zeros((4, 2)), [0, 1, 0, 1]), transform="grey")


def test_a_split_is_chosen_by_name():
    both = datasets.DatasetDict(train=datasets.Dataset.from_dict(PLAIN), test=datasets.Dataset.from_dict(PLAIN))
    assert len(as_examples(both, split="test")) == 4
    with pytest.raises(SettingError, match="splits: train, test"):
        as_examples(both)
    with pytest.raises(SettingError, match="did you mean 'train'"):
        as_examples(both, split="trian")


@pytest.mark.parametrize(
    "dataset",
    [
        Endless(),
        NoLength(),
        RefusedLength(),
        ((x, 0) for x in range(3)),
    ],
    ids=["torch iterable", "torch", "torch refused", "generator"],
)
def test_a_data_set_without_length_is_refused(dataset):
    with pytest.raises(DataError, match="without length"):
        as_examples(dataset)


def test_a_stream_is_told_that_it_needs_a_folder():
    stream = datasets.Dataset.from_dict(PLAIN).to_iterable_dataset()
    for given, split in ((stream, None), (datasets.IterableDatasetDict(train=stream), "train")):
        with pytest.raises(DataError, match="cache='folder'"):
            as_examples(given, split=split)
    with pytest.raises(SettingError, match="splits: train"):
        as_examples(datasets.IterableDatasetDict(train=stream))


@pytest.mark.parametrize("dataset", [3, "folder", {"a": [1]}, np.zeros((4, 2)), torch.zeros(4, 2), None])
def test_anything_else_is_told_what_is_taken(dataset):
    with pytest.raises(DataError) as caught:
        as_examples(dataset)
    for kind in ("(inputs, labels)", "DataFrame", "torch", "Hugging Face"):
        assert kind in caught.value.expected


def test_a_path_is_told_how_it_is_read(tmp_path):
    table = tmp_path / "news.csv"
    for path, reader in ((tmp_path, "datasets.load_dataset('imagefolder', data_dir="), (table, "pandas.read_csv(")):
        with pytest.raises(DataError, match="found the path") as caught:
            as_examples(str(path))
        assert f"{reader}{str(path)!r}" in str(caught.value)


def test_a_loader_is_told_to_hand_over_its_data_set():
    with pytest.raises(DataError, match=r"loader\.dataset"):
        as_examples(torch.utils.data.DataLoader(Pairs()))


def test_a_list_of_other_rows_is_no_pair():
    with pytest.raises(DataError, match="list of 3 items"):
        as_examples([(1, 0, 2), (2, 1, 2), (3, 0, 2)])


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, dataaudit.data\n"
        "heavy = {'torch', 'pandas', 'datasets', 'pyarrow', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_arrays_are_taken_without_importing_torch_or_datasets():
    code = (
        "import sys, numpy as np\n"
        "from dataaudit.data import as_examples\n"
        "as_examples((np.zeros((4, 2)), [0, 1, 0, 1])).read(np.arange(2))\n"
        "heavy = {'torch', 'datasets', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
